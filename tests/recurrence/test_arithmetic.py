"""The functions that compiled cells are made of: their accuracy over all arguments, their limits, NaN and infinity."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from llvmlite import ir
from scan_problems import answer, problem

from harness.recurrence.compiler.arithmetic import BYTES, I64, Lanes, loop
from harness.recurrence.compiler.memory import empty
from harness.recurrence.compiler.native import Library, host, machine_code

Array = np.ndarray
BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])
EXACT: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "exp": np.exp,
    "log1p": np.log1p,
    "tanh_slope": lambda x: 1 / np.cosh(x) ** 2,
}


@cache
def library(name: str, double: bool) -> Library:
    """Machine code for a table of an argument's address, a second one's, a result's and the number of entries."""
    pointer, module = ir.PointerType(), ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer]), "of_an_array")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    lanes = Lanes(b, double=double)
    table = [b.load(b.gep(function.args[0], [I64(i)], source_etype=I64), typ=I64) for i in range(4)]
    x, n, y = (b.inttoptr(address, pointer) for address in table[:3])
    with loop(b, I64(0), table[3], step=lanes.width) as i:

        def vector(array: ir.Value, kind: ir.Type) -> ir.Value:
            return b.load(b.gep(array, [i], source_etype=kind.element), typ=kind, align=BYTES)

        own = vector(x, lanes.vector)
        result = lanes.times_power(own, vector(n, lanes.integers)) if name == "shift" else lanes.apply(name, own)
        b.store(result, b.gep(y, [i], source_etype=lanes.real), align=BYTES)
    b.ret_void()
    return Library("of_an_array", machine_code(module, host()), host())


