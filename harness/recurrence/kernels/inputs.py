"""What an input contributes: rows of U looked up for symbols, one large product for real vectors; and the way back."""

from .compiled import compiled


@compiled
def transposed(matrix, out):
    """out <- the transpose of `matrix`, contiguous: OpenBLAS multiplies small matrices faster without its own."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[j, i] = matrix[i, j]


@compiled
def halved(matrix, start, stop):
    """matrix[:, start:stop] <- half of it, in float32 only: the gates' arguments (`nonlinearities.gate`)."""
    if matrix.itemsize == 4:
        half = matrix.dtype.type(0.5)
        for i in range(matrix.shape[0]):
            for j in range(start, stop):
                matrix[i, j] *= half


@compiled
def symbol_rows(U, table):
    """table[k] <- U[:, k] for every symbol k, (D + 1, G H); the last row, which index -1 reaches, <- 0: padding."""
    transposed(U, table[:-1])
    for j in range(table.shape[1]):
        table[-1, j] = 0


@compiled
def add_to_rows(rows, vector):
    """rows[k] += vector."""
    for k in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            rows[k, j] += vector[j]


@compiled
def copied(matrix, out):
    """out <- matrix (as a loop: an assignment to a slice takes numba half a second to compile, each time)."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[i, j] = matrix[i, j]


@compiled
def accumulated(matrix, out):
    """out += matrix."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            out[i, j] += matrix[i, j]


@compiled
def look_up(table, symbols, out):
    """out[b] <- table[symbols[b]], (B, G H)."""
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
