"""DeltaNet: a matrix of associations, corrected by the delta rule (Schlag, Irie & Schmidhuber 2021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.cell import Draw, PaperCell, State, sigmoid
from harness.cells.initialisation import Weights
from harness.cells.selective import columns
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1e-6  # added to the square of a key's length


class DeltaNet(PaperCell):
    """S_t = S_{t−1} + β_t (v_t − S_{t−1} k_t) k_tᵀ = S_{t−1} (I − β_t k_t k_tᵀ) + β_t v_t k_tᵀ;  h_t = S_t q_t.

    v_t = U_v x_t + b_v (H), u_t = U_u x_t + b_u; k_t = e/√(|e|² + 10⁻⁶) with e = SiLU(W_k u_t), q_t the same with W_q
    (N each); β_t = σ(w · u_t). The rule is that of "Linear transformers are secretly fast weight programmers", section
    4.2; SiLU and Euclidean length of keys and queries are those of Yang, Wang, Zhang, Shen & Kim 2024, "Parallelizing
    linear transformers with the delta rule over sequence length". One head; their short convolutions and output
    normalisation are no part of this recurrence. Column n of S is the part c_n of the state.

    I − β k kᵀ has the eigenvalue 1 − β along k, in (0, 1), and 1 elsewhere. With `eigenvalues: signed`
    β_t = 2σ(w · u_t) and 1 − β is in (−1, 1), near −1 a reflection (Grazzi et al. 2025, "Unlocking state-tracking in
    linear RNNs through negative eigenvalues").

    `init: paper`: linear layers as torch's, U on ±1/√D, W_k, W_q and w on ±1/√H, without biases (b = 0).
    """

    gates = ("v", "u")
    recurrent_weights = ()
    diagonal = True
    crossing = "k_t"
    keeps = False
    carries_h = False

    cell: Literal["deltanet"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    key_size: int = setting(4, "N, numbers of a key: the columns of S", label="key size N", short="N", ge=1, le=64)
    eigenvalues: Literal["positive", "signed"] = setting(
        "positive",
        "1 − β along a key: positive, in (0, 1), as in the paper; signed, in (−1, 1)",
        order=("positive", "signed", "complex"),
    )

    @property
    def states(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("h", *columns(self.key_size))

    @property
    def cell_state(self) -> tuple[str, ...]:
        return self.states[1:]

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        many = dict.fromkeys(("W_k", "W_q"), (self.key_size * H,))  # block n is row n
        return {"U": (2 * H, D), "b_x": (2 * H,)} | many | {"w": (H,)}

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H = self.hidden_size
        shapes = self.shapes(H, input_size)
        bounds = {"U": 1 / sqrt(input_size)} | dict.fromkeys(("W_k", "W_q", "w"), 1 / sqrt(H))
        drawn = {name: draw(name).uniform(-bound, bound, shapes[name]) for name, bound in bounds.items()}
        return drawn | {"b_x": np.zeros(2 * H)}

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        v, u = z.chunk(2, dim=-1)  # each (R, B, H)
        beta = sigmoid((parameters["w"].unsqueeze(1) * u).sum(-1, keepdim=True))  # one number for all units, (R, B, 1)
        beta = 2 * beta if self.eigenvalues == "signed" else beta
        k, q = (
            direction([row * u for row in parameters[name].unsqueeze(1).chunk(self.key_size, dim=-1)])
            for name in ("W_k", "W_q")
        )
        error = beta * (v - total([c * each for c, each in zip(state[1:], k, strict=True)]))
        new = [c + error * each for c, each in zip(state[1:], k, strict=True)]
        h = total([c * each for c, each in zip(new, q, strict=True)])
        return {"v": v, "beta": beta, **dict(zip(self.states, (h, *new), strict=True))}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return tuple(a[name] for name in self.states)


def direction(terms: Sequence[Tensor]) -> list[Tensor]:
    """SiLU of each sum over units, divided by the length of them all; (R, B, 1) each."""
    parts = [(sums := term.sum(-1, keepdim=True)) * sigmoid(sums) for term in terms]
    length = (total([part.square() for part in parts]) + EPSILON).sqrt()
    return [part / length for part in parts]


def total(terms: Sequence[Tensor]) -> Tensor:
    """Their sum, from the first to the last."""
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result
