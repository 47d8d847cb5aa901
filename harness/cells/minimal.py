"""minGRU and minLSTM, whose gates see the input alone (Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024).

"Were RNNs all we needed?", sections 3.1 and 3.2. The state enters linearly, so that ∂h_T/∂h_t is the product of what
is kept at each step. As torch.nn.Linear's, all parameters start uniform on (−1/√D, 1/√D).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Literal

from harness.cells.cell import Draw, PaperCell, State, log_sigmoid, sigmoid
from harness.cells.initialisation import Weights, set_forget_bias
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class Minimal(PaperCell):
    """What the two have in common: no recurrent weights, and the start of a linear layer of D inputs."""

    recurrent_weights = ()
    diagonal = True

    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        bound = 1 / sqrt(input_size)
        shapes = self.shapes(self.hidden_size, input_size)
        return {name: draw(name).uniform(-bound, bound, shape) for name, shape in shapes.items()}


class MinGRU(Minimal):
    """z = σ(U_z x_t + b_z), n = U_n x_t + b_n; h_t = (1 − z) ⊙ h_{t−1} + z ⊙ n.

    With `eigenvalues: signed`, h_t = (1 − 2z) ⊙ h_{t−1} + z ⊙ n. Grazzi et al. 2025, "Unlocking state-tracking in
    linear RNNs through negative eigenvalues", eq. 2, replaces diagonal transitions Diag(s(x)), s in [0, 1], by
    Diag(2 s(x) − 1), which are in [−1, 1]. Here s = 1 − z. Theirs is a modification of Mamba; that of a minGRU, whose
    input term z ⊙ n stays as it is, is ours.
    """

    gates = ("z", "n")

    cell: Literal["mingru"] = setting(..., "which cell")
    eigenvalues: Literal["positive", "signed"] = setting(
        "positive",
        "∂h_t/∂h_{t−1}: positive, 1 − z, in (0, 1), as in the paper; signed, 1 − 2z, in (−1, 1)",
        order=("positive", "signed", "complex"),
    )

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        update, n = z.chunk(2, dim=-1)  # each (R, B, H)
        return {"z": sigmoid(update), "n": n}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        passed = 1 - 2 * a["z"] if self.eigenvalues == "signed" else 1 - a["z"]
        return (passed * state[0] + a["z"] * a["n"],)


class MinLSTM(Minimal):
    """f, i = σ(U x_t + b), n = U_n x_t + b_n; h_t = f/(f+i) ⊙ h_{t−1} + i/(f+i) ⊙ n.

    f/(f+i) = σ(ln f − ln i) is computed from the gates' arguments, as two small gates leave nothing of their ratio.
    """

    gates = ("f", "i", "n")

    cell: Literal["minlstm"] = setting(..., "which cell")
    forget_bias: float | Literal["chrono"] | None = setting(
        None,
        "b_x of the forget gate before training; chrono: ln U(1, T−1), input gate: its negative; null: drawn",
        unset="drawn",
        replica=True,
    )

    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        """As the paper or torch draws them, then the forget gate's bias."""
        weights = super().start(seed, input_size=input_size, output_size=output_size, length=length)
        return set_forget_bias(weights, self.gates, self.forget_bias, seed, length)

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        f, i, n = z.chunk(3, dim=-1)  # each (R, B, H)
        return {"f": sigmoid(f), "i": sigmoid(i), "kept": share_kept(f, i), "n": n}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["kept"] * state[0] + (1 - a["kept"]) * a["n"],)


def share_kept(f: Tensor, i: Tensor) -> Tensor:
    """σ(f)/(σ(f) + σ(i)) = σ(ln σ(f) − ln σ(i)) of the arguments of two gates."""
    return sigmoid(log_sigmoid(f) - log_sigmoid(i))
