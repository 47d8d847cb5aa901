import numpy as np

from .compiled import compiled
from .inputs import add_rows, halved, look_up, rows_of_symbols, scatter, transposed
from .nonlinearities import complement, gate, gate_slope, sigmoid, tanh, tanh_slope
from .scaling import arrive, level, restore, settle, shift

Re, Z, N = range(3)  # torch's order


@compiled
def squash(product, gates, flat_gates, pre):
    """r, z <- sigmoid(product + gates); in float64 `pre` keeps the argument."""
    B, _, H = product.shape
    for b in range(B):
        for j in range(H):
            gates[b, Re, j] += product[b, Re, j]
    for b in range(B):
        for j in range(H):
            gates[b, Z, j] += product[b, Z, j]
    for i in range(pre.size):
        pre[i] = flat_gates[i]
    if gates.itemsize == 4:
        for i in range(flat_gates.size):
            flat_gates[i] = tanh(flat_gates[i])
    else:
        for i in range(flat_gates.size):
            flat_gates[i] = sigmoid(flat_gates[i])


@compiled
def step(product, bias, gates, pre, m, n, flat_n, pre_n, h_before, h):
    """m <- W_n h + b_hn;  n <- tanh(n + r m);  h <- (1 - z) n + z h."""
    B, H = h.shape
    for b in range(B):
        for j in range(H):
            m[b, j] = product[b, N, j] + bias[j]
    for b in range(B):
        for j in range(H):
            n[b, j] += gate(gates[b, Re, j]) * m[b, j]
    for i in range(pre_n.size):
        pre_n[i] = flat_n[i]
    for i in range(flat_n.size):
        flat_n[i] = tanh(flat_n[i])
    for b in range(B):
        for j in range(H):
            z = gates[b, Z, j]
            h[b, j] = complement(pre[b, Z, j], z) * n[b, j] + gate(z) * h_before[b, j]


@compiled
def forward(symbols, inputs, W, U, b_x, b_h, h0, h, gates, m, n, pre, pre_n):
    R, width, D = U.shape
    B, H = h0.shape[1:]
    T = h.shape[1] // B - 1
    W_t = np.empty((H, width), W.dtype)
    table = np.empty((D + 1, width), W.dtype)
    gates_table = np.empty((D + 1, 2 * H), W.dtype)
    n_table = np.empty((D + 1, H), W.dtype)
    product = np.empty((B, 3, H), W.dtype)
    rows = product.reshape(B, width)
    for r in range(R):
        transposed(W[r], W_t)
        halved(W_t, 0, 2 * H)
        bias = b_x[r].copy()
        bias[: 2 * H] += b_h[r, : 2 * H]
        rows_of_symbols(U[r], bias, table)
        halved(table, 0, 2 * H)
        gates_table[:] = table[:, : 2 * H]
        n_table[:] = table[:, 2 * H :]
        hs, gs, ns, ms = h[r], gates[r], n[r], m[r]
        lines = gs.reshape(T * B, 2 * H)
        flat_gates, flat_n = gs.reshape(gs.size), ns.reshape(ns.size)
        kept = pre[r].reshape(gs.size) if pre.size else flat_gates[:0]
        kept_n = pre_n[r].reshape(ns.size) if pre.size else flat_n[:0]
        arguments = pre[r] if pre.size else gs
        hs[:B] = h0[r]
        if inputs.size:
            # U and the biases of the table, once more: its rows less the last are U^T, in the gates' scale
            for k in range(D):
                gates_table[k] -= gates_table[D]
                n_table[k] -= n_table[D]
            np.dot(inputs[r], gates_table[:D], lines)
            np.dot(inputs[r], n_table[:D], ns)
            for k in range(T * B):
                for j in range(2 * H):
                    lines[k, j] += gates_table[D, j]
                for j in range(H):
                    ns[k, j] += n_table[D, j]
        for t in range(T):
            old = slice(t * B, (t + 1) * B)
            if not inputs.size:
                look_up(gates_table, symbols[t, r], lines[old])
                look_up(n_table, symbols[t, r], ns[old])
            np.dot(hs[old], W_t, rows)
            two, one = slice(t * B * 2 * H, (t + 1) * B * 2 * H), slice(t * B * H, (t + 1) * B * H)
            squash(product, gs[old], flat_gates[two], kept[two])
            step(product, b_h[r, 2 * H :], gs[old], arguments[old], ms[old], ns[old], flat_n[one], kept_n[one], hs[old],
                 hs[(t + 1) * B : (t + 2) * B])


