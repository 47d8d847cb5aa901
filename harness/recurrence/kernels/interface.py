"""What a caller sees of a kernel: numpy arrays in, numpy arrays out, all replicas of a pack in one call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .buffers import Buffer

Array = NDArray[Any]

ROWS = 256  # of deltas gathered for one product in dW: beyond this the product is no faster, and the cache fills up


@dataclass(frozen=True, eq=False)
class Saved:
    """What forward leaves to backward: x, parameters and states themselves, no copies. Change none before backward."""

    symbols: Array  # (T, R, B), or empty
    inputs: Array  # (R, T B, D), or empty
    W: Array
    U: Array
    states: tuple[Array, ...]  # (R, (T+1) B, H) each
    buffer: Buffer
    relu: bool
    sizes: tuple[int, int, int, int, int]  # T, R, B, H, D


@dataclass(frozen=True, eq=False)
class Gradients:
    """Gradients of the loss that backward was given, and the levels of its adjoints."""

    dW: Array  # noqa: N815 - (R, G H, H)
    dU: Array  # noqa: N815 - (R, G H, D)
    db_x: Array  # (R, G H)
    db_h: Array  # (R, G H)
    dstate: tuple[Array, ...]  # (R, B, H) each; zeros if the window ends before the first step
    dx: Array | None  # (T, R, B, D), a view
    log10_adjoint: Array | None  # (T, R), float64
    log10_adjoint_cell: Array | None  # (T, R), float64


@dataclass(frozen=True)
class Kernel:
    """One cell's compiled loops over a whole sequence, forward and backward, for a pack of R replicas.

    A replica's numbers are bit for bit the same alone, in any pack and at any place in it. Sizes: T steps, R replicas,
    B sequences, H units, D inputs, G gate blocks.
    """

    name: str
    gates: int
    states: int
    activations: tuple[str, ...]
    saved_shapes: Callable[..., tuple[tuple[int, ...], ...]]
    compiled_forward: Callable[..., None]
    compiled_backward: Callable[..., None]

    def forward(
        self,
        x: Array,
        state: tuple[Array, ...],
        parameters: tuple[Array, Array, Array, Array],
        *,
        activation: str = "tanh",
    ) -> tuple[tuple[Array, ...], Saved]:
        """The states h_1 ... h_T of every sequence.

        x: symbols, int64 (T, R, B), where k stands for the k-th unit vector and -1 for a zero vector (padding); or real
        vectors (T, R, B, D).
        state: (h_0,), or (h_0, c_0) for an LSTM, (R, B, H) each.
        parameters: W (R, G H, H), U (R, G H, D), b_x and b_h (R, G H), in torch's order of gates.
        All of one type, float32 or float64. Contiguous arrays are used as they are, others are copied.

        Returns the states, (R, T+1, B, H) each with h_0 first, and what `backward` needs.
        Raises ValueError for a shape, type, activation or symbol that does not fit.
        """
        W, U, b_x, b_h = (plain(p) for p in parameters)
        if activation not in self.activations:
            raise ValueError(f"kernel {self.name}: no activation {activation!r} ({', '.join(self.activations)})")
        if W.dtype not in (np.float32, np.float64):
            raise ValueError(f"kernel {self.name}: W: type {W.dtype}, expected float32 or float64")
        if x.ndim not in (3, 4) or W.ndim != 3 or U.ndim != 3:
            raise ValueError(f"kernel {self.name}: dimensions of x, W, U: {x.ndim}, {W.ndim}, {U.ndim}; 3 or 4, 3, 3")
        T, R, B = x.shape[:3]
        H, D, GH = W.shape[2], U.shape[2], self.gates * W.shape[2]
        if min(T, R, B, H, D) < 1:
            raise ValueError(f"kernel {self.name}: sizes T, R, B, H, D = {T}, {R}, {B}, {H}, {D}; at least 1")
        real = x.ndim == 4
        self.check("x", x, (T, R, B, D) if real else (T, R, B), W.dtype if real else np.int64)
        if not real and (x.min() < -1 or x.max() >= D):
            raise ValueError(f"kernel {self.name}: x: symbols {x.min()} ... {x.max()}, expected -1 ... {D - 1}")
        for name, p, shape in (("W", W, (GH, H)), ("U", U, (GH, D)), ("b_x", b_x, (GH,)), ("b_h", b_h, (GH,))):
            self.check(name, p, (R, *shape), W.dtype)
        initial = self.pack("state", state, (R, B, H), W.dtype)

        symbols = np.empty((0, 0, 0), np.int64) if real else plain(x)
        inputs = plain(x.swapaxes(0, 1)).reshape(R, T * B, D) if real else np.empty((0, 0, 0), W.dtype)
        states = tuple(np.empty((R, (T + 1) * B, H), W.dtype) for _ in initial)
        buffer = Buffer(self.saved_shapes(R, T * B, H, W.dtype == np.float64), W.dtype)
        relu = activation == "relu"
        self.compiled_forward(symbols, inputs, W, U, b_x, b_h, initial, states, buffer.arrays, relu)
        saved = Saved(symbols, inputs, W, U, states, buffer, relu, (T, R, B, H, D))
        return tuple(s.reshape(R, T + 1, B, H) for s in states), saved

    def backward(
        self,
        saved: Saved,
        *,
        last: tuple[Array | None, ...] | None = None,
        every: Array | None = None,
        window: int | None = None,
        record: bool = False,
        need_dx: bool = False,
        scales: Array | None = None,
    ) -> Gradients:
        """Gradients of a loss L, and how large its adjoints are at every step.

        last: dL/d(final state), a tuple like forward's `state`, with None for zeros.
        every: dL/dh_t of the losses at every step, (T, R, B, H); contiguous so or with the first two axes swapped.
        Where both are given, they add up at t = T.
        window: only the last `window` steps are visited. Earlier states count as constants: their adjoints and
        dL/d(initial state) are exactly zero, their own losses are ignored. None or >= T: all.
        record: also return log10 of the mean over b of ||B dL/dh_t||_2, the total adjoint on all paths, entry [t-1, r];
        -inf for a true zero. With L the batch's mean, B dL/dh_t is one sequence's adjoint. For an LSTM, dL/dc_t too.
        Each sequence carries its own power of two (`scaling`), so that nothing underflows. All else is the same, bit
        for bit, with and without.
        need_dx: also return dL/dx_t; for real inputs only.
        scales: int64 (R, B), for a sequence in several calls: `last` is in units of 2**scales, and so is `dstate`, with
        `scales` brought up to date. None: both are true values.

        Raises ValueError for a shape, type or window that does not fit, or if there is no gradient.
        """
        T, R, B, H, D = saved.sizes
        dtype = saved.W.dtype
        if last is None and every is None:
            raise ValueError(f"kernel {self.name}: neither last nor every: there is no gradient to start from")
        if window is not None and window < 1:
            raise ValueError(f"kernel {self.name}: window {window}, expected at least 1")
        if need_dx and not saved.inputs.size:
            raise ValueError(f"kernel {self.name}: need_dx: symbols have no gradient")
        zeros = np.zeros((R, B, H), dtype)
        final = tuple(zeros if g is None else g for g in (last or (None,) * self.states))
        final = self.pack("last", final, (R, B, H), dtype)
        flat, strides = np.empty(0, dtype), (0, 0)
        if every is not None:
            self.check("every", every, (T, R, B, H), dtype)
            time_first = every.flags.c_contiguous
            flat = plain(every if time_first else every.swapaxes(0, 1)).reshape(-1)
            strides = (R * B * H, B * H) if time_first else (B * H, T * B * H)

        dW, dU = np.zeros_like(saved.W), np.zeros_like(saved.U)
        db_x, db_h = np.zeros(dW.shape[:2], dtype), np.zeros(dW.shape[:2], dtype)
        dinitial = tuple(np.zeros((R, B, H), dtype) for _ in final)
        dx = np.zeros((R, T * B, D) if need_dx else (0, 0, 0), dtype)
        levels = tuple(np.full((T, R) if record else (0, 0), -np.inf) for _ in final)
        first = 1 if window is None else max(1, T - window + 1)
        slots = min(max(1, ROWS // B), T - first + 1)
        gradients = (dW, dU, db_x, db_h, dinitial, dx)
        given = (saved.symbols, saved.inputs, saved.W, saved.U, saved.states, saved.buffer.arrays, saved.relu)
        units = np.zeros((R, B), np.int64) if scales is None else scales
        self.check("scales", units, (R, B), np.int64)
        carried = scales is not None
        self.compiled_backward(*given, final, flat, strides, units, carried, first, slots, gradients, levels)
        return Gradients(
            *gradients[:5],
            dx=dx.reshape(R, T, B, D).swapaxes(0, 1) if need_dx else None,
            log10_adjoint=levels[0] if record else None,
            log10_adjoint_cell=levels[1] if record and self.states == 2 else None,
        )

    def check(self, name: str, array: Array, shape: tuple[int, ...], dtype: Any) -> None:
        """Raise ValueError unless `array` has this shape and type."""
        if array.shape != shape or array.dtype != dtype:
            actual, expected = f"{array.dtype} {array.shape}", f"{np.dtype(dtype)} {shape}"
            raise ValueError(f"kernel {self.name}: {name}: {actual}, expected {expected}")

    def pack(self, name: str, arrays: tuple[Array, ...], shape: tuple[int, ...], dtype: Any) -> tuple[Array, ...]:
        """The cell's state-like arrays, as compiled code takes them."""
        if len(arrays) != self.states:
            raise ValueError(f"kernel {self.name}: {name}: {len(arrays)} arrays, expected {self.states}")
        for array in arrays:
            self.check(name, array, shape, dtype)
        return tuple(plain(array) for array in arrays)


def plain(array: Array) -> Array:
    """`array` itself if it is contiguous, aligned and writable, else such a copy: one compiled version serves all."""
    return array if array.flags.carray else np.array(array, order="C")
