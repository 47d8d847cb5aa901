"""Arithmetic on vectors of 64 bytes, one lane a sequence, whose bits do not depend on the machine.

A vector has 16 float32 or 8 float64 lanes on every processor; where the hardware's are shorter, LLVM splits them. No
operation is marked as free to be reordered or fused: products use an explicit fma (one rounding), all else rounds after
each operation. So the bits are those of IEEE 754, whatever the processor.

float32 is the arithmetic of training. tanh is a rational function of our own minimax fit on [−9, 9], error 3e-7,

    tanh x = x p(x²)/q(x²);

 exp and log1p are series after the usual reductions (Cody & Waite 1980, "Software manual for the
elementary functions"), relative error 2e-7. float64 calls the C library lane by lane.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from math import factorial, log
from typing import Any

from llvmlite import ir

I32, I64 = ir.IntType(32), ir.IntType(64)
DOUBLE, FLOAT = ir.DoubleType(), ir.FloatType()
BYTES = 64

P = (0.9999999809, 0.1338113627, 0.003495703177, 2.061034926e-5, 1.335529419e-8)
Q = (1.0, 0.4671445257, 0.02587746187, 3.285795571e-4, 7.777051905e-7)
LIMIT = 9.0  # 1 − tanh 9 = 3e-8, half a unit in the last place of 1
ROUNDING = 12582912.0  # 1.5·2²³: adding it rounds a float32 to a whole number, which stands in the low bits
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4  # ln 2 in two parts; multiples of the first are exact


class Lanes:
    """A builder's vector operations in one precision.

    Attributes:
        real, vector: the IR types of a number and of a vector.
        width: lanes of a vector; `bytes` its alignment in memory.
        integers: the IR type of as many integers of the same size.
    """

    def __init__(self, builder: ir.IRBuilder, *, double: bool, width: int | None = None) -> None:
        self.b, self.double = builder, double
        self.real = DOUBLE if double else FLOAT
        self.width = width or BYTES // (8 if double else 4)
        self.vector = ir.VectorType(self.real, self.width)
        self.bytes = min(BYTES, self.width * (8 if double else 4))  # to which an array's vectors are aligned
        self.integers = ir.VectorType(I64 if double else I32, self.width)
        self.mantissa, self.bias = (52, 1023) if double else (23, 127)

    # constants, loads and the shape of vectors

    def const(self, value: float) -> ir.Value:
        return ir.Constant(self.vector, [_rounded(value, self.double)] * self.width)

    def whole(self, value: int) -> ir.Value:
        return ir.Constant(self.integers, [value] * self.width)

    def splat(self, scalar: ir.Value, kind: ir.Type | None = None) -> ir.Value:
        """A number in every lane."""
        kind = kind or self.vector
        one = self.b.insert_element(ir.Constant(kind, ir.Undefined), scalar, I32(0))
        return self.b.shuffle_vector(
            one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, self.width), None)
        )

    def call(self, name: str, *args: ir.Value) -> ir.Value:
        """An LLVM intrinsic on vectors."""
        kind = args[0].type
        suffix = f"v{kind.count}f{64 if kind.element == DOUBLE else 32}"
        return self.b.call(function(self.b.module, f"llvm.{name}.{suffix}", kind, [kind] * len(args)), args)

    def gather(self, pointer: ir.Value, places: ir.Value, there: ir.Value | None = None) -> ir.Value:
        """Numbers at those places of an array, a lane each; zero in the lanes that are not `there`."""
        n, bits = self.width, 64 if self.double else 32
        mask = ir.VectorType(ir.IntType(1), n)
        addresses = self.b.gep(pointer, [places], source_etype=self.real)
        addresses.type = ir.VectorType(ir.PointerType(), n)  # llvmlite takes the addresses for one address
        kinds = [addresses.type, I32, mask, self.vector]
        load = function(self.b.module, f"llvm.masked.gather.v{n}f{bits}.v{n}p0", self.vector, kinds)
        there = there or ir.Constant(mask, [1] * n)
        return self.b.call(load, [addresses, I32(bits // 8), there, self.const(0)])

    def add_lanes(self, value: ir.Value) -> ir.Value:
        """The sum of all lanes, halves first: one order for every machine."""
        while value.type.count > 1:
            value = self.b.fadd(*self._halves_of(value))
        return self.b.extract_element(value, I32(0))

    # the operations of a graph

    def apply(self, op: str, *x: ir.Value) -> ir.Value:
        """An operation of `graph` by its name."""
        operations: dict[str, Callable[..., ir.Value]] = {
            "add": self.b.fadd, "sub": self.b.fsub, "mul": self.b.fmul, "div": self.b.fdiv, "neg": self.b.fneg,
        }  # fmt: skip
        return (operations.get(op) or getattr(self, op))(*x)

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        return self.call("fma", a, b, c)

    def sqrt(self, x: ir.Value) -> ir.Value:
        return self.call("sqrt", x)

    def abs(self, x: ir.Value) -> ir.Value:
        return self.call("fabs", x)

    def relu(self, x: ir.Value) -> ir.Value:
        return self.b.select(self.b.fcmp_ordered("<", x, self.const(0)), self.const(0), x)  # NaN stays

    def where_positive(self, y: ir.Value, adjoint: ir.Value) -> ir.Value:
        return self.b.select(self.b.fcmp_ordered("<=", y, self.const(0)), self.const(0), adjoint)

    def sign(self, x: ir.Value) -> ir.Value:
        """−1, 0 or 1; NaN of a NaN, which torch makes a 0."""
        negative = self.b.select(self.b.fcmp_ordered("<", x, self.const(0)), self.const(-1), x)
        return self.b.select(self.b.fcmp_ordered(">", x, self.const(0)), self.const(1), negative)

    def tanh(self, x: ir.Value) -> ir.Value:
        if self.double:
            return self._by_lane("tanh", x)
        u = self._clamped(x, LIMIT)
        s = self.b.fmul(u, u)
        y = self.b.fdiv(self.b.fmul(u, self._polynomial(s, P)), self._polynomial(s, Q))
        return self._clamped(y, 1.0)

    def tanh_slope(self, x: ir.Value) -> ir.Value:
        """4e/(1 + e)² with e = exp(−2|x|)."""
        e = self.exp(self.b.fmul(self.const(-2), self.abs(x)))
        one = self.b.fadd(self.const(1), e)
        return self.b.fdiv(self.b.fmul(self.const(4), e), self.b.fmul(one, one))

    def sigmoid(self, x: ir.Value) -> ir.Value:
        """1/(1 + e) or e/(1 + e) with e = exp(−|x|)."""
        e = self.exp(self.b.fneg(self.abs(x)))
        negative = self.b.fcmp_ordered("<", x, self.const(0))
        return self.b.fdiv(self.b.select(negative, e, self.const(1)), self.b.fadd(self.const(1), e))

    def sigmoid_slope(self, x: ir.Value) -> ir.Value:
        """e/(1 + e)² with e = exp(−|x|)."""
        e = self.exp(self.b.fneg(self.abs(x)))
        one = self.b.fadd(self.const(1), e)
        return self.b.fdiv(e, self.b.fmul(one, one))

    def copy(self, x: ir.Value) -> ir.Value:
        return x

    def detach(self, x: ir.Value) -> ir.Value:
        return x

    def exp(self, x: ir.Value) -> ir.Value:
        if self.double:
            return self._by_lane("exp", x)
        u = self._clamped(x, 105.0)  # e^±105 is beyond float32 on either side
        shifted = self.fma(u, self.const(1 / log(2)), self.const(ROUNDING))
        n = self.b.fsub(shifted, self.const(ROUNDING))
        r = self.fma(n, self.const(-LN2_LOW), self.fma(n, self.const(-LN2_HIGH), u))
        series = self._polynomial(r, tuple(1 / factorial(k) for k in range(8)))
        bits = self.b.sub(self.b.bitcast(shifted, self.integers), self.b.bitcast(self.const(ROUNDING), self.integers))
        return self.times_power(series, bits)

    def log1p(self, x: ir.Value) -> ir.Value:
        if self.double:
            return self._by_lane("log1p", x)
        b, one = self.b, self.const(1)
        u = b.fadd(one, x)
        lost = b.fdiv(b.fsub(x, b.fsub(u, one)), u)  # what rounding took from 1 + x, to first order
        bits = b.bitcast(u, self.integers)
        e = b.ashr(b.sub(bits, self.whole(0x3F3504F3)), self.whole(23))  # m = u/2^e in [√½, √2)
        m = b.bitcast(b.sub(bits, b.shl(e, self.whole(23))), self.vector)
        s = b.fdiv(b.fsub(m, one), b.fadd(m, one))
        odd = b.fmul(s, self._polynomial(b.fmul(s, s), tuple(2 / (2 * k + 1) for k in range(6))))
        e_real = b.sitofp(e, self.vector)
        y = b.fadd(b.fmul(e_real, self.const(log(2))), b.fadd(odd, lost))
        infinite = b.fcmp_ordered("==", x, self.const(float("inf")))
        at_pole = b.fcmp_ordered("==", x, self.const(-1))
        y = b.select(at_pole, self.const(float("-inf")), b.select(infinite, x, y))
        undefined = b.fcmp_unordered("<", x, self.const(-1))  # NaN, or an argument below −1
        return b.select(undefined, self.const(float("nan")), y)

    def _clamped(self, x: ir.Value, limit: float) -> ir.Value:
        low = self.b.select(self.b.fcmp_ordered("<", x, self.const(-limit)), self.const(-limit), x)
        return self.b.select(self.b.fcmp_ordered(">", low, self.const(limit)), self.const(limit), low)

    def _polynomial(self, x: ir.Value, coefficients: tuple[float, ...]) -> ir.Value:
        """Σ_k coefficients[k] x^k, by Horner's rule."""
        y = self.const(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            y = self.fma(y, x, self.const(coefficient))
        return y

    def _by_lane(self, name: str, x: ir.Value) -> ir.Value:
        scalar = function(self.b.module, name, DOUBLE, [DOUBLE])
        y = ir.Constant(self.vector, ir.Undefined)
        for lane in range(self.width):
            y = self.b.insert_element(y, self.b.call(scalar, [self.b.extract_element(x, I32(lane))]), I32(lane))
        return y

    # powers of two

    def power(self, exponent: ir.Value) -> ir.Value:
        """2^n of integer lanes; 0 below the normal range, the largest power above it."""
        top = self.b.select(self.b.icmp_signed(">", exponent, self.whole(self.bias)), self.whole(self.bias), exponent)
        biased = self.b.add(top, self.whole(self.bias))
        bits = self.b.shl(biased, self.whole(self.mantissa))
        below = self.b.icmp_signed("<=", biased, self.whole(0))
        return self.b.bitcast(self.b.select(below, self.whole(0), bits), self.vector)

    def halves(self, exponent: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Two powers of two whose product is 2^n, so that n may be twice as far out."""
        half = self.b.ashr(exponent, self.whole(1))
        return self.power(half), self.power(self.b.sub(exponent, half))

    def times_power(self, x: ir.Value, exponent: ir.Value) -> ir.Value:
        first, second = self.halves(exponent)
        return self.b.fmul(self.b.fmul(x, first), second)

    def largest(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The larger integer of each lane."""
        return self.b.select(self.b.icmp_signed(">", a, b), a, b)

    def largest_lane(self, value: ir.Value) -> ir.Value:
        """The largest of the lanes' integers."""
        while value.type.count > 1:
            value = self.largest(*self._halves_of(value))
        return self.b.extract_element(value, I32(0))

    def _halves_of(self, value: ir.Value) -> list[ir.Value]:
        count = value.type.count // 2
        order = ir.VectorType(I32, count)
        return [
            self.b.shuffle_vector(
                value,
                ir.Constant(value.type, ir.Undefined),
                ir.Constant(order, [start + lane for lane in range(count)]),
            )
            for start in (0, count)
        ]


def function(module: ir.Module, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
    """An external function of that name, declared once."""
    if name in module.globals:
        return module.globals[name]
    return ir.Function(module, ir.FunctionType(result, arguments), name)


@contextmanager
def loop(builder: ir.IRBuilder, start: ir.Value, stop: ir.Value, *, step: int = 1) -> Any:
    """`for i in range(start, stop, step)`: yields i; the builder stands after the loop at the end."""
    before = builder.block
    head = builder.append_basic_block("for")
    body = builder.append_basic_block("do")
    after = builder.append_basic_block("done")
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(I64)
    index.add_incoming(start, before)
    builder.cbranch(builder.icmp_signed("<" if step > 0 else ">", index, stop), body, after)
    builder.position_at_end(body)
    yield index
    following = builder.add(index, I64(step))
    index.add_incoming(following, builder.block)
    builder.branch(head)
    builder.position_at_end(after)


def _rounded(value: float, double: bool) -> float:
    """As LLVM wants a float32 constant: a double that a float32 holds."""
    from struct import pack, unpack

    return value if double else float(unpack("f", pack("f", value))[0])