def value(name: str, x: Array, n: Array | int = 0) -> Array:
    """A function of an array, in the array's precision; of `shift` n is the second argument."""
    width = BYTES // x.itemsize
    size = -(-x.size // width) * width
    arrays = [empty((size,), kind) for kind in (x.dtype, f"i{x.itemsize}", x.dtype)]
    arrays[0][...], arrays[1][...] = 1, 0
    arrays[0][: x.size], arrays[1][: x.size] = x, n
    table = np.array([*(a.ctypes.data for a in arrays), size], np.int64)
    library(name, x.dtype == np.float64)(table.ctypes.data)
    return arrays[2][: x.size].copy()


def float32(*ranges: Array) -> Array:
    return np.concatenate([*ranges, *(-part for part in ranges)]).astype(np.float32)


# Every exponent of float32, evenly within the range in which a function varies, and around where it saturates.
ALL = float32(np.geomspace(1e-45, 3e38, 20001), np.linspace(0, 110, 20001), np.linspace(8.9, 9.1, 2001))


def test_tanh_in_float32_is_within_4e_7_and_odd_and_never_above_one() -> None:
    y = value("tanh", ALL)
    np.testing.assert_allclose(y, np.tanh(ALL.astype(np.float64)), rtol=0, atol=4e-7)
    assert np.array_equal(value("tanh", -ALL), -y)
    assert np.abs(y).max() <= 1


def test_tanh_in_float32_keeps_its_relative_accuracy_near_zero_and_is_one_from_where_it_rounds_to_one() -> None:
    small = float32(np.geomspace(1e-37, 1, 9999))
    np.testing.assert_allclose(value("tanh", small), np.tanh(small.astype(np.float64)), rtol=4e-7)
    for x in (9.011, 20, 1e10, 3e38):  # 1 − tanh 9.011 is a quarter of the last place below 1
        assert value("tanh", np.array([x, -x], np.float32)).tolist() == [1, -1]


def test_exp_in_float32_is_relatively_exact_wherever_its_value_is_no_subnormal_number() -> None:
    x = ALL[(ALL > -87.3) & (ALL < 88.7)]
    np.testing.assert_allclose(value("exp", x), np.exp(x.astype(np.float64)), rtol=2e-7)


def test_exp_in_float32_ends_in_zero_and_infinity() -> None:
    beyond = np.array([-104.1, -1e30, -np.inf, 88.8, 1e30, np.inf], np.float32)
    assert value("exp", beyond).tolist() == [0, 0, 0, np.inf, np.inf, np.inf]
    x = np.linspace(-103.9, -87.4, 999, dtype=np.float32)  # subnormal: exact to their last place
    np.testing.assert_allclose(value("exp", x), np.exp(x.astype(np.float64)), rtol=2e-7, atol=1.4e-45)


def test_log1p_in_float32_is_relatively_exact_from_minus_one_to_infinity() -> None:
    x = np.concatenate([ALL[ALL > -1], (-1 + np.geomspace(2.0**-24, 1, 9999)).astype(np.float32)])
    x = x[x > -1]
    np.testing.assert_allclose(value("log1p", x), np.log1p(x.astype(np.float64)), rtol=2.0**-22, atol=1.4e-45)
    limits = np.array([-1, np.inf, -1.5, -np.inf, np.nan], np.float32)
    assert np.array_equal(value("log1p", limits), np.float32([-np.inf, np.inf, *[np.nan] * 3]), equal_nan=True)


@BOTH
def test_the_slope_of_tanh_keeps_its_digits_in_saturation(dtype) -> None:
    x = np.concatenate([np.linspace(-40, 40, 9999), [300, -300] if dtype == np.float64 else []]).astype(dtype)
    exact = 1 / np.cosh(x.astype(np.float64)) ** 2
    np.testing.assert_allclose(value("tanh_slope", x), exact, rtol=1e-6 if dtype == np.float32 else 1e-14)
    assert value("tanh_slope", np.array([0, np.inf, -np.inf], dtype)).tolist() == [1, 0, 0]


@pytest.mark.parametrize("name", ["tanh", "exp", "log1p"])
def test_float64_is_that_of_the_c_library(name: str) -> None:
    x = np.concatenate([np.linspace(-20, 20, 4001), np.geomspace(1e-300, 1e300, 999)])
    x = x[x > -1] if name == "log1p" else x
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(value(name, x), EXACT[name](x), rtol=4e-16 * 4, atol=0)


@BOTH
@pytest.mark.parametrize("name", EXACT)
def test_a_nan_stays_a_nan_and_reaches_no_other_lane(dtype, name: str) -> None:
    for place in range(35):
        x = np.full(35, 0.5, dtype)
        x[place] = np.nan
        y = value(name, x)
        assert np.isnan(y[place])
        assert np.isfinite(np.delete(y, place)).all()


@BOTH
def test_infinity_saturates(dtype) -> None:
    x = np.array([np.inf, -np.inf], dtype)
    assert value("tanh", x).tolist() == [1, -1]
    assert value("exp", x).tolist() == [np.inf, 0]


@BOTH
@pytest.mark.parametrize("n", [-5000, -300, -140, -1, 0, 1, 127, 200, 5000])
def test_a_shift_by_a_power_of_two_is_exact_or_leaves_the_range(dtype, n: int) -> None:
    x = np.array([0.0, -0.75, 1.0, np.nan], dtype)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.ldexp(x, n)
    assert np.array_equal(value("shift", x, n), expected, equal_nan=True)


def saturated(name: str, pre: float) -> Array:
    """∂L/∂b_x of one step of one unit in float64, all of whose arguments are `pre`, from h = c = 0; ∂L/∂h_1 = 1."""
    p = problem(name, T=1, B=1, H=1, D=1, loss="h")
    parameters = {key: torch.full_like(v, pre if key == "b_x" else 0.0) for key, v in p.parameters.items()}
    ones = (torch.ones_like(p.state[0]), *p.last[1:])
    state = tuple(torch.zeros_like(part) for part in p.state)
    inputs = torch.full_like(p.inputs, -1)
    return answer(replace(p, parameters=parameters, inputs=inputs, state=state, last=ones))["∂b_x"][0]


@pytest.mark.parametrize("pre", [-20.0, 20.0, 300.0])
def test_gradients_of_a_unit_in_float64_keep_their_digits_in_saturation(pre: float) -> None:
    assert math.isclose(saturated("tanh", pre)[0], math.cosh(pre) ** -2, rel_tol=1e-13)
    assert math.isclose(saturated("sigmoid", pre)[0], 0.25 * math.cosh(pre / 2) ** -2, rel_tol=1e-13)


@pytest.mark.parametrize("pre", [-20.0, 20.0, 300.0])
def test_gradients_of_gates_in_float64_keep_their_digits_in_saturation(pre: float) -> None:
    tanh, slope = math.tanh(pre), math.cosh(pre) ** -2
    gate, gate_slope = 0.5 * math.exp(pre / 2) / math.cosh(pre / 2), 0.25 * math.cosh(pre / 2) ** -2
    rest = 0.5 * math.exp(-pre / 2) / math.cosh(pre / 2)
    c = gate * tanh
    dc = gate / math.cosh(c) ** 2
    expected = [dc * tanh * gate_slope, 0, dc * gate * slope, math.tanh(c) * gate_slope]
    np.testing.assert_allclose(saturated("lstm", pre), expected, rtol=1e-13)
    np.testing.assert_allclose(saturated("gru", pre), [0, -tanh * gate_slope, rest * slope], rtol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relu_keeps_infinity_and_has_slope_zero_at_zero(dtype) -> None:
    p = problem("relu", T=1, B=1, H=1, D=1, dtype=dtype, loss="h")
    for start, expected, slope in ((np.inf, np.inf, 1), (-np.inf, 0, 0), (0.0, 0, 0), (2.0, 2, 1)):
        parameters = {key: torch.full_like(v, float(key in ("W", "U"))) for key, v in p.parameters.items()}
        q = replace(
            p,
            parameters=parameters,
            inputs=torch.full_like(p.inputs, -1),
            state=(torch.full_like(p.state[0], start),),
            last=(torch.ones_like(p.state[0]),),
        )
        results = answer(q)
        assert results["h"].item() == expected
        assert results["∂b_x"].item() == slope
