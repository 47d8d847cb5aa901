import numpy as np

from .compiled import compiled
from .inputs import add_rows, look_up, rows_of_symbols, scatter, transposed
from .nonlinearities import tanh, tanh_slope
from .scaling import arrive, level, restore, settle, shift


@compiled
def activate(product, x, pre, relu):
    """x <- f(product + x), flat; `pre`, unless it is empty, keeps the argument."""
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
def forward(symbols, inputs, W, U, b_x, b_h, h0, h, pre, relu):
    R, H, D = U.shape
    B = h0.shape[1]
    T = h.shape[1] // B - 1
    W_t = np.empty((H, H), W.dtype)
    U_t = np.empty((D, H), W.dtype)
    table = np.empty((D + 1, H), W.dtype)
    product = np.empty((B, H), W.dtype)
    flat = product.reshape(B * H)
    for r in range(R):
        transposed(W[r], W_t)
        bias = b_x[r] + b_h[r]
        states = h[r]
        line = states.reshape(states.size)
        kept = pre[r].reshape(pre[r].size) if pre.size else line[:0]
        states[:B] = h0[r]
        if inputs.size:
            transposed(U[r], U_t)
            np.dot(inputs[r], U_t, states[B:])
            for k in range(B, (T + 1) * B):
                for j in range(H):
                    states[k, j] += bias[j]
        else:
            rows_of_symbols(U[r], bias, table)
        for t in range(1, T + 1):
            now = states[t * B : (t + 1) * B]
            if not inputs.size:
                look_up(table, symbols[t - 1, r], now)
            np.dot(states[(t - 1) * B : t * B], W_t, product)
            activate(flat, line[t * B * H : (t + 1) * B * H], kept[(t - 1) * B * H : t * B * H], relu)


@compiled
def total(adjoint, squares):
    """squares <- the rows' sums of squares."""
    for b in range(squares.size):
        s = adjoint.dtype.type(0)
        for j in range(adjoint.shape[1]):
            s += adjoint[b, j] * adjoint[b, j]
        squares[b] = s


@compiled
def deltas(adjoint, z, y, delta, relu):
    """delta <- adjoint f'(z), with y = f(z)."""
    B, H = adjoint.shape
    if relu:
        zero = adjoint.dtype.type(0)
        for b in range(B):
            for j in range(H):
                delta[b, j] = zero if y[b, j] <= zero else adjoint[b, j]
    else:
        for b in range(B):
            for j in range(H):
                delta[b, j] = adjoint[b, j] * tanh_slope(z[b, j], y[b, j])


@compiled
def backward(symbols, inputs, W, U, h, pre, last, every, stride_t, stride_r, first, record, relu, slots,
             dW, dU, db, dh0, dx, log10_adjoint):
    R, H, D = U.shape
    B = last.shape[1]
    T = h.shape[1] // B - 1
    delta = np.empty((slots * B, H), W.dtype)
    part = np.empty((H, H), W.dtype)
    part_U = np.empty((H, D), W.dtype)
    table = np.empty((D + 1, H), W.dtype)
    adjoint = np.empty((B, H), W.dtype)
    squares = np.empty(B, np.float64)
    exponents = np.empty(B, np.int64)
    for r in range(R):
        states = h[r]
        adjoint[:] = last[r]
        exponents[:] = 0
        table[:] = 0
        end = T
        while end >= first:
            start = max(first, end - slots + 1)
            for t in range(end, start - 1, -1):
                y = states[t * B : (t + 1) * B]
                z = pre[r][(t - 1) * B : t * B] if pre.size else y
                out = delta[(t - start) * B : (t - start + 1) * B]
                if every.size:
                    offset = (t - 1) * stride_t + r * stride_r
                    arrive(adjoint, adjoint[:0], every, offset, exponents)
                total(adjoint, squares)
                settle(adjoint, adjoint[:0], squares, squares, exponents)
                deltas(adjoint, z, y, out, relu)
                if record:
                    log10_adjoint[t - 1, r] = level(squares, exponents)
                if t > first or first == 1:
                    np.dot(out, W[r], adjoint)
                restore(out, exponents)
                if inputs.size:
                    add_rows(out, db[r])
                else:
                    scatter(out, symbols[t - 1, r], table)
            used = delta[: (end - start + 1) * B]
            np.dot(used.T, states[(start - 1) * B : end * B], part)
            dW[r] += part
            if inputs.size:
                np.dot(used.T, inputs[r][(start - 1) * B : end * B], part_U)
                dU[r] += part_U
            if dx.size:
                np.dot(used, U[r], dx[r][(start - 1) * B : end * B])
            end = start - 1
        if not inputs.size:
            transposed(table[:-1], dU[r])
            add_rows(table, db[r])
        if first == 1:
            dh0[r] = adjoint
            for b in range(B):
                shift(dh0[r, b], exponents[b])
