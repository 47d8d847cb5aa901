"""The long short-term memory (Hochreiter & Schmidhuber, 1997, with the forget gate of Gers et al., 2000), as in torch:

    i, f, o = sigmoid(W h_(t-1) + b_h + U x_t + b_x),  g = tanh(the same);  c_t = f c_(t-1) + i g,  h_t = o tanh(c_t).

The total adjoints:  dL/dc_t = f_(t+1) dL/dc_(t+1) + o_t (1 - tanh(c_t)^2) dL/dh_t,  and dL/dh_(t-1) = W^T delta_t + the
loss's own gradient, where delta_t are the adjoints of the four arguments. Both adjoints of a row share one exponent.
Shapes and outputs: `interface.Kernel`; layout: `rnn`. Gates are (T B, 4, H): with the gate as an axis the compiler sees
that an index cannot be negative, and vectorises.
"""

import numpy as np

from .compiled import compiled
from .inputs import accumulated, add_rows, add_to_rows, copied, halved, look_up, scatter, symbol_rows, transposed
from .interface import Kernel
from .nonlinearities import gate, gate_slope, sigmoid, tanh, tanh_slope
from .scaling import arrive, level, restore, settle, shift

I, F, G, O = range(4)  # noqa: E741 - the papers' names, in torch's order


def saved_shapes(R, N, H, exact):
    """The shapes of what backward needs beside the states: the gates, and in float64 their arguments."""
    return (R, N, 4, H), (R if exact else 0, N, 4, H)


@compiled
def halve_gates(matrix, H):
    """`halved` for the columns of i, f and o."""
    halved(matrix, 0, 2 * H)
    halved(matrix, 3 * H, 4 * H)


@compiled
def squash(product, x, pre, H):
    """x <- (sigmoid, sigmoid, tanh, sigmoid)(product + x), flat; in float64 `pre` keeps the argument."""
    if x.itemsize == 4:
        for i in range(x.size):
            x[i] = tanh(x[i] + product[i])
    else:
        for i in range(x.size):
            x[i] += product[i]
            pre[i] = x[i]
        for i in range(x.size):
            x[i] = tanh(x[i]) if i // H % 4 == G else sigmoid(x[i])


@compiled
def step(gates, c_before, c, h, flat_c, tanh_c, flat_tanh):
    """c <- f c_before + i g;  h <- o tanh(c)."""
    B, H = h.shape
    for b in range(B):
        for j in range(H):
            c[b, j] = gate(gates[b, F, j]) * c_before[b, j] + gate(gates[b, I, j]) * gates[b, G, j]
    for i in range(flat_c.size):
        flat_tanh[i] = tanh(flat_c[i])
    for b in range(B):
        for j in range(H):
            h[b, j] = gate(gates[b, O, j]) * tanh_c[b, j]


@compiled
def forward(symbols, inputs, W, U, b_x, b_h, initial, states, saved, relu):
    """Fill `states` (h, c) and `saved` (gates, pre)."""
    R, GH, D = U.shape
    B, H = initial[0].shape[1:]
    T = states[0].shape[1] // B - 1
    W_t = np.empty((H, GH), W.dtype)
    table = np.empty((D + 1, GH), W.dtype)
    bias = np.empty((1, GH), W.dtype)
    product = np.empty((B, GH), W.dtype)
    line = product.reshape(B * GH)
    tanh_c = np.empty((B, H), W.dtype)
    flat_tanh = tanh_c.reshape(B * H)
    for r in range(R):
        h, c, gates, pre = states[0][r], states[1][r], saved[0][r], saved[1]
        rows = gates.reshape(T * B, GH)
        flat_c, flat_gates = c.reshape(c.size), gates.reshape(gates.size)
        flat_pre = pre[r].reshape(gates.size) if pre.size else flat_gates[:0]
        copied(initial[0][r], h[:B])
        copied(initial[1][r], c[:B])
        transposed(W[r], W_t)
        symbol_rows(U[r], table)
        for j in range(GH):
            bias[0, j] = b_x[r, j] + b_h[r, j]
        halve_gates(W_t, H)
        halve_gates(table, H)
        halve_gates(bias, H)
        if inputs.size:
            np.dot(inputs[r], table[:D], rows)
            add_to_rows(rows, bias[0])
        else:
            add_to_rows(table, bias[0])
        for t in range(T):
            old, new = slice(t * B, (t + 1) * B), slice((t + 1) * B, (t + 2) * B)
            if not inputs.size:
                look_up(table, symbols[t, r], rows[old])
            np.dot(h[old], W_t, product)
            here = slice(t * B * GH, (t + 1) * B * GH)
            squash(line, flat_gates[here], flat_pre[here], H)
            step(gates[old], c[old], c[new], h[new], flat_c[(t + 1) * B * H : (t + 2) * B * H], tanh_c, flat_tanh)


