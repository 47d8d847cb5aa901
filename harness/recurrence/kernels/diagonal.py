"""Recurrences without a matrix product (IndRNN, minGRU, minLSTM, LRU): a unit sees its own past, or one other's.

    h_t = f(decay_t * h_(t-1) + turn * h'_(t-1) + drive_t),   f = identity, relu or tanh,

where h' is h with its halves swapped.
Its adjoint, with delta_t = f'(a_t) * dL/dh_t:  dL/dh_(t-1) = decay_t * delta_t + (turn * delta_t)' + the loss's own
gradient at t-1. What makes decay and drive of inputs and parameters is torch's; here is what takes T steps. Arrays are
per replica and flat over steps and sequences, (T B, H), as in `rnn`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .compiled import compiled
from .interface import Array, plain
from .nonlinearities import tanh, tanh_slope
from .rnn import total
from .scaling import arrive, level, restore, settle, shift

ACTIVATIONS = ("identity", "relu", "tanh")
IDENTITY, RELU, TANH = range(3)


@compiled
def arguments(decay, i, turn, drive, k, h, out, o):
    """out[o] <- the argument of f in row k of the sequence; h[k] is the state before, decay[i] the row's decay."""
    for j in range(drive.shape[1]):
        out[o, j] = drive[k, j] + decay[i, j] * h[k, j]
    half = turn.size // 2
    for j in range(half):
        out[o, j] += turn[j] * h[k, half + j]
    for j in range(half):
        out[o, half + j] += turn[half + j] * h[k, j]


@compiled
def forward(decay, turn, drive, states, activation):
    """Fill `states` (R, (T+1) B, H) from row B on; decay (R, T B or 1, H), turn (R, H) or (R, 0)."""
    R, N, H = drive.shape
    B = states.shape[1] - N
    varying = decay.shape[1] > 1
    zero = drive.dtype.type(0)
    for r in range(R):
        λ, μ, v, h = decay[r], turn[r], drive[r], states[r]
        for k in range(N):
            arguments(λ, k if varying else 0, μ, v, k, h, h, k + B)
            if activation == RELU:
                for j in range(H):
                    h[k + B, j] = zero if h[k + B, j] <= zero else h[k + B, j]
            elif activation == TANH:
                for j in range(H):
                    h[k + B, j] = tanh(h[k + B, j])


@compiled
def deltas(adjoint, pre, h, row, activation):
    """adjoint <- f'(pre) * adjoint, with h[row + b] = f(pre[b])."""
    B, H = adjoint.shape
    zero = adjoint.dtype.type(0)
    if activation == RELU:
        for b in range(B):
            for j in range(H):
                adjoint[b, j] = zero if h[row + b, j] <= zero else adjoint[b, j]
    elif activation == TANH:
        for b in range(B):
            for j in range(H):
                adjoint[b, j] *= tanh_slope(pre[b, j], h[row + b, j])


@compiled
def carried_back(delta, decay, i, varying, turn, adjoint):
    """adjoint <- decay * delta + (turn * delta)', the adjoint of the state before; row b of decay is i + b, or 0."""
    B, H = delta.shape
    half = turn.size // 2
    for b in range(B):
        d = i + b if varying else 0
        for j in range(H):
            adjoint[b, j] = decay[d, j] * delta[b, j]
        for j in range(half):
            adjoint[b, j] += turn[half + j] * delta[b, half + j]
        for j in range(half):
            adjoint[b, half + j] += turn[j] * delta[b, j]


@compiled
def gather(delta, h, row, varying, ddecay, dturn, ddrive):
    """Add a step's deltas to the gradients; h[row + b] is the state before."""
    B, H = delta.shape
    half = dturn.size // 2
    for b in range(B):
        k = row + b
        d = k if varying else 0
        for j in range(H):
            ddrive[k, j] = delta[b, j]
        for j in range(H):
            ddecay[d, j] += delta[b, j] * h[k, j]
        for j in range(half):
            dturn[j] += delta[b, j] * h[k, half + j]
        for j in range(half):
            dturn[half + j] += delta[b, half + j] * h[k, j]


