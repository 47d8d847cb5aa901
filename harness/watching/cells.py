"""Calls of nn.RNNCell, nn.LSTMCell and nn.GRUCell in a loop of one's own, linked into sequences.

A call goes on from an earlier one where its hx is the very tensor that this one has returned; where it is a copy
without a gradient, the gradient is cut there; and where it was computed from it, only the training's own total gradient
is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import ref

import torch
from torch import Tensor, nn

from harness.recurrence.autocast import autocast_in_force
from harness.watching.calls import UNLIKE, arguments, as_read, parts_of
from harness.watching.hooks import ModuleHook
from harness.watching.moment import Moment
from harness.watching.weights import CELL_WEIGHTS, ComputedWeights, unreadable

CELL_MODULES = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
MOST_NODES = 1000  # of a graph, between two states
LinkKind = Literal["same", "cut", "through"]


@dataclass(eq=False)
class CellCall:
    """One step of a loop.

    Attributes:
        kind: nn.LSTMCell, nn.GRUCell, or the nonlinearity of an nn.RNNCell.
        input: as it was given, whose memory it shares: a change in place shows in `version`.
        initial: copies of the parts of hx, each (B, H) or (H,); empty where none was given.
        outputs: h, and c of an LSTM.
        sequence, t: which sequence of calls of this module it belongs to, and its place there, from 1.
        links: of each part of the state, the call that it came from, and in which manner.
        stretch: as of `Moment`: a state may go from one update to the next without its gradient.
        constant: whether it was given a state that has no gradient.
        gradients: of each output, as the training's backward pass has brought them.
    """

    kind: Any
    name: str
    update: int
    weights: Mapping[str, Tensor]
    input: Tensor
    initial: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    autocast: Callable[[], AbstractContextManager[object]]
    sequence: int
    t: int
    links: list[tuple[CellCall, LinkKind] | None]
    stretch: int | None = None
    constant: bool = False
    readers: list[tuple[CellCall, int, LinkKind]] = field(default_factory=list)
    gradients: list[Tensor | None] = field(default_factory=list)
    version: int = 0

    def __post_init__(self) -> None:
        self.version = self.input._version

    @property
    def input_changed(self) -> bool:
        """Whether what was read has been changed in place since the call."""
        return self.input._version != self.version

    def add(self, part: int, gradient: Tensor) -> None:
        """A gradient that a backward pass has brought."""
        own, before = _batched(gradient), self.gradients[part]
        self.gradients[part] = own.clone() if before is None else before + own


@dataclass
class Returned:
    """An output that a later call may go on from: a weak reference, so that no graph lives longer for it."""

    tensor: ref[Tensor]
    node: Any
    pointer: int
    call: CellCall
    part: int


@dataclass
class CellLoop:
    """The calls of one module during one record."""

    calls: list[CellCall] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)
    sequences: int = 0
    weights: tuple[list[tuple[ref[Tensor], int]], dict[str, Tensor]] | None = None

    def add(
        self, module: nn.Module, name: str, update: int, given: Tensor, parts: tuple[Tensor, ...], output: Any,
        weights: Mapping[str, Tensor | None], stretch: int | None = None,
    ) -> CellCall:  # fmt: skip
        """The call that has just been made, and the weights that it has used."""
        outputs = parts_of(output)
        links = [self._link(part, i) for i, part in enumerate(parts)] or [None] * len(outputs)
        before = next((link[0] for link in links if link is not None), None)
        if before is None or before.readers:  # a second call that goes on from the same state is another sequence
            self.sequences += 1
            sequence, t = self.sequences, 1
        else:
            sequence, t = before.sequence, before.t + 1
        call = CellCall(
            kind=_kind(module),
            name=name,
            update=update,
            weights=self._weights(weights),
            input=_batched(as_read(given)),
            initial=tuple(_batched(part).clone() for part in parts),  # a state may be written over in place
            outputs=tuple(_batched(part) for part in outputs),
            autocast=autocast_in_force(given.device),
            sequence=sequence,
            t=t,
            links=links,
            stretch=stretch,
            constant=bool(parts) and not any(part.requires_grad for part in parts),
            gradients=[None] * len(outputs),
        )
        for part, link in enumerate(links):
            if link is not None:
                link[0].readers.append((call, part, link[1]))
        self.calls.append(call)
        self.returned += [
            Returned(ref(tensor), tensor.grad_fn, tensor.data_ptr(), call, i) for i, tensor in enumerate(outputs)
        ]
        return call

    def _weights(self, weights: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """Copies of the weights; the same ones as long as they are the same tensors, which nothing has changed."""
        present = {name: value for name, value in weights.items() if value is not None}
        known = [] if self.weights is None else self.weights[0]
        same = len(known) == len(present) and all(
            own() is value and version == value._version
            for (own, version), value in zip(known, present.values(), strict=True)
        )
        if self.weights is None or not same:
            seen = [(ref(value), value._version) for value in present.values()]
            self.weights = seen, {name: value.detach().clone() for name, value in present.items()}
        return self.weights[1]

    def _link(self, part: Tensor, i: int) -> tuple[CellCall, LinkKind] | None:
        """The call that a part of the state came from."""
        for each in reversed(self.returned):
            if each.part == i and each.tensor() is part and each.node is part.grad_fn:  # not changed in place
                return each.call, "same"
        if not part.requires_grad:
            shared = (each for each in reversed(self.returned) if each.pointer == part.data_ptr() and each.part == i)
            source = next(shared, None)
            return None if source is None else (source.call, "cut")
        nodes = {each.node: each.call for each in self.returned if each.node is not None and each.part == i}
        reached = next((nodes[node] for node in _graph(part.grad_fn) if node in nodes), None)
        return None if reached is None else (reached, "through")


def _graph(node: Any) -> Iterator[Any]:
    """The nodes behind one, nearest first; at most `MOST_NODES`."""
    queue, seen = [node], {node}
    for current in queue:
        if current is None:
            continue
        yield current
        for following, _ in current.next_functions:
            if following not in seen and len(seen) < MOST_NODES:
                seen.add(following)
                queue.append(following)


class CellRecorder:
    """Takes down calls of the cells of a model."""

    def __init__(self, model: nn.Module, moment: Moment) -> None:
        self.moment = moment
        self.loops: dict[str, CellLoop] = {}
        self.names = {id(module): name for name, module in model.named_modules() if isinstance(module, CELL_MODULES)}
        self.weights: dict[int, ComputedWeights] = {}
        for module in model.modules():
            if isinstance(module, CELL_MODULES):
                self.weights[id(module)] = ComputedWeights(module, moment.handles)
                moment.handles += [
                    module.register_forward_pre_hook(ModuleHook(self._enter)),
                    module.register_forward_hook(ModuleHook(self._leave), with_kwargs=True),
                ]

    def _enter(self, module: nn.Module, args: Any) -> None:
        if self.moment.recording:
            self.moment.check_call(self.names[id(module)])
            self.weights[id(module)].enter()

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if not self.moment.recording:
            return
        name = self.names[id(module)]
        weights = self.weights[id(module)].leave(module, CELL_WEIGHTS)
        given, hx = arguments(args, kwargs)
        if not is_like_torchs_cell(module, given, hx, output):
            if torch.is_grad_enabled():
                self.moment.warn(f"{name or 'the model'}: {UNLIKE}", ("unlike", name))
            return
        outputs, parts = parts_of(output), parts_of(hx)
        if not any(tensor.requires_grad and tensor.numel() for tensor in outputs):
            return
        if isinstance(weights, str):
            text = f"{name or 'the model'}: {unreadable(module, weights)}"
            self.moment.warn(text, ("weights", name))
            return
        self.moment.check_state(name, parts)
        loop = self.loops.setdefault(name, CellLoop())
        call = loop.add(module, name, self.moment.update, given, parts, output, weights, self.moment.stretch)
        self.moment.called()
        for part, tensor in enumerate(outputs):
            if tensor.requires_grad:
                self.moment.listen(tensor, _listener(call, part))

    def take(self) -> dict[str, list[CellCall]]:
        """The calls of each module in this update, if a gradient has come to any of them."""
        return {
            name: loop.calls
            for name, loop in self.loops.items()
            if any(gradient is not None for call in loop.calls for gradient in call.gradients)
        }

    def forget(self) -> None:
        """Drop the calls: the update has ended."""
        self.loops.clear()


def _listener(call: CellCall, part: int) -> Callable[[Tensor], None]:
    return lambda gradient: call.add(part, gradient)


def is_like_torchs_cell(module: nn.Module, given: Any, hx: Any, output: Any) -> bool:
    """Whether a call has read and returned what torch's own cells do."""
    count = 2 if isinstance(module, nn.LSTMCell) else 1
    if not isinstance(given, Tensor):
        return False
    states = [output] if hx is None else [output, hx]
    if any(isinstance(each, Tensor) != (count == 1) or not isinstance(each, Tensor | tuple | list) for each in states):
        return False
    shape = (*given.shape[:-1], module.hidden_size)
    return all(
        len(parts_of(each)) == count and all(isinstance(p, Tensor) and p.shape == shape for p in parts_of(each))
        for each in states
    )