@compiled
def total(adjoint, cell, gates, c, tanh_c, squares, squares_cell):
    """cell <- cell + adjoint o (1 - tanh(c)^2), dL/dc_t on both paths; and the rows' sums of squares."""
    zero = adjoint.dtype.type(0)
    for b in range(squares.size):
        s = zero
        q = zero
        for j in range(adjoint.shape[1]):
            v = adjoint[b, j]
            w = cell[b, j] + v * gate(gates[b, O, j]) * tanh_slope(c[b, j], tanh_c[b, j])
            cell[b, j] = w
            s += v * v
            q += w * w
        squares[b] = s
        squares_cell[b] = q


@compiled
def deltas(adjoint, cell, gates, pre, c_before, tanh_c, delta):
    """delta <- the adjoints of the gates' arguments; cell <- cell f, its share of dL/dc_(t-1).

    One loop for each gate: a loop that writes to two blocks of an array is not vectorised.
    """
    B, H = adjoint.shape
    for b in range(B):
        for j in range(H):
            delta[b, I, j] = cell[b, j] * gates[b, G, j] * gate_slope(pre[b, I, j], gates[b, I, j])
    for b in range(B):
        for j in range(H):
            delta[b, G, j] = cell[b, j] * gate(gates[b, I, j]) * tanh_slope(pre[b, G, j], gates[b, G, j])
    for b in range(B):
        for j in range(H):
            w = cell[b, j]
            delta[b, F, j] = w * c_before[b, j] * gate_slope(pre[b, F, j], gates[b, F, j])
            cell[b, j] = w * gate(gates[b, F, j])
    for b in range(B):
        for j in range(H):
            delta[b, O, j] = adjoint[b, j] * tanh_c[b, j] * gate_slope(pre[b, O, j], gates[b, O, j])


@compiled
def backward(
    symbols, inputs, W, U, states, saved, relu, last, every, strides, scales, carried, first, slots, gradients, levels
):
    """Fill `gradients`, from step T down to step `first`, and `levels` unless they are empty.

    The parameters' gradients are summed in chunks of `slots` steps. every[t-1, r] starts at (t-1, r) . strides. Rows of
    `last` are in units of 2**scales[r]; if `carried`, so is dL/d(initial state), and `scales` says of what.
    """
    dW, dU, db_x, db_h, dinitial, dx = gradients
    R, GH, D = U.shape
    B, H = last[0].shape[1:]
    T = states[0].shape[1] // B - 1
    delta = np.empty((slots * B, 4, H), W.dtype)
    rows = delta.reshape(slots * B, GH)
    part = np.empty((GH, H), W.dtype)
    part_U = np.empty((GH, D), W.dtype)
    table = np.empty((D + 1, GH), W.dtype)
    adjoint = np.empty((B, H), W.dtype)
    cell = np.empty((B, H), W.dtype)
    tanh_c = np.empty((B, H), W.dtype)
    flat_tanh = tanh_c.reshape(B * H)
    squares = np.empty(B, np.float64)
    squares_cell = np.empty(B, np.float64)
    for r in range(R - 1, -1, -1):  # forward's last replica first: it is still in the cache
        h, c, gates = states[0][r], states[1][r], saved[0][r]
        pre = saved[1][r] if saved[1].size else gates
        flat_c = c.reshape(c.size)
        copied(last[0][r], adjoint)
        copied(last[1][r], cell)
        exponents = scales[r]
        table.fill(0)
        end = T
        while end >= first:
            start = max(first, end - slots + 1)
            for t in range(end, start - 1, -1):
                old, here = slice((t - 1) * B, t * B), slice((t - start) * B, (t - start + 1) * B)
                if every.size:
                    at = (t - 1) * strides[0] + r * strides[1]
                    arrive(adjoint, cell, every[at : at + B * H].reshape(B, H), exponents)
                now = flat_c[t * B * H : (t + 1) * B * H]
                for i in range(B * H):  # again, for a read from memory costs no less
                    flat_tanh[i] = tanh(now[i])
                total(adjoint, cell, gates[old], c[t * B : (t + 1) * B], tanh_c, squares, squares_cell)
                settle(adjoint, cell, squares, squares_cell, exponents)
                if levels[0].size:
                    levels[0][t - 1, r] = level(squares, exponents)
                    levels[1][t - 1, r] = level(squares_cell, exponents)
                deltas(adjoint, cell, gates[old], pre[old], c[old], tanh_c, delta[here])
                out = rows[here]
                if t > first or first == 1:
                    np.dot(out, W[r], adjoint)
                restore(out, exponents)
                if inputs.size:
                    add_rows(out, db_x[r])
                else:
                    scatter(out, symbols[t - 1, r], table)
            past = slice((start - 1) * B, end * B)
            chunk = rows[: (end - start + 1) * B]
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
            copied(cell, dinitial[1][r])
            for b in range(0 if carried else B):
                shift(dinitial[0][r, b], exponents[b])
                shift(dinitial[1][r, b], exponents[b])


KERNEL = Kernel("lstm", 4, 2, ("tanh",), saved_shapes, forward, backward)
