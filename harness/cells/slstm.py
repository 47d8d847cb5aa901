"""sLSTM: exponential gates with a normaliser, and memories that mix (Beck, Pöppel, Spanring et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.cells.cell import Draw, PaperCell, State, log_sigmoid, recurrent, sigmoid
from harness.cells.initialisation import Weights
from harness.study.section import setting

if TYPE_CHECKING:
    from torch import Tensor


class SLSTM(PaperCell):
    """i = exp(ĩ), f = σ(f̃), z = tanh(z̃), o = σ(õ), each of W h_{t−1} + U x_t + b; h_t = o ⊙ c_t/n_t, with

        c_t = f ⊙ c_{t−1} + i ⊙ z,    n_t = f ⊙ n_{t−1} + i

    "xLSTM: extended long short-term memory", section 2.2. Numbers stay in range as c and n are those times e^{−m_t},
    m_t = max(ln f + m_{t−1}, ĩ), which leaves h as it is: the state is (h, c, n, m), and adjoints of c are those of the
    scaled one. The paper's other choice for f is exp. One head: all units mix. `init: paper` is that of the authors'
    program for a single block: W = 0, b_f = 5 − 12 (k/(H − 1))^{.3} for unit k from 0, other biases 0, U as torch's.
    """

    gates = ("i", "f", "z", "o")
    normalises = True
    keeps = False  # an expected value of c and n means nothing where their scales differ
    states = ("h", "c", "n", "m")

    cell: Literal["slstm"] = setting(..., "which cell")

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H = self.hidden_size
        biases = np.zeros(4 * H)
        biases[H : 2 * H] = 5 - 12 * (np.arange(H) / max(H - 1, 1)) ** 0.3
        return {"W": np.zeros((4 * H, H)), "b_x": biases}

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        i, f, cand, o = (z + recurrent(parameters, state[0])).chunk(4, dim=-1)  # each (R, B, H)
        before = log_sigmoid(f) + state[3]
        m = i + (before - i).relu()  # max(before, i)
        return {"i": (i - m).exp(), "f": (before - m).exp(), "z": cand.tanh(), "o": sigmoid(o), "m": m}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        c = a["f"] * state[1] + a["i"] * a["z"]
        n = a["f"] * state[2] + a["i"]
        return a["o"] * c / n, c, n, a["m"]