def _kind(module: nn.Module) -> Any:
    kinds = (nn.LSTMCell, nn.GRUCell)
    return next((kind for kind in kinds if isinstance(module, kind)), getattr(module, "nonlinearity", None))


def _batched(tensor: Tensor) -> Tensor:
    own = tensor.detach()
    return own if own.dim() == 2 else own.unsqueeze(0)


def in_training_arithmetic(call: CellCall, gradients: Sequence[Tensor]) -> tuple[list[Tensor], Tensor | None]:
    """A call's backward pass by torch's own functions, numbers and device.

    Args:
        gradients: of each output, as hooks have them.

    Returns:
        the gradients of the state before; and what of the gradient of c came through h. Where c is an output of a fused
        function a hook on it does not see that share: None.
    """
    before = call.initial or tuple(torch.zeros_like(output) for output in call.outputs)
    leaves = [part.detach().requires_grad_() for part in before]
    function: Any = {
        nn.LSTMCell: torch.lstm_cell, nn.GRUCell: torch.gru_cell,
        "tanh": torch.rnn_tanh_cell, "relu": torch.rnn_relu_cell,
    }[call.kind]  # fmt: skip
    with torch.enable_grad(), call.autocast():
        hx: Any = leaves if len(leaves) > 1 else leaves[0]
        outputs = parts_of(function(call.input, hx, *(call.weights.get(name) for name in CELL_WEIGHTS)))
    seen = [gradient.to(output.dtype) for gradient, output in zip(gradients, outputs, strict=True)]
    share = None
    if len(outputs) > 1:
        [share] = torch.autograd.grad(outputs[0], outputs[1:], seen[0], retain_graph=True, allow_unused=True)
        if share is not None:
            seen[1] = seen[1] - share
    return list(torch.autograd.grad(outputs, leaves, seen)), share
