"""`harness.watch`: hooks on a model's recurrent modules, and the table and figures of what they have seen."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

from harness.watching.calls import ModuleCall, arguments, module_call, outputs_of
from harness.watching.levels import Levels
from harness.watching.recomputing import recomputed
from harness.watching.tables import frame_of

if TYPE_CHECKING:
    import pandas as pd


class Watch:
    """The gradients of a model's recurrent states; from `harness.watch`."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._recording = True
        self._update = 0
        self._order = 0
        self._calls: list[ModuleCall] = []
        self._numbers: dict[tuple[int, str], int] = {}
        self._before: dict[tuple[int, int], Tensor | None] = {}
        self._levels: list[Levels] = []
        self._handles: list[Any] = []
        for name, module in model.named_modules():
            if isinstance(module, nn.RNNBase):
                self._handles += [
                    module.register_forward_pre_hook(self._enter, with_kwargs=True),
                    module.register_forward_hook(self._leave(name), with_kwargs=True),
                ]

    def _enter(self, module: nn.RNNBase, args: Any, kwargs: Any) -> None:
        if self._recording:
            drops = module.training and module.dropout > 0 and module.num_layers > 1
            self._before[get_ident(), id(module)] = torch.get_rng_state() if drops else None

    def _leave(self, name: str) -> Callable[..., None]:
        def leave(module: nn.RNNBase, args: Any, kwargs: Any, output: Any) -> None:
            if not self._recording:
                return
            random_state = self._before.pop((get_ident(), id(module)), None)
            tensors = {key: tensor for key, tensor in outputs_of(output).items() if tensor.requires_grad}
            if not tensors:
                return
            given, hx = arguments(args, kwargs)
            self._order += 1
            call = module_call(module, name, self._order, self._update, given, hx, output, random_state)
            self._calls.append(call)
            for key, tensor in tensors.items():
                self._handles.append(tensor.register_hook(_listener(call, key)))  # type: ignore[no-untyped-call]

        return leave

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()
        if kind is None:
            self._collect()

    def close(self) -> None:
        """Remove all hooks; what has been recorded stays."""
        self._remove()
        self._collect()

    def _remove(self) -> None:
        self._recording = False
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _collect(self) -> None:
        """Compute the calls that have a gradient."""
        ready = [call for call in self._calls if call.gradients]
        self._calls = [call for call in self._calls if not call.gradients]
        for call in ready:
            number = self._numbers[call.update, call.module] = self._numbers.get((call.update, call.module), 0) + 1
            self._levels += recomputed(call, number).levels

    @property
    def frame(self) -> pd.DataFrame:
        """A row a state and time step.

        Returns:
            columns module, call, update, layer, direction, state, t, lag, log10_adjoint, log10_immediate.
        """
        self._collect()
        return frame_of(self._levels)


def _listener(call: ModuleCall, name: str) -> Callable[[Tensor], None]:
    def listen(gradient: Tensor) -> None:
        call.add(name, gradient)

    return listen


def watch(model: nn.Module) -> Watch:
    """Record the gradient of every recurrent state of a model."""
    return Watch(model)
