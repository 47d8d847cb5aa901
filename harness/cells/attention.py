"""One layer of causal self-attention: no recurrence, every step reads all before it (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import sqrt
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from harness.cells.initialisation import Matrix, Weights
from harness.cells.whole_sequence import WholeSequence
from harness.rng import generator
from harness.study.section import setting, wrong

if TYPE_CHECKING:
    from torch import Tensor


class Attention(WholeSequence):
    """h_t = e_t + W_o o_t with e_t = U x_t + b_x + p_t and q, k, v = W_q e, W_k e, W_v e.

    For each head, of d = H/heads rows,

        o_t = Σ_{s ≤ t} a_ts v_s,    a_ts = softmax_s(q_t · k_s/√d)

    o_t holds those of all heads, one below another. One layer, without a feed-forward block and the normalisation of
    a transformer: between a value and what reads it there is then one attention and nothing else. The positions are
    p_t,2i = sin((t − 1)/10000^{2i/H}), p_t,2i+1 = cos of the same, or none. They have no parameters, so that the layer
    is defined at every length; a learned table ends with the length of its training.

    What is recorded as the adjoint is that of the values, ∂L/∂v_t (H,): with one head and a loss that reads h_T alone,
    ∂L/∂v_t = a_Tt W_oᵀ ∂L/∂h_T. As the immediate gradient ∂L/∂h_t is recorded.

    U and b_x start as those of torch.nn.Linear(D, H), the others as in torch.nn.MultiheadAttention(H, heads,
    bias=False): W_q, W_k, W_v uniform on ±√(1.5/H), W_o on ±1/√H. "Attention is all you need", eq. 1 and sections 3.2
    and 3.5.
    """

    recurs = False
    keeps = False
    biases: ClassVar[Literal[1]] = 1  # type: ignore[misc]
    subject = "attention"
    without: ClassVar[Mapping[str, str]] = {
        "omega": "Ω follows W of an rnn",
        "flossing": "Lyapunov exponents are a recurrence's",
        "orthogonal": "WᵀW − I is of recurrent blocks, and attention has none",
        "bptt_window": "a window cuts a recurrence, and attention reads every step directly; leave it out",
        "bptt_stride": "a stride is of chunks with a carried state, and attention has none; leave it out",
    }

    cell: Literal["attention"] = setting(..., "one causal layer of self-attention, without recurrence")
    hidden_size: int = setting(50, "H, the width of a step's vector, and of all heads together", ge=1)
    match: Literal["parameters"] | None = setting(
        None, "read hidden_size as that of a simple RNN, and take the width whose number of parameters is nearest"
    )
    heads: int = setting(1, "attention heads, each of hidden_size/heads rows", sequential=True, ge=1)
    positions: Literal["sinusoidal", "none"] = setting(
        "sinusoidal", "what is added to each step's vector for its place; none: the order of earlier steps is not seen"
    )

    @model_validator(mode="after")
    def _divided(self) -> Attention:
        """Heads of one size; a width that is yet to be matched will be a multiple of them."""
        if self.match is None and self.hidden_size % self.heads:
            H = self.hidden_size
            known = [n for n in range(1, H + 1) if H % n == 0]
            likely = min(known, key=lambda n: abs(n - self.heads))
            raise wrong("heads", f"{self.heads} heads cannot share {H} units (hidden_size) equally; take {likely}")
        return self

    @classmethod
    def refusal(cls, key: str) -> str:
        """A recurrent cell's setting is not dropped silently."""
        own = ", ".join(name for name in cls.model_fields if name != "cell")
        return f"is a recurrent cell's; attention is one layer without recurrence, and has {own}"

    @property
    def width_multiple(self) -> int:
        return self.heads

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        """U (H, D), b_x (H,), and four (H, H)."""
        return {"U": (H, D), "b_x": (H,), **dict.fromkeys(("W_q", "W_k", "W_v", "W_o"), (H, H))}

    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        """Each parameter uniform, from a stream of its own, with the bound that torch has for it."""
        H, D = self.hidden_size, input_size
        bounds = {"U": 1 / sqrt(D), "b_x": 1 / sqrt(D), "W_o": 1 / sqrt(H)}
        return {
            name: generator(seed, f"initialise {name}").uniform(-bound, bound, shape)
            for name, shape in self.shapes(H, D).items()
            for bound in [bounds.get(name, sqrt(1.5 / H))]
        }

    def attend(self, parameters: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        """The states h_1 … h_T of one replica, and the values v_1 … v_T, whose gradient is the adjoint: (T, B, H) each.

        Args:
            parameters: by name, without a replica axis.
            x: rows (T, B, D).
        """
        from torch import as_tensor  # a plan needs no torch
        from torch.nn.functional import scaled_dot_product_attention

        T, B, _ = x.shape
        H, n = self.hidden_size, self.heads
        e = x @ parameters["U"].mT + parameters["b_x"]
        if self.positions == "sinusoidal":
            e = e + as_tensor(sinusoids(T, H), dtype=e.dtype, device=e.device).unsqueeze(1)
        q, k, v = (e @ parameters[name].mT for name in ("W_q", "W_k", "W_v"))
        heads = [part.view(T, B, n, H // n).permute(1, 2, 0, 3) for part in (q, k, v)]  # (B, heads, T, d) each
        o = scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=True)
        return e + o.permute(2, 0, 1, 3).reshape(T, B, H) @ parameters["W_o"].mT, v


@cache
def sinusoids(T: int, H: int) -> Matrix:
    """p_1 … p_T (T, H): sines and cosines of 1/10000^{2i/H} radians a step (Vaswani et al. 2017, section 3.5)."""
    unit = np.arange(H)
    angles = np.arange(T)[:, None] / 10000.0 ** (2 * (unit // 2) / H)
    return np.where(unit % 2 == 0, np.sin(angles), np.cos(angles))
