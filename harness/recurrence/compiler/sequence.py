"""A cell over a whole sequence in compiled code, both ways: what the functions that autograd sees are made of."""

from __future__ import annotations

from collections.abc import Sequence as Sequences

import numpy as np
import torch
from torch import Tensor

from harness.recurrence.compiler.backward_arrays import BackwardArrays
from harness.recurrence.compiler.forward_arrays import CompiledCall, ForwardArrays
from harness.recurrence.compiler.layout import LaidOut
from harness.recurrence.compiler.memory import Array, empty
from harness.recurrence.scaled import Scaled


class Sequence:
    """The forward direction is computed when this is made; `backward` may be called once.

    Args:
        inputs: tokens (T, R, B), rows (T, R, B, D), or the rows that another sequence has left.
        state: before the first step, each part (R, B, H).
        parameters: those of `call.names`.
    """

    def __init__(
        self, call: CompiledCall, inputs: Tensor | LaidOut, state: Sequences[Tensor], parameters: Sequences[Tensor]
    ) -> None:
        self.call = call
        before = [tensor.detach().numpy() for tensor in state]
        flat = call.kernel.flat(dict(zip(call.names, parameters, strict=True)))
        self.forward = forward = ForwardArrays(call, inputs, before, flat)
        self._starts: list[list[Array]] = []
        self._arrays: tuple[list[Array], list[Array]] | None = None
        seen: list[Array] = []
        for start in range(0, forward.T, forward.segment):
            stop = min(start + forward.segment, forward.T)
            states = forward.states(stop - start)
            forward.fill(states, before)
            self._starts.append(before)
            saved = forward.saved(stop - start) if call.keep and stop > forward.T - call.window else None
            forward.run(states, saved, start, stop)
            self._arrays = (states, saved) if saved is not None else None
            before = forward.end(states, stop - start)
            if call.every_step:
                seen.append(states[0][:, forward.depth + 1 :])
        self.last = [torch.from_numpy(part) for part in before]  # each part of the state after the last step (R, B, H)
        self._seen = seen

    def every(self) -> LaidOut:
        """h_1 … h_T."""
        if len(self._seen) > 1:
            whole = [sum(each.shape[1] for each in self._seen), *self._seen[0].shape[2:]]
            joined = empty((len(self._seen[0]), *whole), self._seen[0].dtype)  # aligned: the next layer's code reads it
            self._seen = [np.concatenate(self._seen, axis=1, out=joined)]
        return LaidOut(self._seen[0], self.call.kernel.shapes.H, self.call.kernel.shapes)

    def backward(
        self, every: Scaled | None, final: list[Tensor | None], *, inputs: bool, matrices: bool
    ) -> BackwardArrays:
        """The way back from the gradients of h_1 … h_T and of the last state's parts; levels go to the recorder.

        Args:
            inputs, matrices: whether their gradients are wanted; those of weights are zeros otherwise.
        """
        forward, call = self.forward, self.call
        back = BackwardArrays(forward, every, final, inputs=inputs, matrices=matrices)
        before = forward.T - call.window
        for start in reversed(range(0, forward.T, forward.segment)):
            stop = min(start + forward.segment, forward.T)
            if stop <= before:
                break
            arrays, self._arrays = self._arrays, None
            if arrays is None:
                arrays = forward.states(stop - start), forward.saved(stop - start)
                forward.fill(arrays[0], self._starts[start // forward.segment])
                forward.run(*arrays, start, stop)
            back.segment(*arrays, start=start, first=max(before, start), stop=stop)
            del arrays  # their memory serves the next segment
        if call.recorder is not None:
            back.record(call.recorder, every, None if final[0] is None else Scaled.plain(final[0]))
        return back

    def initial(self, back: BackwardArrays) -> list[Tensor]:
        """The gradients of the state before the first step; zeros where the window does not reach it."""
        reached = self.call.window >= self.forward.T
        parts = back.initial() if reached else [np.zeros_like(part) for part in self.forward.initial]
        return [torch.from_numpy(part) for part in parts]
