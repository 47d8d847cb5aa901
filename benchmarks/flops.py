"""The arithmetic of one training step of one replica, counted: what no program can leave out.

With G gate blocks, H units, B sequences, T steps, a loss at the end and a constant h_0:

    W h_{t−1}         forward     T      products (B, H)·(H, G·H), 2·B·G·H² operations each
    Wᵀ δ_t            to h_{t−1}  T − 1  such products: h_0 needs no gradient
    Σ_t δ_t h_{t−1}ᵀ  to W        T      such products

A one-hot input is no product but a look-up: G·H additions a sequence and step forward, and as many to U and the biases
on the way back. Elementwise work counts an addition, a product and a nonlinearity as one operation each. All of it is
taken at the rate of matrix products, which flatters the limit: elementwise work is slower everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.sizes import C, Sizes

# Operations a unit, sequence and step: forward (the addition of U x + b is among the inputs), then back.
ELEMENTWISE: Mapping[str, tuple[int, ...]] = {
    "rnn": (
        1,  # tanh
        3, 2,  # δ = (1 − h²) ∂h; norm of ∂h
    ),
    "lstm": (
        4, 3, 2,  # σ, σ, tanh, σ; c = f c + i g; h = o tanh(c)
        5, 3 * 4, 4, 1,  # ∂c += ∂h o (1 − tanh²); δ of i, f, o: (·)(·) σ (1 − σ); δ of g: ∂c i (1 − g²); f ∂c
        2 + 2,  # norms of ∂h and ∂c
    ),
    "gru": (
        2, 1, 2, 4,  # σ, σ; m = W h + b; n = tanh(x + r m); h = (1 − z) n + z h
        1, 5, 4, 1, 5, 1, 1,  # ∂h + carry; δ of n; δ of r; r δ_n; δ of z; z ∂h; to the bias of m
        2,  # norm of ∂h
    ),
}  # fmt: skip


def step(sizes: Sizes) -> int:
    """FLOPs of forward and backward: products, elementwise work, inputs and readout."""
    return products(sizes) + elementwise(sizes) + inputs(sizes) + readout(sizes)


def products(sizes: Sizes) -> int:
    """2·B·G·H²·(3T − 1): the recurrent products and their two adjoints."""
    return 2 * sizes.B * sizes.gates * sizes.H**2 * (3 * sizes.T - 1)


def elementwise(sizes: Sizes) -> int:
    """B·T·H times the cell's own operations (`ELEMENTWISE`)."""
    return sizes.B * sizes.T * sizes.H * sum(ELEMENTWISE[sizes.cell])


def inputs(sizes: Sizes) -> int:
    """2·B·T·G·H: U x_t + b is looked up and added to W h; δ_t is added to the column of U that was looked up."""
    return 2 * sizes.B * sizes.T * sizes.gates * sizes.H


def readout(sizes: Sizes) -> int:
    """6·B·H·C: V h_T and its two adjoints."""
    return 6 * sizes.B * sizes.H * C
