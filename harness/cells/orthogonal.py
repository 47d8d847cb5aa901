"""A recurrent matrix that stays orthogonal while it trains, as the exponential of a skew-symmetric one.

Lezcano-Casado & Martínez-Rubio 2019, "Cheap orthogonal constraints in neural networks"; the unitary RNN of Arjovsky,
Shah & Bengio 2016 in real numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.cell import Draw, PaperCell, State, recurrent
from harness.cells.initialisation import Weights
from harness.cells.skew import count, skew
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor

THRESHOLD = 0.01  # modReLU's biases start within it


class Orthogonal(PaperCell):
    """h_t = φ(W h_{t−1} + U x_t + b_x), W = exp(L − Lᵀ); φ = modReLU: sign(a) relu(|a| + b).

    Trained are the H(H−1)/2 numbers of a strictly lower triangular L: W is orthogonal whatever they are. `init: paper`
    is Henaff's (Henaff, Szlam & LeCun 2016): rotations of pairs of units by angles U(−π, π); N(0, 2/D) for U,
    U(−.01, .01) for b. The paper has no b_x; here it starts at 0.
    """

    gates = ("h",)
    recurrent_weights = ("L",)

    cell: Literal["orthogonal"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    nonlinearity: Literal["modrelu", "tanh", "relu", "linear"] = setting("modrelu", "φ")

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        own: dict[str, tuple[int, ...]] = {"L": (count(H),)}
        return super().shapes(H, D) | own | ({"b": (H,)} if self.nonlinearity == "modrelu" else {})

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, D = self.hidden_size, input_size
        lower = np.zeros((H, H))
        pairs = np.arange(0, H - 1, 2)
        lower[pairs + 1, pairs] = draw("L").uniform(-pi, pi, len(pairs))
        drawn = {
            "L": lower[np.tril_indices(H, -1)],
            "U": draw("U").normal(0, sqrt(2 / D), (H, D)),
            "b_x": np.zeros(H),
        }
        if self.nonlinearity == "modrelu":
            drawn["b"] = draw("b").uniform(-THRESHOLD, THRESHOLD, H)
        return drawn

    def parametrize(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """W = exp(L − Lᵀ)."""
        if "W" in parameters:
            return parameters
        return {**parameters, "W": exponential(skew(parameters["L"], self.hidden_size))}

    def recurrent_matrices(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        return (self.parametrize(parameters)["W"],)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        a = z + recurrent(self.parametrize(parameters), state[0])
        if self.nonlinearity == "modrelu":
            return {"h": a.sign() * (a.abs() + parameters["b"].unsqueeze(1)).relu()}
        if self.nonlinearity == "linear":
            return {"h": a}
        return {"h": a.tanh() if self.nonlinearity == "tanh" else a.relu()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["h"],)


def exponential(matrices: Tensor) -> Tensor:
    """exp of each of (R, H, H), one at a time: torch takes those of like norm together, and digits depend on that."""
    import torch

    return torch.stack([matrix.matrix_exp() for matrix in matrices])