@compiled
def backward(decay, turn, drive, states, activation, last, every, strides, first, gradients, levels):
    """Fill `gradients` (of decay, turn, drive and the initial state), from step T down to `first`, and `levels`.

    every[t-1, r] starts at (t-1, r) . strides; empty: the loss sees the last step alone.
    """
    ddecay, dturn, ddrive, dinitial = gradients
    R, B, H = last.shape
    T = drive.shape[1] // B
    varying = decay.shape[1] > 1
    exact = activation == TANH and drive.itemsize == 8
    adjoint = np.empty((B, H), drive.dtype)
    delta = np.empty((B, H), drive.dtype)
    pre = np.empty((B, H), drive.dtype)
    squares = np.empty(B, np.float64)
    exponents = np.empty(B, np.int64)
    for r in range(R):
        h = states[r]
        exponents.fill(0)
        for b in range(B):
            for j in range(H):
                adjoint[b, j] = last[r, b, j]
        for t in range(T, first - 1, -1):
            before = (t - 1) * B
            if every.size:
                at = (t - 1) * strides[0] + r * strides[1]
                arrive(adjoint, adjoint[:0], every[at : at + B * H].reshape(B, H), exponents)
            total(adjoint, squares)
            settle(adjoint, adjoint[:0], squares, squares, exponents)
            if levels.size:
                levels[t - 1, r] = level(squares, exponents)
            if exact:
                for b in range(B):
                    arguments(decay[r], before + b if varying else 0, turn[r], drive[r], before + b, h, pre, b)
            deltas(adjoint, pre, h, before + B, activation)
            delta, adjoint = adjoint, delta
            if t > first or first == 1:
                carried_back(delta, decay[r], before, varying, turn[r], adjoint)
            restore(delta, exponents)
            gather(delta, h, before, varying, ddecay[r], dturn[r], ddrive[r])
        if first == 1:
            for b in range(B):
                for j in range(H):
                    dinitial[r, b, j] = adjoint[b, j]
                shift(dinitial[r, b], exponents[b])


@dataclass(frozen=True, eq=False)
class DiagonalSaved:
    """What `run` leaves to `run_back`: the arrays themselves, no copies."""

    decay: Array
    turn: Array
    drive: Array
    states: Array
    activation: int


def run(decay: Array, turn: Array, drive: Array, initial: Array, activation: str) -> DiagonalSaved:
    """All states of all sequences.

    Args:
        decay: (R, T·B, H), or (R, 1, H) where it is the same at every step.
        turn: (R, H), or (R, 0) where there is none.
        drive: (R, T·B, H).
        initial: h_0, (R, B, H).
        activation: one of `ACTIVATIONS`.

    Returns:
        With `states` (R, (T+1)·B, H), h_0 first.

    Raises:
        ValueError: a shape, type or activation does not fit.
    """
    R, B, H = initial.shape
    N = drive.shape[1]
    fits = drive.shape == (R, N, H) and N % B == 0 and N > 0
    if not fits or decay.shape not in ((R, N, H), (R, 1, H)) or turn.shape not in ((R, H), (R, 0)):
        shapes = ", ".join(str(array.shape) for array in (decay, turn, drive, initial))
        raise ValueError(f"kernel diagonal: shapes of decay, turn, drive, initial: {shapes} do not go together")
    types = {array.dtype for array in (decay, turn, drive, initial)}
    if len(types) > 1 or not types <= {np.dtype(np.float32), np.dtype(np.float64)}:
        given = ", ".join(sorted(map(str, types)))
        raise ValueError(f"kernel diagonal: types {given}; all float32, or all float64")
    if activation not in ACTIVATIONS:
        raise ValueError(f"kernel diagonal: no activation {activation!r} ({', '.join(ACTIVATIONS)})")
    states = np.empty((R, N + B, H), drive.dtype)
    states[:, :B] = initial
    saved = DiagonalSaved(plain(decay), plain(turn), plain(drive), states, ACTIVATIONS.index(activation))
    forward(saved.decay, saved.turn, saved.drive, states, saved.activation)
    return saved


def run_back(
    saved: DiagonalSaved, *, last: Array | None, every: Array | None, window: int, record: bool
) -> tuple[tuple[Any, ...], Array | None]:
    """The gradients of decay, turn, drive and h_0; and, with `record`, log₁₀ mean_b ‖B·∂L/∂h_t‖₂ as (T, R).

    Args:
        last: ∂L/∂h_T (R, B, H), or None.
        every: ∂L/∂h_t of the losses at every step, (T, R, B, H), or None.
        window: only the last K steps are visited; earlier states are constants, and their adjoints exact zeros.
        record: write the levels of the adjoints.
    """
    R, N, H = saved.drive.shape
    B = saved.states.shape[1] - N
    T = N // B
    dtype = saved.drive.dtype
    flat, strides = np.empty(0, dtype), (0, 0)
    if every is not None:
        flat, strides = plain(every).reshape(-1), (R * B * H, B * H)
    end = np.zeros((R, B, H), dtype) if last is None else plain(last)
    levels = np.full((T, R) if record else (0, 0), -np.inf)
    given = (saved.decay, saved.turn, saved.drive)
    gradients = (*(np.zeros_like(array) for array in given), np.zeros((R, B, H), dtype))
    first = max(1, T - window + 1)
    backward(*given, saved.states, saved.activation, end, flat, strides, first, gradients, levels)
    return gradients, levels if record else None


def warm_up(dtype: type[np.floating] = np.float32) -> None:
    """Compile these loops for `dtype`, or load them from the cache."""
    one = np.zeros((1, 1, 1), dtype)
    saved = run(one, np.zeros((1, 1), dtype), one.copy(), one.copy(), "identity")
    run_back(saved, last=one.copy(), every=None, window=1, record=True)
