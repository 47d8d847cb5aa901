"""The arrays of a sequence's backward direction, for all replicas: rings from step to step, and sums over steps."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np
import torch
from torch import Tensor

from harness.recurrence.adjoints import AdjointRecorder, immediate_norms, log10_mean_norm
from harness.recurrence.batch_levels import joint, log10_norms
from harness.recurrence.compiler.backward import NONE
from harness.recurrence.compiler.forward_arrays import ForwardArrays, at, saved_name
from harness.recurrence.compiler.layout import LaidOut
from harness.recurrence.compiler.memory import Array, empty, zeros
from harness.recurrence.compiler.partial import PARTIAL
from harness.recurrence.scaled import Scaled


@dataclass(frozen=True)
class ScaledRows(Scaled):
    """A scaled gradient (T, R, B, n), and the same numbers as they lie for compiled code."""

    rows: LaidOut


class BackwardArrays:
    """Rings of what is carried from step to step, and what is summed over the steps."""

    def __init__(
        self, forward: ForwardArrays, every: Scaled | None, final: list[Tensor | None], *, inputs: bool, matrices: bool
    ) -> None:
        self.forward = forward
        k, R = forward.kernel, forward.R
        p, s = k.program, k.shapes
        self.kernel, self.R = k, R
        reaches = {1} | {p.reach(part) for part in p.carries}
        self.carried = {(b, 1) for b in range(len(p.bases))} | {(p.base[q], p.reach(q)) for q in p.carries}
        products = {key for key in k.backward_layout[0].accumulators if isinstance(key, tuple)}
        self.reaches = sorted(reaches | {reach for _, reach in products})
        self.ring = self.reaches[-1] + 1
        rows = s.rows(s.H)
        self.deltas = zeros((R, max(len(p.deltas), 1) * self.ring, *rows), k.dtype)
        self.carries = {key: zeros((R, key[1], *rows), k.dtype) for key in sorted(self.carried)}
        self.scales = zeros((R, self.ring, s.W), k.integer)
        self.tops = empty((R, self.ring, s.W), k.integer)
        self.tops[...] = NONE
        self.levels = zeros((R, forward.T, len(p.bases), 2), np.float64)
        # of each sequence: the norms of all parts of the state, then E_t; without a recorder each step is overwritten
        self.recorded = forward.call.recorder is not None
        leading = (R, forward.T) if self.recorded else (1, 1)
        self.each = zeros((*leading, len(p.bases) + 1, s.W), np.float64)
        self.norms = empty((len(p.bases), s.W), np.float64)
        self.squares = empty((len(p.bases), PARTIAL, s.W), np.float64)
        columns = [s.D if term.operand is None else s.H for term in p.terms]
        self.matrices = [zeros((R, s.H, s.padded(n) if s.across_units else n), k.dtype) for n in columns]
        self.sums = zeros((R, len(p.deltas) + len(p.vectors), s.stride), k.dtype)
        self.panel = empty((k.chunk, len(p.deltas) + len(p.vectors), *rows), k.dtype)
        self.largest = empty((s.W,), k.dtype)
        self.factors = empty((len(self.reaches) + 4, s.W), k.dtype)
        self.scratch = forward.scratch("backward")
        self.weights = k.packed("backward", forward.flat)
        self.dx = zeros((R, forward.T, *s.rows(s.D)), k.dtype) if inputs else None
        self.dx_scales = zeros((R, forward.T, s.W), k.integer)
        self.input_weights = k.packed("inputs", forward.flat) if inputs else None
        self._seed([None if g is None else g.numpy() for g in final])
        self.immediate: Array | None = None
        delayed = {lag: g.numpy() for g, lag in zip(final, p.lag, strict=True) if lag and g is not None}
        self.untouched = {
            lag - forward.T: g for lag, g in delayed.items() if lag >= forward.T
        }  # values from before the first step
        self.immediate_scales = zeros((R, forward.T, s.W), k.integer)
        if every is not None or delayed:
            self._see(every, delayed)
        endings = {"_every": self.immediate is not None, "_inputs": inputs, "_vectors": not matrices}
        self.name = "backward" + "".join(name for name, chosen in endings.items() if chosen)

    def _see(self, every: Scaled | None, delayed: dict[int, Array]) -> None:
        """The loss' own gradient of each h_t, as rows and exponents."""
        k, s, T = self.kernel, self.kernel.shapes, self.forward.T
        if isinstance(every, ScaledRows) and every.rows.fits(s) and not delayed:
            self.immediate = every.rows.array
        else:
            self.immediate = zeros((self.R, T, *s.rows(s.H)), k.dtype)
        seen, scales = s.view(self.immediate, s.H), self.immediate_scales[..., : s.B]  # (R, T, B, H), (R, T, B)
        if every is not None:
            scales[...] = every.exponents.numpy().swapaxes(0, 1)
            if not isinstance(every, ScaledRows) or self.immediate is not every.rows.array:
                seen[...] = every.values.numpy().swapaxes(0, 1)
        for lag, g in delayed.items():
            t = T - 1 - lag
            if t >= 0:
                before = Scaled(torch.from_numpy(seen[:, t]), torch.from_numpy(scales[:, t]))
                total = before + Scaled.plain(torch.from_numpy(g))
                seen[:, t], scales[:, t] = total.values.numpy(), total.exponents.numpy()

    def _seed(self, final: list[Array | None]) -> None:
        """The loss' gradient of the last state stands where the step after it would have left its share."""
        p, s = self.kernel.program, self.kernel.shapes
        largest = np.zeros((self.R, s.B))
        given = {p.base[part]: g for part, g in enumerate(final) if g is not None and not p.lag[part]}
        for g in given.values():
            largest = np.fmax(largest, np.abs(g).max(-1))
        finite = np.isfinite(largest)
        exponent = np.where(largest > 0, np.frexp(np.where(finite, largest, 1))[1], NONE).astype(self.kernel.integer)
        slot = (self.forward.T + 1) % self.ring
        shift = np.where(exponent > NONE, exponent, 0)
        self.tops[:, slot, : s.B] = exponent
        self.scales[:, slot, : s.B] = shift
        for base, g in given.items():
            s.view(self.carries[base, 1][:, 0], s.H)[...] = np.ldexp(g, -shift[..., None])

    def segment(self, states: list[Array], saved: list[Array], *, start: int, first: int, stop: int) -> None:
        """Steps stop … first + 1; the segment's arrays begin with step start + 1."""
        k, forward = self.kernel, self.forward
        shared = {"panel": self.panel, "factors": self.factors, "norms": self.norms, "squares": self.squares}
        shared["largest"] = self.largest
        table = {name: (array.ctypes.data, 0) for name, array in (shared | self.scratch).items()}
        table |= {"from": (first + 1, 0), "to": (stop + 1, 0)}
        table |= {"weights": at(self.weights), "vectors": at(forward.vectors)}
        table["tokens"] = table["x"] = at(forward.x, 1)
        table |= {f"given{i}": at(a, 1) for i, a in enumerate(forward.given)}
        table |= {f"state{b}": at(a, start - forward.depth) for b, a in enumerate(states)}
        table |= {saved_name(k, i): at(a, start + 1) for i, a in enumerate(saved)}
        table |= {f"carry{b}_{reach}": at(a) for (b, reach), a in self.carries.items()}
        table |= {"deltas": at(self.deltas), "scales": at(self.scales), "tops": at(self.tops)}
        table |= {f"gradient{i}": at(a) for i, a in enumerate(self.matrices)}
        table |= {"sums": at(self.sums), "levels": at(self.levels, 1)}
        table["each"] = at(self.each, 1) if self.recorded else (self.each.ctypes.data, 0)
        table["each_step"] = (self.each.strides[1] // self.each.itemsize if self.recorded else 0, 0)
        if self.immediate is not None:
            table |= {"immediate": at(self.immediate, 1), "immediate_scales": at(self.immediate_scales, 1)}
        if self.dx is not None and self.input_weights is not None:
            table |= {"dx": at(self.dx, 1), "dx_scales": at(self.dx_scales, 1)}
            table["input_weights"] = at(self.input_weights)
        k.call(self.name, table, self.R)

    def inputs(self) -> ScaledRows | None:
        """∂L/∂x_t, where it is wanted."""
        if self.dx is None:
            return None
        s = self.kernel.shapes
        rows = LaidOut(self.dx, s.D, s)
        exponents = torch.from_numpy(self.dx_scales[..., : s.B]).transpose(0, 1)
        return ScaledRows(torch.from_numpy(rows.view), exponents, rows)

    def parameters(self) -> dict[str, Array]:
        """Gradients of the parameters."""
        return self.kernel.gradients(self.matrices, self.sums, self.R)

    def initial(self) -> list[Array]:
        """∂L/∂(state before the first step), each part (R, B, H), from what the first steps have left in the rings."""
        p, s = self.kernel.program, self.kernel.shapes
        flat, H = self.forward.flat, s.H
        out = []
        for base, lag in zip(p.base, p.lag, strict=True):
            total = np.zeros((self.R, s.B, H))
            if base == p.base[0] and lag in self.untouched:
                total += self.untouched[lag]
            for other, (same, reach) in enumerate(zip(p.base, [p.reach(q) for q in range(len(p.base))], strict=True)):
                t = reach - lag  # the step that read this part as `other`
                if same != base or not 1 <= t <= self.forward.T:
                    continue
                scale = self.scales[:, t % self.ring, : s.B, None].astype(np.int32)
                share = np.zeros((self.R, s.B, H))
                if (base, reach) in self.carries and (other in p.carries):
                    share += s.view(self.carries[base, reach][:, t % reach], H)
                for term in p.terms:
                    if term.operand is not None and term.operand.op == "state" and term.operand.args[0] == other:
                        places = self.kernel.places[term.matrix][term.block * H : (term.block + 1) * H]
                        deltas = self.deltas[:, term.accumulator * self.ring + t % self.ring]
                        delta = np.ascontiguousarray(s.view(deltas, H).swapaxes(-1, -2), np.float64)
                        # by torch, whose bits MKL_CBWR holds: numpy's OpenBLAS differs from processor to processor
                        W = torch.from_numpy(flat[:, places]).double()
                        # one replica at a time: a product of a stack may differ in its last digit
                        d = torch.from_numpy(delta)
                        each = [W[r : r + 1].mT @ d[r : r + 1] for r in range(self.R)]
                        share += torch.cat(each).numpy().swapaxes(-1, -2)
                with np.errstate(over="ignore", invalid="ignore"):  # an infinite gradient is one
                    total += np.ldexp(share, scale)
            with np.errstate(over="ignore"):
                out.append(total.astype(self.kernel.dtype))
        return out

    def record(self, recorder: AdjointRecorder, every: Scaled | None, last: Scaled | None) -> None:
        """Levels of all steps within the window; before it true zeros.

        Args:
            every, last: the loss' own gradient of h_1 … h_T, and of h_T besides.
        """
        T, forward = self.forward.T, self.forward
        sums, tops = self.levels.transpose(3, 1, 0, 2)  # each (T, R, bases)
        with np.errstate(divide="ignore"):
            levels = np.log10(sums) + tops * log10(2)
        levels[: T - forward.call.window] = -np.inf
        recorder.log10_adjoint = levels[..., 0]
        *norms, exponents = self.each[..., : self.kernel.shapes.B].transpose(2, 1, 0, 3)  # each (T, R, B)
        recorder.log10_norms = log10_norms(norms[0], exponents)
        parts = [(levels[..., i], log10_norms(norms[i], exponents)) for i in forward.call.cell_state]
        recorder.log10_adjoint_cell, recorder.log10_norms_cell = joint(parts)
        if every is not None:
            recorder.log10_immediate = immediate_norms(every, T, forward.call.window)
            if last is not None:
                last = Scaled(every.values[-1], every.exponents[-1]) + last
                recorder.log10_immediate[-1] = log10_mean_norm(last.values, last.exponents)
        elif last is not None:
            recorder.log10_immediate = immediate_norms(last, T, forward.call.window)
