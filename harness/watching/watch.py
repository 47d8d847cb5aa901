"""`harness.watch`: hooks on a model's recurrent modules, and the table and figures of what they have seen."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from harness.errors import HarnessError, ResultsError
from harness.watching.calls import NAMES
from harness.watching.cells import CELL_MODULES, CellRecorder
from harness.watching.clipping import Clipping
from harness.watching.levels import Levels
from harness.watching.loops import levels_of_loops
from harness.watching.mistakes import check_cut, check_truncated
from harness.watching.modules import ModuleRecorder
from harness.watching.moment import Moment
from harness.watching.tables import drawn, frame_of
from harness.watching.tensors import TensorRecorder

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.watching.folder import WatchFolder


SCRIPTED = ("RNN", "LSTM", "GRU", *(kind.__name__ for kind in CELL_MODULES))


class Watch:
    """The gradients of a model's recurrent states; from `harness.watch`.

    Attributes:
        levels: what has been recorded, one entry a state of a call.
    """

    def __init__(self, model: nn.Module, every: int = 1, to: str | PathLike[str] | None = None, start: int = 0) -> None:
        if not isinstance(model, nn.Module):
            raise HarnessError(f"watch: expected a torch.nn.Module, not {type(model).__name__}")
        _check_uncompiled(model)
        self._every = every
        self._folder = None if to is None else _folder(to, start)
        self._moment = Moment(update=start, recording=start % every == 0, parameters=list(model.parameters()))
        self._clipping = Clipping(model, self._moment)
        self._modules = ModuleRecorder(model, self._moment)
        self._cells = CellRecorder(model, self._moment)
        recurrent = isinstance(model, (nn.RNNBase, *CELL_MODULES))
        self._tensors = TensorRecorder(self._moment, refused=NAMES if recurrent else ())
        self.levels: list[Levels] = []
        self._loops = False
        self._settled = self._logged = self._arrivals = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._moment.close()
        if kind is None:
            self.close()
        elif self._folder is not None:
            self._folder.close()

    def step(self) -> None:
        """The end of an update, after the optimizer's step: a record is computed and, with `to`, written.

        Raises:
            ResultsError: the folder cannot be written.
        """
        moment = self._moment
        if moment.recording:
            self._clipping.finish_update()
            moment.release()
            self._record()
            self._forget()
        moment.finish_update()
        moment.recording = not moment.closed and moment.update % self._every == 0

    def close(self) -> None:
        """Remove all hooks and compute what has a gradient; the record stays."""
        self._moment.close()
        try:
            self._record()
        finally:
            if self._folder is not None:
                self._folder.close()
                self._folder = None
        self._forget()
        self._clipping.report()

    def _record(self) -> None:
        """Compute, and write, what a gradient has come to since the last record."""
        self._collect()
        new = [each for each in self.levels[self._settled :] if each.update == self._moment.update]
        self._settled = len(self.levels)
        if self._folder is not None and new:
            self._folder.add(new, self._moment.update + 1)

    def _collect(self) -> None:
        """Compute what a gradient has come to in this update, on the CPU, whatever the caller's defaults are.

        Another backward pass may follow: what it adds is computed again, until the update ends.
        """
        if self._arrivals == self._moment.arrivals:
            return
        arrivals = self._moment.arrivals
        with _on_cpu(), torch.autocast("cpu", enabled=False), torch.inference_mode(False):
            self._compute()
        self._arrivals = arrivals

    def _compute(self) -> None:
        levels = self._modules.collect()
        for calls in self._cells.take().values():
            self._loops = True
            of_loop, vanished = levels_of_loops(calls)
            changed = next((call for call in calls if call.input_changed), None)
            if changed is not None:
                self._moment.warn(
                    f"{changed.name or 'the model'}: the input at t = {changed.t} was changed in place afterwards: the "
                    "record is of what it is now",
                    ("changed", changed.name),
                )
            levels += of_loop
            check_truncated(of_loop, self._moment)
            check_cut(calls, self._moment)
            if vanished:
                first = vanished[-1]
                self._moment.warn(
                    f"{first.name or 'the model'}: the training's own gradient is exactly zero at t ≤ {first.t}, below "
                    "the smallest number of its arithmetic",
                    ("range", first.name),
                )
        levels += self._tensors.collect()
        self.levels[self._settled :] = levels

    def _forget(self) -> None:
        for recorder in (self._modules, self._cells, self._tensors):
            recorder.forget()

    def state(self, tensor: Tensor, name: str = "h") -> Tensor:
        """Record the total gradient of a state of a recurrence of one's own; call it at every step.

        Args:
            tensor: the state at a step, (B, H), or (H,) of one sequence.
            name: "h", "c", or another; t counts the calls by one name, and begins anew after a backward pass.

        Returns:
            the same tensor.

        Raises:
            HarnessError: it has other dimensions.
        """
        _check_named(tensor, name, "state(h)")
        if tensor.dim() not in (1, 2):
            shape = tuple(tensor.shape)
            raise HarnessError(f"state '{name}': {shape}, expected (B, H) or (H,); mark() takes any tensor")
        self._tensors.add(tensor, name, alone=tensor.dim() == 1, recurrent=True)
        return tensor

    def mark(self, tensor: Tensor, name: str) -> Tensor:
        """Record the gradient of any tensor whose first axis is the batch; the norm is over all others.

        A complex tensor's norm is that of its moduli.

        Returns:
            the same tensor.
        """
        _check_named(tensor, name, "mark(tensor, 'name')")
        self._tensors.add(tensor, name)
        return tensor

    @property
    def frame(self) -> pd.DataFrame:
        """A row a state and time step; what has a gradient by now is computed.

        Returns:
            columns module, call, update, layer, direction, state, t, lag, log10_adjoint, its geometric mean and
            quartiles over the batch (log10_adjoint_geometric, _q25, _q50, _q75), log10_immediate; what they
            mean is in docs/watch.md.
        """
        self._collect()
        return frame_of(self.levels)

    def figure(self, kind: str = "decay", **settings: Any) -> Figure:
        """A figure of the record, as a matplotlib Figure.

        Args:
            kind: "decay" (against the lag) or "heatmap" (over t).
            settings: of that kind (docs/keys.md), but for `where`; hue, col and row may be module, call, layer,
                direction. By default they are those of them that differ.

        Raises:
            HarnessError: there is no such kind or setting, or nothing to draw.
        """
        self._collect()
        return drawn(self.levels, kind, settings)

    def new_levels(self) -> list[Levels]:
        """What has been recorded of updates that have ended since this was last called, for programs that log it."""
        new = self.levels[self._logged : self._settled]
        self._logged = self._settled
        return new

    @property
    def precision(self) -> str:
        """In which arithmetic the record was computed, and in which the training was."""
        sentences = [
            f"recomputed in {ours}, the module's own arithmetic"
            if ours == theirs
            else f"recomputed in {ours}; the module itself computes in {theirs}"
            for ours, theirs in sorted(self._modules.arithmetics)
        ]
        if self._loops:
            sentences.append("loops of cells: backwards in float64, from the training's own states and gradients")
        return "; ".join(sentences)

    @property
    def warnings(self) -> list[str]:
        """What was warned of, in words, once each."""
        return list(self._moment.warned.values())


def _check_named(tensor: object, name: object, usage: str) -> None:
    """Refuse what is no tensor, or a name that is no text, as where the two are interchanged.

    Raises:
        HarnessError: with what is expected.
    """
    if not isinstance(tensor, Tensor) or not isinstance(name, str):
        given = f"{type(tensor).__name__}, {type(name).__name__}"
        raise HarnessError(f"expected a tensor and then its name, as in {usage}, not ({given})")


def _on_cpu() -> AbstractContextManager[object]:
    """What is made within lies on the CPU; a device as a context slows every call of torch, and is rarely needed."""
    return nullcontext() if torch.get_default_device().type == "cpu" else torch.device("cpu")


def _folder(to: str | PathLike[str], start: int) -> WatchFolder:
    from harness.watching.folder import WatchFolder

    try:
        return WatchFolder(Path(to), start)
    except ResultsError as error:  # -o is an option of the commands
        text = str(error).replace("another sweep is", "another watch or sweep is")
        raise ResultsError(
            text.replace("folder with -o", "folder, to=…").replace("another -o", "another, to=…")
        ) from None


def _check_uncompiled(model: nn.Module) -> None:
    """Refuse a compiled model, whose modules are never called.

    Raises:
        HarnessError: a module was compiled by torch.compile, or a recurrent one by torch.jit.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule) and module.original_name in SCRIPTED:
            raise HarnessError(
                f"{name or 'the model'} is an nn.{module.original_name} compiled by torch.jit, whose states hooks "
                "cannot see; watch the Python model that was scripted or traced (load_state_dict brings these weights)"
            )
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise HarnessError(
                f"{name or 'the model'} is compiled by torch.compile, whose code runs no hooks; watch the model before "
                "it is compiled (`_orig_mod`), and call that one in the updates that are recorded"
            )


def watch(model: nn.Module, every: int = 1, to: str | PathLike[str] | None = None, start: int = 0) -> Watch:
    """Record the gradient of every recurrent state of a model, at every time step.

    >>> with harness.watch(model) as gradients:
    ...     criterion(model(x), y).backward()
    >>> gradients.frame

    In a long training call `step()` after each update of the optimizer, and `close()` at the end.

    Args:
        model: any module with nn.RNN, nn.LSTM, nn.GRU or their cells inside.
        every: updates 0, every, 2·every, … are recorded.
        to: a results folder, which `harness.load` and `python -m harness.report` read; None: nothing is written.
        start: updates made before, where a training goes on from a checkpoint: what is recorded of earlier ones stays.

    Raises:
        HarnessError: the model is compiled or scripted, `every` or `start` is no such number, or `to` has a record
            already.
        ResultsError: the folder cannot be written.
    """
    for name, value, least in (("every", every, 1), ("start", start, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise HarnessError(f"{name}: {value!r}, expected an integer, {least} or more")
    return Watch(model, int(every), to, int(start))
