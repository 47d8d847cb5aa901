"""Small cells to test: parameters and random inputs, compared with equations written anew or with another library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from made_networks import Parameters, normal, replica, started, zero_state
from torch import Tensor

from harness.cells import CELLS
from harness.cells.cell import PaperCell
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan

PAPER_CELLS = [name for name, cell in CELLS.items() if issubclass(cell, PaperCell)]
T, R, B, D, H = 9, 2, 3, 5, 6

Equations = Callable[[dict[str, Any], Any], Any]  # one replica's parameters, inputs (T, D) → h_1 … h_T (T, H)
Twin = Callable[[Parameters, Tensor], Tensor]  # one replica's parameters, inputs (T, B, D) → h_1 … h_T (T, B, H)


def drawn(name: str, seed: int = 0, *, H: int = H, T: int = T, **settings: Any) -> dict[str, Any]:
    """One replica's parameters before training."""
    return CELLS[name](cell=name, hidden_size=H, **settings).start(seed, input_size=D, output_size=1, length=T)


def example(name: str, *, H: int = H, T: int = T, **settings: Any) -> tuple[Any, Parameters, Tensor]:
    """A cell, float64 parameters of R replicas before training, and inputs (T, R, B, D)."""
    cell = CELLS[name](cell=name, hidden_size=H, **settings)
    return cell, started(cell, range(R), input_size=D, length=T), normal(1, T, R, B, D)


def initial(cell: Any) -> tuple[Tensor, ...]:
    return zero_state(cell, R, B)


def assert_follows(name: str, equations: Equations, **settings: Any) -> None:
    """Every h_t of every sequence is that of the equations, to 1e-12; biases are moved off zero first."""
    cell, parameters, x = example(name, **settings)
    with torch.no_grad():
        parameters["b_x"] += torch.linspace(-0.5, 0.5, parameters["b_x"].shape[1], dtype=torch.float64)
    h, _ = scan(cell, parameters, x, initial(cell), every_step=True)
    for r in range(R):
        own = {key: value[r].detach().numpy() for key, value in parameters.items()}
        for b in range(B):
            np.testing.assert_allclose(h[:, r, b].detach().numpy(), equations(own, x[:, r, b].numpy()), atol=1e-12)


def assert_differentiates_as(twin: Twin, cell: Any, parameters: Parameters, x: Tensor) -> None:
    """Every h_t and the gradients of all parameters are those of the twin, to 1e-12."""
    h, _ = scan(cell, parameters, x, initial(cell), every_step=True)
    weights = normal(2, *h.shape)
    (h * weights).sum().backward()
    for r in range(R):
        own = replica(parameters, r)
        theirs = twin(own, x[:, r])
        torch.testing.assert_close(h[:, r], theirs, rtol=0, atol=1e-12)
        (theirs * weights[:, r]).sum().backward()
        for key, value in own.items():
            torch.testing.assert_close(parameters[key].grad[r], value.grad, rtol=0, atol=1e-12)


def adjoints(cell: Any, parameters: Parameters, x: Tensor, v: Tensor) -> tuple[Any, Any, Any]:
    """log₁₀ Σ_b ‖∂L/∂h_t‖ and its twin of c, (T, R), with L = Σ v·h_T; and h_1 … h_T."""
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, initial(cell), recorder=recorder)
    (h * v).sum().backward()
    with torch.no_grad():
        every, _ = scan(cell, parameters, x, initial(cell), every_step=True)
    return recorder.log10_adjoint, recorder.log10_adjoint_cell, every.numpy()


def log10_products(factors: Any) -> Any:
    """log₁₀ Σ_b ‖Π_{s>t} factors_s‖ for t = 1 … T: adjoints of Σ h_T where each Jacobian is diagonal, (T, B, H)."""
    products = np.cumprod(np.concatenate([np.ones_like(factors[:1]), factors[:0:-1]]), axis=0)[::-1]
    return np.log10(np.linalg.norm(products, axis=-1).sum(-1))


def skew_matrix(L: Any, H: int = H) -> Any:
    """The skew-symmetric matrix whose numbers below the diagonal are L."""
    lower = np.zeros((H, H))
    lower[np.tril_indices(H, -1)] = L
    return lower - lower.T


def sigmoid(a: Any) -> Any:
    return 1 / (1 + np.exp(-a))
