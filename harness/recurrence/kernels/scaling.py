"""Adjoints that neither underflow nor overflow: each row carries its own power of two.

The adjoint dL/dh_t of one sequence (a row, H numbers) is kept as  row * 2**exponent  with an integer exponent. A row is
rescaled only when its sum of squares leaves [LOW, HIGH]; the factor is a power of two, so the digits do not change.
Within a row, an element that is 2^90 times smaller than the largest may still be lost in float32.

What runs at every step takes whole arrays (B, H): passing a slice costs two atomic reference counts, more than the
arithmetic on a row of 50.
"""

import math

import numpy as np

from .compiled import compiled

LOW, HIGH = 2.0**-60, 2.0**60  # of a row's sum of squares: the squares themselves must not underflow in float32
ROOM = 30  # a gradient that comes in may exceed the row's unit by 2^ROOM before the row takes the gradient's scale
LOG10_2 = math.log10(2.0)


@compiled
def comfortable(square):
    """Whether a sum of squares lies in [LOW, HIGH]; zero, NaN and infinity do not."""
    return square >= LOW and square <= HIGH


@compiled
def largest(row):
    """The largest magnitude in `row`; a NaN is passed over unless it is the first."""
    m = abs(row[0])
    for j in range(row.size):
        v = abs(row[j])
        m = v if v > m else m
    return m


@compiled
def factor(n, like):
    """2**n in the type of `like` if it is a normal number there, else 0, for which the caller takes `math.ldexp`.

    Two factors would not do: `reassoc` lets the compiler multiply them first, and 0 * infinity is not a number.
    """
    limit = 126 if like.itemsize == 4 else 1022
    return like.dtype.type(math.ldexp(1.0, n) if -limit <= n <= limit else 0.0)


@compiled
def clamped(n):
    """n, or what takes any finite number to zero or to infinity just as well."""
    return min(max(n, -5000), 5000)


@compiled
def shift(row, n):
    """row <- row * 2**n in place: exact, except for what leaves the format's range."""
    p = factor(n, row)
    if p > 0:
        for j in range(row.size):
            row[j] *= p
    else:
        for j in range(row.size):
            row[j] = math.ldexp(row[j], clamped(n))


@compiled
def square(row):
    """The sum of squares of `row`, in float64."""
    s = 0.0
    for j in range(row.size):
        v = np.float64(row[j])
        s += v * v
    return s


@compiled
def settle(adjoint, carry, squares, squares_carry, exponents):
    """Rescale the rows whose squares are out of range, so that their largest magnitude lies in [1/2, 1).

    `carry` (B, H) shares the rows' exponents (the cell's adjoint); where there is none, it is empty, (0, H). Zeros get
    exponent 0, so that a gradient which arrives later is not held to a scale of the past; a row whose magnitude is not
    finite stays as it is.
    """
    for b in range(squares.size):
        two = carry.size > 0
        if comfortable(squares[b] + squares_carry[b] if two else squares[b]):
            continue
        m = largest(adjoint[b])
        if two:
            n = largest(carry[b])
            m = n if n > m else m
        if m == 0:
            exponents[b] = 0
        elif m < np.inf:
            k = math.frexp(m)[1]
            exponents[b] += k
            shift(adjoint[b], -k)
            squares[b] = square(adjoint[b])
            if two:
                shift(carry[b], -k)
                squares_carry[b] = square(carry[b])


@compiled
def joined(row, gradient, exponent):
    """row * 2**exponent + gradient, as a row in place and the exponent that is returned.

    If the gradient is much the larger one, the row takes its scale; else the gradient takes the row's.
    """
    n = -exponent
    m = largest(gradient)
    if m == 0:
        return exponent
    if not m < np.inf:
        n = 0  # infinity at any scale
    else:
        k = math.frexp(m)[1]
        if k - exponent > ROOM:
            shift(row, exponent - k)
            exponent = k
            n = -k
    p = factor(n, row)
    if p > 0:
        for j in range(row.size):
            row[j] += gradient[j] * p
    else:
        for j in range(row.size):
            row[j] += math.ldexp(gradient[j], clamped(n))
    return exponent


@compiled
def arrive(adjoint, carry, gradient, exponents):
    """adjoint <- adjoint + the gradient of the step's own loss.

    `carry` is what else shares the rows' exponents (the cell's adjoint), or empty.
    """
    for b in range(adjoint.shape[0]):
        if exponents[b] == 0:
            for j in range(adjoint.shape[1]):
                adjoint[b, j] += gradient[b, j]
        else:
            before = exponents[b]
            exponents[b] = joined(adjoint[b], gradient[b], before)
            if carry.size and exponents[b] != before:
                shift(carry[b], before - exponents[b])


@compiled
def restore(delta, exponents):
    """delta[b] <- delta[b] * 2**exponents[b], the true value: zero where it lies near the bottom of the range.

    Denormal numbers cost a hundred cycles each on some processors, and no sum over steps that holds a number of
    ordinary size can tell 2^-100 (float64: 2^-1000) from zero.
    """
    zero = delta.dtype.type(0)
    bottom = -100 if delta.itemsize == 4 else -1000
    for b in range(delta.shape[0]):
        if exponents[b] < bottom:
            for j in range(delta.shape[1]):
                delta[b, j] *= zero  # NaN and infinity do not become zero
        elif exponents[b] != 0:
            p = factor(exponents[b], delta)
            if p > 0:
                for j in range(delta.shape[1]):
                    delta[b, j] *= p
            else:
                shift(delta[b], exponents[b])


@compiled
def level(squares, exponents):
    """log10 of the sum over the rows of sqrt(square) * 2**exponent: -inf for zero; NaN and infinity stay."""
    top = -(2**62)
    for b in range(squares.size):
        if squares[b] != 0 and exponents[b] > top:
            top = exponents[b]
    total = 0.0
    for b in range(squares.size):
        if squares[b] != 0:
            n = exponents[b] - top
            root = math.sqrt(np.float64(squares[b]))
            total += root if n == 0 else math.ldexp(root, clamped(n))
    return math.log10(total) + top * LOG10_2 if total != 0 else -np.inf
