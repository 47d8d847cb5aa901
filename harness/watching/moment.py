"""What all recorders of one watch share: whether this update is recorded, what is removed at its end, and warnings."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from harness.errors import HarnessError

MOST_CHANGES = 20  # of the weights, in one update


class WatchWarning(UserWarning):
    """A mistake that a watch has seen in a training, or something that its record does not say."""


@dataclass
class Moment:
    """The state of a watch.

    Attributes:
        recording: whether calls are taken down now.
        closed: whether it is at its end.
        update: parameter updates made before.
        handles: of hooks on modules, which stay until the end.
        passing: of hooks on tensors, which stay until the record is computed.
        parameters: of the model; an optimizer changes them in place.
        boundary: autograd's sequence number at the end of the last update: nodes with smaller ones belong to an earlier
            one. An update ends with `step`, or where the weights have changed after a backward pass. A second loss of
            the same update ends nothing.
        last: the sequence number after the newest call.
        weights: versions of the parameters, as the last backward pass has met them; None: there was none yet.
        arrivals: gradients that have come so far.
        task, met: the newest backward pass, and the versions of the parameters that it has met.
        changes: how often those were other ones in this update, which `step` ends.
        warned: the warnings, by kind and module.
    """

    recording: bool = True
    closed: bool = False
    update: int = 0
    handles: list[Any] = field(default_factory=list)
    passing: list[Any] = field(default_factory=list)
    parameters: Sequence[Tensor] = ()
    boundary: int = 0
    last: int = 0
    weights: int | None = None
    arrivals: int = 0
    task: int = -1
    met: int | None = None
    changes: int = 0
    warned: dict[tuple[str, str], str] = field(default_factory=dict)

    def warn(self, text: str, mistake: tuple[str, str]) -> None:
        """Warn once of a mistake: its kind, and the module's name."""
        if mistake not in self.warned:
            self.warned[mistake] = text
            warnings.warn(text, WatchWarning, stacklevel=3)

    def listen(self, tensor: Tensor, listener: Any) -> None:
        """Have the gradient of a tensor passed on; the hook returns nothing, so that the gradient stays what it is."""

        def hook(gradient: Tensor | None) -> None:
            if gradient is not None:  # torch calls it also where no gradient has come
                self._pass_comes()
                self.arrivals += 1
                listener(gradient)

        self.passing.append(tensor.register_hook(hook))  # type: ignore[no-untyped-call]

    def check_call(self, name: str) -> None:
        """Refuse a call that hooks cannot see.

        Raises:
            HarnessError: it is traced by torch.compile, or transformed by torch.func.
        """
        if self.changes >= MOST_CHANGES:
            self.warn(
                f"the weights have changed {self.changes} times, and all is recorded as update {self.update} and kept "
                "until it ends: call step() of the watch after each update of the optimizer",
                ("step", ""),
            )
        if torch.compiler.is_compiling():
            raise HarnessError(
                f"{name or 'the model'}: a watched module cannot be compiled by torch.compile; call the uncompiled "
                "model in the updates that are recorded (of a compiled one it is `_orig_mod`)"
            )
        if torch._C._functorch.maybe_current_level() is not None:
            raise HarnessError(
                f"{name or 'the model'}: a call inside torch.vmap or another transform of torch.func has no gradient "
                "of its own; call the module on the whole batch, outside of the transform, and use backward()"
            )

    @property
    def stretch(self) -> int | None:
        """Which update a call belongs to, also where `step` is not called; None of a checkpoint's repeated forward."""
        return None if torch._C._current_graph_task_id() != -1 else self.boundary

    def check_state(self, name: str, parts: tuple[Tensor, ...]) -> None:
        """Warn of a state whose graph a backward pass has gone through already."""
        if torch._C._current_graph_task_id() != -1:  # a checkpoint's forward pass, inside a backward pass
            return
        if self.weights is not None and self._versions() != self.weights:
            self.boundary, self.weights = self.last, None
        for part in parts:
            if part.grad_fn is not None and part.grad_fn._sequence_nr() < self.boundary:
                self.warn(
                    f"{name or 'the model'}: starts from a state of an earlier update with its graph: each update goes "
                    "back through all updates before; detach the state, h = h.detach()",
                    ("carried over", name),
                )

    def _versions(self) -> int:
        return sum(parameter._version for parameter in self.parameters)

    def _pass_comes(self) -> None:
        """A gradient has come: the first one of a backward pass looks at the weights."""
        task = torch._C._current_graph_task_id()
        if task == self.task and self.weights is not None:
            return
        versions = self._versions()
        self.changes += self.met is not None and versions != self.met
        self.task, self.met = task, versions
        self.weights = versions if self.weights is None else self.weights

    def called(self) -> None:
        """The end of a call: its outputs are older than what is made from here on."""
        self.last = torch.autograd._get_sequence_nr()  # type: ignore[attr-defined]

    def finish_update(self) -> None:
        """The end of an update: what was made before it belongs to it."""
        self.update += 1
        self.boundary, self.weights = torch.autograd._get_sequence_nr(), None  # type: ignore[attr-defined]
        self.met, self.changes = None, 0

    def release(self) -> None:
        """Remove the hooks on tensors."""
        for handle in self.passing:
            handle.remove()
        self.passing.clear()

    def close(self) -> None:
        """Remove all hooks."""
        self.recording, self.closed = False, True
        self.release()
        for handle in self.handles:
            handle.remove()
        self.handles.clear()
