"""The gated recurrent unit (Cho et al., 2014) as torch has it, with the reset gate after the matrix product:

    r, z = sigmoid(W h_(t-1) + b_h + U x_t + b_x),   m = W_n h_(t-1) + b_hn,   n = tanh(U_n x_t + b_xn + r m),
    h_t = (1 - z) n + z h_(t-1).

The total adjoint:  dL/dh_(t-1) = W^T (delta_r, delta_z, r delta_n) + z dL/dh_t + the loss's own gradient, where the
deltas are the adjoints of the three arguments. Shapes and outputs: `interface.Kernel`; layout: `rnn` and `lstm`.
"""

import numpy as np

from .compiled import compiled
from .inputs import accumulated, add_rows, add_to_rows, copied, halved, look_up, scatter, symbol_rows, transposed
from .interface import Kernel
from .nonlinearities import complement, gate, gate_slope, sigmoid, tanh, tanh_slope
from .scaling import arrive, level, restore, settle, shift

RESET, Z, N = range(3)  # torch's order


def saved_shapes(R, N, H, exact):
    """The shapes of what backward needs beside the states: r and z, n, m; in float64 the arguments of r, z and n."""
    return (R, N, 2, H), (R, N, H), (R, N, H), (R if exact else 0, N, 2, H), (R if exact else 0, N, H)


@compiled
def squash(product, gates, flat_gates, flat_pre):
    """r, z <- sigmoid(product + gates); in float64 `flat_pre` keeps the argument."""
    B, _, H = product.shape
    for b in range(B):
        for j in range(H):
            gates[b, RESET, j] += product[b, RESET, j]
    for b in range(B):
        for j in range(H):
            gates[b, Z, j] += product[b, Z, j]
    if gates.itemsize == 4:
        for i in range(flat_gates.size):
            flat_gates[i] = tanh(flat_gates[i])
    else:
        for i in range(flat_gates.size):
            flat_pre[i] = flat_gates[i]
            flat_gates[i] = sigmoid(flat_gates[i])


@compiled
def step(product, bias, gates, pre, m, n, flat_n, flat_pre_n, h_before, h):
    """m <- product + bias;  n <- tanh(n + r m);  h <- (1 - z) n + z h_before."""
    B, H = h.shape
    for b in range(B):
        for j in range(H):
            m[b, j] = product[b, N, j] + bias[j]
    for b in range(B):
        for j in range(H):
            n[b, j] += gate(gates[b, RESET, j]) * m[b, j]
    for i in range(flat_pre_n.size):
        flat_pre_n[i] = flat_n[i]
    for i in range(flat_n.size):
        flat_n[i] = tanh(flat_n[i])
    for b in range(B):
        for j in range(H):
            z = gates[b, Z, j]
            h[b, j] = complement(pre[b, Z, j], z) * n[b, j] + gate(z) * h_before[b, j]


@compiled
def forward(symbols, inputs, W, U, b_x, b_h, initial, states, saved, relu):
    """Fill `states` (h,) and `saved` (gates, n, m, pre, pre_n)."""
    R, GH, D = U.shape
    B, H = initial[0].shape[1:]
    T = states[0].shape[1] // B - 1
    W_t = np.empty((H, GH), W.dtype)
    table = np.empty((D + 1, GH), W.dtype)
    bias = np.empty((1, GH), W.dtype)
    product = np.empty((B, 3, H), W.dtype)
    product_rows = product.reshape(B, GH)
    for r in range(R):
        h, gates, n, m = states[0][r], saved[0][r], saved[1][r], saved[2][r]
        rows = gates.reshape(T * B, 2 * H)
        flat_gates, flat_n = gates.reshape(gates.size), n.reshape(n.size)
        b_m = b_h[r, 2 * H :]
        exact = saved[3].size > 0
        pre = saved[3][r] if exact else gates
        flat_pre = pre.reshape(pre.size) if exact else flat_gates[:0]
        flat_pre_n = saved[4][r].reshape(n.size) if exact else flat_n[:0]
        copied(initial[0][r], h[:B])
        transposed(W[r], W_t)
        symbol_rows(U[r], table)
        for j in range(GH):
            bias[0, j] = b_x[r, j] + b_h[r, j] if j < 2 * H else b_x[r, j]
        halved(W_t, 0, 2 * H)
        halved(table, 0, 2 * H)
        halved(bias, 0, 2 * H)
        if not inputs.size:
            add_to_rows(table, bias[0])
        gates_table, n_table = table[:, : 2 * H].copy(), table[:, 2 * H :].copy()
        if inputs.size:
            np.dot(inputs[r], gates_table[:D], rows)
            np.dot(inputs[r], n_table[:D], n)
            add_to_rows(rows, bias[0, : 2 * H])
            add_to_rows(n, bias[0, 2 * H :])
        for t in range(T):
            old, new = slice(t * B, (t + 1) * B), slice((t + 1) * B, (t + 2) * B)
            if not inputs.size:
                look_up(gates_table, symbols[t, r], rows[old])
                look_up(n_table, symbols[t, r], n[old])
            np.dot(h[old], W_t, product_rows)
            two, one = slice(t * B * 2 * H, (t + 1) * B * 2 * H), slice(t * B * H, (t + 1) * B * H)
            squash(product, gates[old], flat_gates[two], flat_pre[two])
            step(product, b_m, gates[old], pre[old], m[old], n[old], flat_n[one], flat_pre_n[one], h[old], h[new])


