"""Hooks on nn.RNN, nn.LSTM and nn.GRU, and what is computed of the calls that they take down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from harness.errors import HarnessError
from harness.watching.calls import UNLIKE, ModuleCall, arguments, is_like_torchs, module_call, outputs_of, parts_of
from harness.watching.hooks import ModuleHook
from harness.watching.levels import Levels
from harness.watching.mistakes import check_handed_on, check_range, check_truncated, word
from harness.watching.moment import Moment
from harness.watching.recomputing import arithmetic, recomputed
from harness.watching.weights import UNREADABLE, is_plain

# How far recomputed outputs may be from the module's own, relative to 1 + the largest: rounding, over many steps.
TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}
COARSE = 0.05  # of half and bfloat16


class ModuleRecorder:
    """Takes down calls of the recurrent modules of a model."""

    def __init__(self, model: nn.Module, moment: Moment) -> None:
        self.moment = moment
        self.calls: list[ModuleCall] = []
        self.arithmetics: set[tuple[str, str]] = set()
        self._before: dict[tuple[int, int], Tensor | None] = {}
        self._ends: dict[str, set[int]] = {}
        self._boundary = moment.boundary
        for name, module in model.named_modules():
            if isinstance(module, nn.RNNBase):
                moment.handles += [
                    module.register_forward_pre_hook(ModuleHook(self._enter(name)), with_kwargs=True),
                    module.register_forward_hook(ModuleHook(self._leave(name)), with_kwargs=True),
                ]

    def _enter(self, name: str) -> Callable[..., None]:
        def enter(module: nn.RNNBase, args: Any, kwargs: Any) -> None:
            if not self.moment.recording:
                return
            self.moment.check_call(name)
            drops = module.training and module.dropout > 0 and module.num_layers > 1
            device = _device(arguments(args, kwargs)[0])
            if drops and torch.is_grad_enabled() and device != "cpu":
                raise HarnessError(
                    f"{name or 'the model'}: dropout between the layers of a recurrent module cannot be drawn again on "
                    f"{device}; record on the CPU, or with dropout=0"
                )
            self._before[get_ident(), id(module)] = torch.get_rng_state() if drops else None

        return enter

    def _leave(self, name: str) -> Callable[..., None]:
        def leave(module: nn.RNNBase, args: Any, kwargs: Any, output: Any) -> None:
            if not self.moment.recording:
                return
            random_state = self._before.pop((get_ident(), id(module)), None)
            given, hx = arguments(args, kwargs)
            if not is_like_torchs(module, given, hx, output):
                if torch.is_grad_enabled():
                    self.moment.warn(f"{name or 'the model'}: {UNLIKE}", ("unlike", name))
                return
            tensors = {key: tensor for key, tensor in outputs_of(output).items() if tensor.requires_grad}
            if not tensors or not tensors[next(iter(tensors))].numel():  # a batch of no sequences
                return
            if not is_plain(module, "_flat_weights"):
                text = f"{name or 'the model'}: {UNREADABLE.format('_flat_weights')}"
                self.moment.warn(text, ("weights", name))
                return
            cut = self._starts_from_an_end(name, parts_of(hx), output)
            call = module_call(module, name, self.moment.update, given, hx, output, random_state)
            call.cut, call.stretch = cut, self.moment.stretch
            self.calls.append(call)
            self.moment.called()
            for key, tensor in tensors.items():
                self.moment.listen(tensor, _listener(call, key))

        return leave

    def _starts_from_an_end(self, name: str, parts: tuple[Tensor, ...], output: Any) -> bool:
        """Whether a state is handed on within an update without its gradient; a state of an earlier update that is
        carried over with its graph is warned of.
        """
        self.moment.check_state(name, parts)
        if self._boundary != self.moment.boundary:  # another update
            self._boundary = self.moment.boundary
            self._ends.clear()
        ends = self._ends.setdefault(name, set())
        cut = any(not part.requires_grad and part.data_ptr() in ends for part in parts)
        ends.update(part.data_ptr() for part in parts_of(output[1]))
        return cut

    def collect(self) -> list[Levels]:
        """The levels of all calls of this update that a gradient has come to; `forget` ends the update."""
        levels: list[Levels] = []
        numbers: dict[str, int] = {}
        for call in self.calls:
            if not call.gradients:
                continue
            number = numbers[call.module] = numbers.get(call.module, 0) + 1
            if call.levels is None:
                call.levels = self._levels(call, number)
            levels += [replace(each, call=number) for each in call.levels]
        for name in numbers:
            check_handed_on([call for call in self.calls if call.module == name], self.moment)
        return levels

    def forget(self) -> None:
        """Drop all calls, with those that no gradient has come to: of an evaluation, a checkpoint's second forward."""
        self.calls.clear()
        self._before.clear()
        self._ends.clear()

    def _levels(self, call: ModuleCall, number: int) -> list[Levels]:
        result = recomputed(call, number)
        name, dtype = call.module or "the model", call.computed
        self.arithmetics.add((word(arithmetic(call)), word(dtype)))
        if call.input_changed:
            self.moment.warn(
                f"{name}: the input of call {number} was changed in place afterwards: the record is of what it is now",
                ("changed", call.module),
            )
        elif not call.output_changed and not result.deviation <= TOLERANCE.get(dtype, COARSE):
            self.moment.warn(
                f"{name}: the recomputed outputs of call {number} deviate from the module's own by "
                f"{result.deviation:.1g} of the largest: the record does not describe this forward pass",
                ("deviation", call.module),
            )
        range_of = call.output.dtype  # autocast's GRU returns float32, and hands its states on in it
        if not any(bool(gradient.any()) for gradient in call.gradients.values()):
            self.moment.warn(
                f"{name}: the gradient of all outputs of call {number} is exactly zero"
                + (
                    f", below the smallest number of {word(range_of)}: scale the loss"
                    if range_of == torch.float16
                    else ""
                ),
                ("zero", call.module),
            )
        check_truncated(result.levels, self.moment)
        check_range(result.levels, range_of, self.moment)
        return result.levels


def _device(given: Any) -> str:
    """The kind of device that an input lies on; of one that is no tensor, the CPU."""
    rows = given.data if isinstance(given, PackedSequence) else given
    return rows.device.type if isinstance(rows, Tensor) else "cpu"


def _listener(call: ModuleCall, name: str) -> Callable[[Tensor], None]:
    return lambda gradient: call.add(name, gradient)
