"""The simple recurrent network (Elman, 1990),  h_t = f(W h_(t-1) + b_h + U x_t + b_x),  f = tanh or relu.

Its adjoint, with delta_t = f'(a_t) * dL/dh_t at the argument a_t:  dL/dh_(t-1) = W^T delta_t + the loss's own gradient
at t-1. Shapes and outputs: `interface.Kernel`. Arrays are per replica and flat over steps and sequences, (T B, H), so
that a step is a contiguous slice of B rows, and dW one product over many steps.
"""

import numpy as np

from .compiled import compiled
from .inputs import accumulated, add_rows, add_to_rows, copied, look_up, scatter, symbol_rows, transposed
from .interface import Kernel
from .nonlinearities import tanh, tanh_slope
from .scaling import arrive, level, restore, settle, shift


def saved_shapes(R, N, H, exact):
    """The shapes of what backward needs beside the states: in float64 the arguments a_t."""
    return ((R if exact else 0, N, H),)


@compiled
def activate(product, x, pre, relu):
    """x <- f(product + x), flat; `pre` keeps the argument unless it is empty."""
    for i in range(x.size):
        x[i] += product[i]
    for i in range(pre.size):
        pre[i] = x[i]
    if relu:
        zero = x.dtype.type(0)
        for i in range(x.size):
            x[i] = zero if x[i] <= zero else x[i]
    else:
        for i in range(x.size):
            x[i] = tanh(x[i])


@compiled
def forward(symbols, inputs, W, U, b_x, b_h, initial, states, saved, relu):
    """Fill `states` (h,) and `saved` (pre,)."""
    R, H, D = U.shape
    B = initial[0].shape[1]
    T = states[0].shape[1] // B - 1
    (pre,) = saved
    W_t = np.empty((H, H), W.dtype)
    table = np.empty((D + 1, H), W.dtype)
    bias = np.empty(H, W.dtype)
    product = np.empty((B, H), W.dtype)
    line = product.reshape(B * H)
    for r in range(R):
        h = states[0][r]
        flat_h = h.reshape(h.size)
        flat_pre = pre[r].reshape(T * B * H) if pre.size else flat_h[:0]
        copied(initial[0][r], h[:B])
        transposed(W[r], W_t)
        symbol_rows(U[r], table)
        for j in range(H):
            bias[j] = b_x[r, j] + b_h[r, j]
        if inputs.size:
            np.dot(inputs[r], table[:D], h[B:])
            add_to_rows(h[B:], bias)
        else:
            add_to_rows(table, bias)
        for t in range(1, T + 1):
            if not inputs.size:
                look_up(table, symbols[t - 1, r], h[t * B : (t + 1) * B])
            np.dot(h[(t - 1) * B : t * B], W_t, product)
            here = flat_h[t * B * H : (t + 1) * B * H]
            activate(line, here, flat_pre[(t - 1) * B * H : t * B * H], relu)


@compiled
def total(adjoint, squares):
    """squares <- the rows' sums of squares of dL/dh_t."""
    for b in range(squares.size):
        s = adjoint.dtype.type(0)
        for j in range(adjoint.shape[1]):
            s += adjoint[b, j] * adjoint[b, j]
        squares[b] = s


@compiled
def deltas(adjoint, pre, h, delta, relu):
    """delta <- f'(pre) * adjoint, with h = f(pre)."""
    B, H = adjoint.shape
    if relu:
        zero = adjoint.dtype.type(0)
        for b in range(B):
            for j in range(H):
                delta[b, j] = zero if h[b, j] <= zero else adjoint[b, j]
    else:
        for b in range(B):
            for j in range(H):
                delta[b, j] = adjoint[b, j] * tanh_slope(pre[b, j], h[b, j])


@compiled
def backward(
    symbols, inputs, W, U, states, saved, relu, last, every, strides, scales, carried, first, slots, gradients, levels
):
    """Fill `gradients`, from step T down to step `first`, and `levels` unless they are empty.

    The parameters' gradients are summed in chunks of `slots` steps. every[t-1, r] starts at (t-1, r) . strides. Rows of
    `last` are in units of 2**scales[r]; if `carried`, so is dL/d(initial state), and `scales` says of what.
    """
    dW, dU, db_x, db_h, dinitial, dx = gradients
    R, H, D = U.shape
    B = last[0].shape[1]
    T = states[0].shape[1] // B - 1
    (pre,) = saved
    delta = np.empty((slots * B, H), W.dtype)
    part = np.empty((H, H), W.dtype)
    part_U = np.empty((H, D), W.dtype)
    table = np.empty((D + 1, H), W.dtype)
    adjoint = np.empty((B, H), W.dtype)
    squares = np.empty(B, np.float64)
    for r in range(R - 1, -1, -1):  # forward's last replica first: it is still in the cache
        h = states[0][r]
        copied(last[0][r], adjoint)
        exponents = scales[r]
        table.fill(0)
        end = T
        while end >= first:
            start = max(first, end - slots + 1)
            for t in range(end, start - 1, -1):
                out = delta[(t - start) * B : (t - start + 1) * B]
                now = h[t * B : (t + 1) * B]
                if every.size:
                    at = (t - 1) * strides[0] + r * strides[1]
                    arrive(adjoint, adjoint[:0], every[at : at + B * H].reshape(B, H), exponents)
                total(adjoint, squares)
                settle(adjoint, adjoint[:0], squares, squares, exponents)
                if levels[0].size:
                    levels[0][t - 1, r] = level(squares, exponents)
                deltas(adjoint, pre[r][(t - 1) * B : t * B] if pre.size else now, now, out, relu)
                if t > first or first == 1:
                    np.dot(out, W[r], adjoint)
                restore(out, exponents)
                if inputs.size:
                    add_rows(out, db_x[r])
                else:
                    scatter(out, symbols[t - 1, r], table)
            past = slice((start - 1) * B, end * B)
            chunk = delta[: (end - start + 1) * B]
            np.dot(chunk.T, h[past], part)
            accumulated(part, dW[r])
            if inputs.size:
                np.dot(chunk.T, inputs[r][past], part_U)
                accumulated(part_U, dU[r])
            if dx.size:
                np.dot(chunk, U[r], dx[r][past])
            end = start - 1
        if not inputs.size:
            transposed(table[:-1], dU[r])
            add_rows(table, db_x[r])
        copied(db_x[r : r + 1], db_h[r : r + 1])
        if first == 1:
            copied(adjoint, dinitial[0][r])
            for b in range(0 if carried else B):
                shift(dinitial[0][r, b], exponents[b])


KERNEL = Kernel("rnn", 1, 1, ("tanh", "relu"), saved_shapes, forward, backward)
