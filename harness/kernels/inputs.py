"""What an input contributes: rows of U looked up for symbols, one large product for real vectors; and the way back."""

import numpy as np

from .compiled import compiled


@compiled
def transposed(matrix, out):
    """out <- the transpose of `matrix`, contiguous (OpenBLAS multiplies small matrices twice as fast that way)."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[j, i] = matrix[i, j]


@compiled
def rows_of_symbols(U, bias, table):
    """table[k] <- U[:, k] + bias for every symbol k, and the last row, which index -1 reaches, <- bias."""
    transposed(U, table[:-1])
    table[-1] = 0
    for k in range(table.shape[0]):
        for j in range(table.shape[1]):
            table[k, j] += bias[j]


@compiled
def halved(matrix, start, stop):
    """matrix[:, start:stop] <- half of it in float32: the gates' arguments (`nonlinearities.gate`)."""
    if matrix.itemsize == 4:
        half = matrix.dtype.type(0.5)
        for i in range(matrix.shape[0]):
            for j in range(start, stop):
                matrix[i, j] *= half


@compiled
def look_up(table, symbols, out):
    """out[b] <- table[symbols[b]]; -1 is the padding's row, the last."""
    for b in range(symbols.size):
        k = symbols[b]
        for j in range(out.shape[1]):
            out[b, j] = table[k, j]


@compiled
def scatter(delta, symbols, table):
    """table[symbols[b]] += delta[b]."""
    for b in range(symbols.size):
        k = symbols[b]
        for j in range(delta.shape[1]):
            table[k, j] += delta[b, j]


@compiled
def add_rows(delta, total):
    """total += the sum over b of delta[b]."""
    for b in range(delta.shape[0]):
        for j in range(delta.shape[1]):
            total[j] += delta[b, j]
