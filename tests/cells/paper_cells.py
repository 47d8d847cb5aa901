"""Paper cells to test: made from their settings, run over random inputs, compared with equations written anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import PaperCell
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan

PAPER_CELLS = [name for name, cell in CELLS.items() if issubclass(cell, PaperCell)]
T, R, B, D, H = 9, 2, 3, 5, 6

Equations = Callable[[dict[str, Any], Any], Any]  # one replica's parameters, inputs (T, D) → h_1 … h_T (T, H)


def made(name: str, *, H: int = H, T: int = T, **settings: Any) -> tuple[Any, dict[str, Tensor], Tensor]:
    """A cell, float64 parameters of R replicas as its paper draws them, and inputs (T, R, B, D)."""
    cell = CELLS[name](cell=name, hidden_size=H, **settings)
    replicas = [cell.start(seed, input_size=D, output_size=1, length=T) for seed in range(R)]
    parameters = {key: torch.from_numpy(np.stack([p[key] for p in replicas])).requires_grad_() for key in replicas[0]}
    x = torch.randn(T, R, B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return cell, parameters, x


def start(cell: Any, parameters: dict[str, Tensor]) -> tuple[Tensor, ...]:
    return (parameters["U"].new_zeros(R, B, cell.hidden_size),) * len(cell.states)


def assert_follows(name: str, equations: Equations, **settings: Any) -> None:
    """Every h_t of every sequence is that of the equations, to 1e-12; biases are moved off zero first."""
    cell, parameters, x = made(name, **settings)
    with torch.no_grad():
        parameters["b_x"] += torch.linspace(-0.5, 0.5, parameters["b_x"].shape[1], dtype=torch.float64)
    h, _ = scan(cell, parameters, x, start(cell, parameters), every_step=True)
    for r in range(R):
        own = {key: value[r].detach().numpy() for key, value in parameters.items()}
        for b in range(B):
            np.testing.assert_allclose(h[:, r, b].detach().numpy(), equations(own, x[:, r, b].numpy()), atol=1e-12)


def adjoints(cell: Any, parameters: dict[str, Tensor], x: Tensor, v: Tensor) -> tuple[Any, Any, Any]:
    """log₁₀ Σ_b ‖∂L/∂h_t‖ and its twin of c, (T, R), with L = Σ v·h_T; and h_1 … h_T."""
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, start(cell, parameters), recorder=recorder)
    (h * v).sum().backward()
    with torch.no_grad():
        every, _ = scan(cell, parameters, x, start(cell, parameters), every_step=True)
    return recorder.log10_adjoint, recorder.log10_adjoint_cell, every.numpy()


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))