@compiled
def total(adjoint, carry, squares):
    """adjoint <- adjoint + carry, dL/dh_t on all paths; and the rows' sums of squares."""
    for b in range(squares.size):
        s = adjoint.dtype.type(0)
        for j in range(adjoint.shape[1]):
            v = adjoint[b, j] + carry[b, j]
            adjoint[b, j] = v
            s += v * v
        squares[b] = s


@compiled
def deltas(adjoint, gates, pre, n, pre_n, m, h_before, delta_x, delta_h, carry):
    """delta_x, delta_h <- the adjoints of the gates' arguments, to the input's side and to the state's; carry <- z dh.

    One loop for each gate: a loop that writes to two blocks of an array is not vectorised.
    """
    B, H = adjoint.shape
    for b in range(B):
        for j in range(H):
            slope = complement(pre[b, Z, j], gates[b, Z, j]) * tanh_slope(pre_n[b, j], n[b, j])
            delta_x[b, N, j] = adjoint[b, j] * slope
    for b in range(B):
        for j in range(H):
            slope = gate_slope(pre[b, RESET, j], gates[b, RESET, j])
            delta_x[b, RESET, j] = delta_x[b, N, j] * m[b, j] * slope
    for b in range(B):
        for j in range(H):
            slope = gate_slope(pre[b, Z, j], gates[b, Z, j])
            delta_x[b, Z, j] = adjoint[b, j] * (h_before[b, j] - n[b, j]) * slope
    for b in range(B):
        for j in range(H):
            delta_h[b, RESET, j] = delta_x[b, RESET, j]
    for b in range(B):
        for j in range(H):
            delta_h[b, Z, j] = delta_x[b, Z, j]
    for b in range(B):
        for j in range(H):
            delta_h[b, N, j] = delta_x[b, N, j] * gate(gates[b, RESET, j])
    for b in range(B):
        for j in range(H):
            carry[b, j] = adjoint[b, j] * gate(gates[b, Z, j])


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
    delta_x = np.empty((slots * B, 3, H), W.dtype)
    delta_h = np.empty((slots * B, 3, H), W.dtype)
    rows_x = delta_x.reshape(slots * B, GH)
    rows_h = delta_h.reshape(slots * B, GH)
    part = np.empty((GH, H), W.dtype)
    part_U = np.empty((GH, D), W.dtype)
    table = np.empty((D + 1, GH), W.dtype)
    adjoint = np.empty((B, H), W.dtype)
    carry = np.empty((B, H), W.dtype)
    squares = np.empty(B, np.float64)
    for r in range(R - 1, -1, -1):  # forward's last replica first: it is still in the cache
        h, gates, n, m = states[0][r], saved[0][r], saved[1][r], saved[2][r]
        pre, pre_n = (saved[3][r], saved[4][r]) if saved[3].size else (gates, n)
        copied(last[0][r], adjoint)
        carry.fill(0)
        exponents = scales[r]
        table.fill(0)
        end = T
        while end >= first:
            start = max(first, end - slots + 1)
            for t in range(end, start - 1, -1):
                old, here = slice((t - 1) * B, t * B), slice((t - start) * B, (t - start + 1) * B)
                if every.size:
                    at = (t - 1) * strides[0] + r * strides[1]
                    arrive(adjoint, carry, every[at : at + B * H].reshape(B, H), exponents)
                total(adjoint, carry, squares)
                settle(adjoint, adjoint[:0], squares, squares, exponents)
                if levels[0].size:
                    levels[0][t - 1, r] = level(squares, exponents)
                to_x, to_h = delta_x[here], delta_h[here]
                deltas(adjoint, gates[old], pre[old], n[old], pre_n[old], m[old], h[old], to_x, to_h, carry)
                if t > first or first == 1:
                    np.dot(rows_h[here], W[r], adjoint)
                restore(rows_x[here], exponents)
                restore(rows_h[here], exponents)
                add_rows(rows_h[here], db_h[r])
                if inputs.size:
                    add_rows(rows_x[here], db_x[r])
                else:
                    scatter(rows_x[here], symbols[t - 1, r], table)
            past = slice((start - 1) * B, end * B)
            chunk = rows_x[: (end - start + 1) * B]
            np.dot(rows_h[: (end - start + 1) * B].T, h[past], part)
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
        if first == 1:
            for b in range(B):
                for j in range(H):
                    dinitial[0][r, b, j] = adjoint[b, j] + carry[b, j]
                if not carried:
                    shift(dinitial[0][r, b], exponents[b])


KERNEL = Kernel("gru", 3, 1, ("tanh",), saved_shapes, forward, backward)
