"""tanh, the logistic sigmoid and their slopes, one element at a time: fast in float32, libm's in float64.

float32 is the arithmetic of training. tanh is a rational function of our own minimax fit on [-9, 9],

    tanh(x) = x p(x^2) / q(x^2),    p, q of degree 4,    relative error 2e-8 before rounding, 3e-7 after,

which vectorises (libm's does not), and sigmoid(x) = tanh(x/2)/2 + 1/2. Slopes come from the stored output, 1 - y^2,
as in torch. float64 is the arithmetic of `precision: float64` and of gradient checks: libm's functions, and slopes
from the argument, 4e/(1+e)^2 with e = exp(-2|x|), which keep their relative accuracy in saturation where 1 - y^2
has none left. Comparisons are written so that NaN stays NaN and infinities give exactly +-1.

The Python bodies below are only names: numba picks an implementation by the argument's type.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from .compiled import OPTIONS

LIMIT = np.float32(9.0)  # 1 - tanh(9) = 3e-8, half a unit in the last place of 1
P0, P1, P2, P3, P4 = np.array([0.9999999809, 0.1338113627, 0.003495703177, 2.061034926e-5, 1.335529419e-8], np.float32)
Q1, Q2, Q3, Q4 = np.array([0.4671445257, 0.02587746187, 3.285795571e-4, 7.777051905e-7], np.float32)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
QUARTER = np.float32(0.25)


def tanh(x):
    """The hyperbolic tangent of `x`."""
    raise NotImplementedError


def tanh_slope(x, y):
    """The derivative of tanh at `x`, where `y` = tanh(`x`)."""
    raise NotImplementedError


def gate(s):
    """The logistic function's value, from what a kernel stores for a gate.

    A float32 kernel halves the weights of its gates (exact), so that one pass of tanh serves gates and candidates
    alike; it stores s = tanh(a/2) for the argument a, and sigmoid(a) = s/2 + 1/2. A float64 kernel stores the value.
    """
    raise NotImplementedError


def gate_slope(a, s):
    """The derivative of the logistic function at `a`; `s` is what a kernel stores for it."""
    raise NotImplementedError


def complement(a, s):
    """1 - sigmoid(`a`); `s` is what a kernel stores for it."""
    raise NotImplementedError


def sigmoid(x):
    """The logistic function 1 / (1 + exp(-x))."""
    raise NotImplementedError


@overload(tanh, jit_options=OPTIONS)
def _tanh(x):
    def fast(x):
        u = LIMIT if x > LIMIT else x
        u = -LIMIT if u < -LIMIT else u
        s = u * u
        p = (((P4 * s + P3) * s + P2) * s + P1) * s + P0
        q = (((Q4 * s + Q3) * s + Q2) * s + Q1) * s + ONE
        y = u * p / q
        y = ONE if y > ONE else y
        return -ONE if y < -ONE else y

    def exact(x):
        return math.tanh(x)

    return fast if x == types.float32 else exact


@overload(tanh_slope, jit_options=OPTIONS)
def _tanh_slope(x, y):
    def fast(x, y):
        return ONE - y * y

    def exact(x, y):
        e = math.exp(-2.0 * abs(x))
        return 4.0 * e / ((1.0 + e) * (1.0 + e))

    return fast if y == types.float32 else exact


@overload(sigmoid, jit_options=OPTIONS)
def _sigmoid(x):
    def fast(x):
        return HALF * tanh(HALF * x) + HALF

    def exact(x):
        e = math.exp(-abs(x))
        return (e if x < 0 else 1.0) / (1.0 + e)

    return fast if x == types.float32 else exact


@overload(gate, jit_options=OPTIONS)
def _gate(s):
    def fast(s):
        return HALF * s + HALF

    def exact(s):
        return s

    return fast if s == types.float32 else exact


@overload(gate_slope, jit_options=OPTIONS)
def _gate_slope(a, s):
    def fast(a, s):
        return QUARTER - QUARTER * s * s

    def exact(a, s):
        e = math.exp(-abs(a))
        return e / ((1.0 + e) * (1.0 + e))

    return fast if s == types.float32 else exact


@overload(complement, jit_options=OPTIONS)
def _complement(a, s):
    def fast(a, s):
        return HALF - HALF * s

    def exact(a, s):
        return sigmoid(-a)

    return fast if s == types.float32 else exact
