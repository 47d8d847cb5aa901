"""The selective state-space model S6, the recurrence of Mamba (Gu & Dao 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.cell import Draw, PaperCell, State, log_sigmoid
from harness.cells.initialisation import Weights
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor

STEPS = (0.001, 0.1)  # between which Δ lies before training


class S6(PaperCell):
    """c_t,n = exp(Δ_t A_n) ⊙ c_{t−1,n} + Δ_t ⊙ B_t,n u_t, n = 1 … N;  h_t = Σ_n C_t,n c_t,n + D ⊙ u_t.

    u_t = U x_t + b has one channel a unit, A_n = −exp(A_log,n) < 0. What is selected depends on the input: B_t =
    W_B u_t and C_t = W_C u_t are N numbers that all channels share, Δ_t = softplus(p (w · u_t) + b_Δ).

    "Mamba: linear-time sequence modeling with selective state spaces", algorithm 2 with an s_Δ of rank one. exp(ΔA) is
    its eq. 4; the simpler ΔB for (ΔA)⁻¹(exp(ΔA) − 1)ΔB, and D ⊙ u, are its program's. Mamba's convolution, nonlinearity
    and output gate around this recurrence are no part of it.

    With `eigenvalues: signed` 2 exp(ΔA) − 1 in (−1, 1) stands for exp(ΔA) (Grazzi et al. 2025, "Unlocking
    state-tracking in linear RNNs through negative eigenvalues", eq. 2).

    `init: paper` is the program's: A_n = −n (S4D-real, section 3.6), D = 1, Δ at u = 0 log-uniform on [.001, .1], p
    uniform on ±1, W_B, W_C and w on ±1/√H and U on ±1/√D as linear layers, b = 0.
    """

    gates = ("u",)
    recurrent_weights = ()
    diagonal = True
    crossing = "B_t"
    keeps = False
    carries_h = False

    cell: Literal["s6"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    state_size: int = setting(
        4,
        "N, numbers of the state a unit; the paper has 16, which take ten times as long to compile as 4",
        label="state size N",
        short="N",
        ge=1,
        le=64,
    )
    eigenvalues: Literal["positive", "signed"] = setting(
        "positive",
        "∂c_t/∂c_{t−1}: positive, exp(ΔA), in (0, 1), as in the paper; signed, 2 exp(ΔA) − 1, in (−1, 1)",
        order=("positive", "signed", "complex"),
    )

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("h", *columns(self.state_size))

    @property
    def cell_state(self) -> tuple[str, ...]:
        return self.states[1:]

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        N = self.state_size
        many = dict.fromkeys(("A_log", "W_B", "W_C"), (N * H,))  # block n belongs to c_n
        return {"U": (H, D), "b_x": (H,)} | many | dict.fromkeys(("w", "p", "b_dt", "skip"), (H,))

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, N = self.hidden_size, self.state_size
        shapes = self.shapes(H, input_size)
        bounds = {"U": 1 / sqrt(input_size), "W_B": 1 / sqrt(H), "W_C": 1 / sqrt(H), "w": 1 / sqrt(H), "p": 1.0}
        steps = np.exp(draw("b_dt").uniform(log(STEPS[0]), log(STEPS[1]), H))
        return {
            **{name: draw(name).uniform(-bound, bound, shapes[name]) for name, bound in bounds.items()},
            "b_x": np.zeros(H),
            "b_dt": np.log(np.expm1(steps)),  # softplus of it is the step
            "A_log": np.repeat(np.log(np.arange(1, N + 1)), H),
            "skip": np.ones(H),
        }

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        known = {name: value.unsqueeze(1) for name, value in parameters.items() if name not in ("U", "b_x")}
        step = (known["w"] * z).sum(-1, keepdim=True) * known["p"] + known["b_dt"]
        dt = -log_sigmoid(-step)  # softplus
        a = {"dt": dt, "h": known["skip"] * z}
        blocks = zip(*(known[name].chunk(self.state_size, dim=-1) for name in ("A_log", "W_B", "W_C")), strict=True)
        for n, (A_log, W_B, W_C) in enumerate(blocks, start=1):
            decay = (-(dt * A_log.exp())).exp()
            decay = 2 * decay - 1 if self.eigenvalues == "signed" else decay
            B, C = ((W * z).sum(-1, keepdim=True) for W in (W_B, W_C))  # one number for all units, (R, B, 1)
            new = decay * state[n] + dt * z * B
            a |= {f"decay{n}": decay, f"c{n}": new, "h": a["h"] + C * new}
        return a

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return tuple(a[name] for name in self.states)


def columns(count: int) -> tuple[str, ...]:
    """Names of a cell state of several parts, H numbers each."""
    return tuple(f"c{n}" for n in range(1, count + 1))