@compiled
def total(adjoint, carry, squares):
    """adjoint <- adjoint + carry: dL/dh_t on all paths; and the rows' sums of squares."""
    for b in range(squares.size):
        s = adjoint.dtype.type(0)
        for j in range(adjoint.shape[1]):
            v = adjoint[b, j] + carry[b, j]
            adjoint[b, j] = v
            s += v * v
        squares[b] = s


@compiled
def deltas(adjoint, gates, pre, m, n, pre_n, h_before, delta_x, delta_h, carry):
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
            delta_x[b, Re, j] = delta_x[b, N, j] * m[b, j] * gate_slope(pre[b, Re, j], gates[b, Re, j])
    for b in range(B):
        for j in range(H):
            slope = gate_slope(pre[b, Z, j], gates[b, Z, j])
            delta_x[b, Z, j] = adjoint[b, j] * (h_before[b, j] - n[b, j]) * slope
    for b in range(B):
        for j in range(H):
            delta_h[b, Re, j] = delta_x[b, Re, j]
    for b in range(B):
        for j in range(H):
            delta_h[b, Z, j] = delta_x[b, Z, j]
    for b in range(B):
        for j in range(H):
            delta_h[b, N, j] = delta_x[b, N, j] * gate(gates[b, Re, j])
    for b in range(B):
        for j in range(H):
            carry[b, j] = adjoint[b, j] * gate(gates[b, Z, j])


@compiled
def backward(symbols, inputs, W, U, h, gates, m, n, pre, pre_n, last, every, stride_t, stride_r, first, record, slots,
             dW, dU, db_x, db_h, dh0, dx, log10_adjoint):
    R, width, D = U.shape
    B, H = last.shape[1:]
    T = h.shape[1] // B - 1
    delta_x = np.empty((slots * B, 3, H), W.dtype)
    delta_h = np.empty((slots * B, 3, H), W.dtype)
    rows_x = delta_x.reshape(slots * B, width)
    rows_h = delta_h.reshape(slots * B, width)
    part = np.empty((width, H), W.dtype)
    part_U = np.empty((width, D), W.dtype)
    table = np.empty((D + 1, width), W.dtype)
    adjoint = np.empty((B, H), W.dtype)
    carry = np.empty((B, H), W.dtype)
    squares = np.empty(B, np.float64)
    exponents = np.empty(B, np.int64)
    for r in range(R - 1, -1, -1):
        hs, gs, ms, ns = h[r], gates[r], m[r], n[r]
        arguments, arguments_n = (pre[r], pre_n[r]) if pre.size else (gs, ns)
        adjoint[:] = last[r]
        carry[:] = 0
        exponents[:] = 0
        table[:] = 0
        end = T
        while end >= first:
            start = max(first, end - slots + 1)
            for t in range(end, start - 1, -1):
                here = slice((t - start) * B, (t - start + 1) * B)
                old = slice((t - 1) * B, t * B)
                if every.size:
                    arrive(adjoint, carry, every, (t - 1) * stride_t + r * stride_r, exponents)
                total(adjoint, carry, squares)
                settle(adjoint, adjoint[:0], squares, squares, exponents)
                deltas(adjoint, gs[old], arguments[old], ms[old], ns[old], arguments_n[old], hs[old],
                       delta_x[here], delta_h[here], carry)
                if record:
                    log10_adjoint[t - 1, r] = level(squares, exponents)
                if t > first or first == 1:
                    np.dot(rows_h[here], W[r], adjoint)
                restore(rows_x[here], exponents)
                restore(rows_h[here], exponents)
                add_rows(rows_h[here], db_h[r])
                if inputs.size:
                    add_rows(rows_x[here], db_x[r])
                else:
                    scatter(rows_x[here], symbols[t - 1, r], table)
            used = rows_x[: (end - start + 1) * B]
            np.dot(rows_h[: (end - start + 1) * B].T, hs[(start - 1) * B : end * B], part)
            dW[r] += part
            if inputs.size:
                np.dot(used.T, inputs[r][(start - 1) * B : end * B], part_U)
                dU[r] += part_U
            if dx.size:
                np.dot(used, U[r], dx[r][(start - 1) * B : end * B])
            end = start - 1
        if not inputs.size:
            transposed(table[:-1], dU[r])
            add_rows(table, db_x[r])
        if first == 1:
            for b in range(B):
                for j in range(H):
                    dh0[r, b, j] = adjoint[b, j] + carry[b, j]
                shift(dh0[r, b], exponents[b])
