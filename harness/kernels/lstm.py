import numpy as np

from .compiled import compiled
from .inputs import add_rows, halved, look_up, rows_of_symbols, scatter, transposed
from .nonlinearities import gate, gate_slope, sigmoid, tanh, tanh_slope
from .scaling import arrive, level, restore, settle, shift

I, F, G, O = range(4)  # noqa: E741 - the papers' names; torch's order


@compiled
def halve_gates(matrix, H):
    """Halve the columns of i, f and o, in float32."""
    halved(matrix, 0, 2 * H)
    halved(matrix, 3 * H, 4 * H)


@compiled
def squash(product, x, pre, H):
    """x <- (sigmoid, sigmoid, tanh, sigmoid)(product + x); all flat; in float64 `pre` keeps the argument."""
    if x.itemsize == 4:
        for i in range(x.size):
            x[i] = tanh(x[i] + product[i])
        return
    for i in range(x.size):
        x[i] += product[i]
        pre[i] = x[i]
    for start in range(0, x.size, 4 * H):
        for j in range(start, start + 4 * H):
            x[j] = tanh(x[j]) if start + 2 * H <= j < start + 3 * H else sigmoid(x[j])


@compiled
def step(gates, c_before, c, h, flat_c, flat_tanh, tanh_c):
    """c <- f c + i g;  h <- o tanh(c)."""
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
def forward(symbols, inputs, W, U, b_x, b_h, h0, c0, h, c, gates, pre):
    R, width, D = U.shape
    B, H = h0.shape[1:]
    T = h.shape[1] // B - 1
    W_t = np.empty((H, width), W.dtype)
    U_t = np.empty((D, width), W.dtype)
    table = np.empty((D + 1, width), W.dtype)
    product = np.empty((B, width), W.dtype)
    flat_product = product.reshape(B * width)
    tanh_c = np.empty((B, H), W.dtype)
    flat_tanh = tanh_c.reshape(B * H)
    for r in range(R):
        transposed(W[r], W_t)
        halve_gates(W_t, H)
        bias = b_x[r] + b_h[r]
        rows_of_symbols(U[r], bias, table)
        halve_gates(table, H)
        hs, cs, gs = h[r], c[r], gates[r]
        lines = gs.reshape(T * B, width)
        flat_c = cs.reshape(cs.size)
        flat_gates = gs.reshape(gs.size)
        kept = pre[r].reshape(pre[r].size) if pre.size else flat_gates[:0]
        hs[:B] = h0[r]
        cs[:B] = c0[r]
        if inputs.size:
            transposed(U[r], U_t)
            halve_gates(U_t, H)
            np.dot(inputs[r], U_t, lines)
            for k in range(T * B):
                for j in range(width):
                    lines[k, j] += table[D, j]
        for t in range(T):
            old = slice(t * B, (t + 1) * B)
            new = slice((t + 1) * B, (t + 2) * B)
            if not inputs.size:
                look_up(table, symbols[t, r], lines[old])
            np.dot(hs[old], W_t, product)
            here = slice(t * B * width, (t + 1) * B * width)
            squash(flat_product, flat_gates[here], kept[here], H)
            step(gs[old], cs[old], cs[new], hs[new], flat_c[(t + 1) * B * H : (t + 2) * B * H], flat_tanh, tanh_c)


@compiled
def total(adjoint, cell, gates, c, tanh_c, squares, squares_cell):
    """cell <- cell + adjoint o (1 - tanh(c)^2): dL/dc_t on both paths; and the rows' sums of squares."""
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
def backward(symbols, inputs, W, U, h, c, gates, pre, last, last_cell, every, stride_t, stride_r, first, record, slots,
             dW, dU, db, dh0, dc0, dx, log10_adjoint, log10_adjoint_cell):
    R, width, D = U.shape
    B, H = last.shape[1:]
    T = h.shape[1] // B - 1
    delta = np.empty((slots * B, 4, H), W.dtype)
    rows = delta.reshape(slots * B, width)
    part = np.empty((width, H), W.dtype)
    part_U = np.empty((width, D), W.dtype)
    table = np.empty((D + 1, width), W.dtype)
    adjoint = np.empty((B, H), W.dtype)
    cell = np.empty((B, H), W.dtype)
    tanh_c = np.empty((B, H), W.dtype)
    flat_tanh = tanh_c.reshape(B * H)
    squares = np.empty(B, np.float64)
    squares_cell = np.empty(B, np.float64)
    exponents = np.empty(B, np.int64)
    for r in range(R):
        hs, cs, gs = h[r], c[r], gates[r]
        arguments = pre[r] if pre.size else gs
        flat_c = cs.reshape(cs.size)
        adjoint[:] = last[r]
        cell[:] = last_cell[r]
        exponents[:] = 0
        table[:] = 0
        end = T
        while end >= first:
            start = max(first, end - slots + 1)
            for t in range(end, start - 1, -1):
                here = slice((t - start) * B, (t - start + 1) * B)
                out = rows[here]
                if every.size:
                    arrive(adjoint, cell, every, (t - 1) * stride_t + r * stride_r, exponents)
                now = flat_c[t * B * H : (t + 1) * B * H]
                for i in range(B * H):
                    flat_tanh[i] = tanh(now[i])
                old = slice((t - 1) * B, t * B)
                total(adjoint, cell, gs[old], cs[t * B : (t + 1) * B], tanh_c, squares, squares_cell)
                settle(adjoint, cell, squares, squares_cell, exponents)
                deltas(adjoint, cell, gs[old], arguments[old], cs[old], tanh_c, delta[here])
                if record:
                    log10_adjoint[t - 1, r] = level(squares, exponents)
                    log10_adjoint_cell[t - 1, r] = level(squares_cell, exponents)
                if t > first or first == 1:
                    np.dot(out, W[r], adjoint)
                restore(out, exponents)
                if inputs.size:
                    add_rows(out, db[r])
                else:
                    scatter(out, symbols[t - 1, r], table)
            used = rows[: (end - start + 1) * B]
            np.dot(used.T, hs[(start - 1) * B : end * B], part)
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
            dc0[r] = cell
            for b in range(B):
                shift(dh0[r, b], exponents[b])
                shift(dc0[r, b], exponents[b])
