"""A call of nn.RNN, nn.LSTM or nn.GRU: what went in, what came out, and the gradient of what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


@dataclass
class ModuleCall:
    """One call, in the module's own layout.

    Attributes:
        module: its name in the watched model.
        update: parameter updates made before.
        mode: RNN_TANH, RNN_RELU, LSTM or GRU.
        shape: settings of the module that say how tensors lie: num_layers, bidirectional, batch_first, …
        weights: by name, as they were at this call: an optimizer may step before anything is computed.
        input: the rows that were read, and for a packed sequence how many sequences have each step.
        initial: copies of h_0 and for an LSTM c_0, in the order of the rows; empty where none was given.
        output, final: what was returned, in the same order.
        random_state: of the CPU's generator before the call, where dropout between layers drew from it.
        versions: of the input and the output: a change in place shows in them.
        gradients: of output, h and c, as far as a backward pass has brought them.
    """

    module: str
    update: int
    mode: str
    shape: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    input: Tensor
    batch_sizes: Tensor | None
    initial: tuple[Tensor, ...]
    output: Tensor
    final: tuple[Tensor, ...]
    sorted_indices: Tensor | None
    random_state: Tensor | None
    gradients: dict[str, Tensor] = field(default_factory=dict)
    versions: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self.versions = self._versions()

    def _versions(self) -> tuple[int, int]:
        return self.input._version, self.output._version

    @property
    def input_changed(self) -> bool:
        """Whether what was read has been changed in place since the call."""
        return self.versions[0] != self._versions()[0]

    @property
    def output_changed(self) -> bool:
        """Whether the output has been changed in place since the call, as an activation that follows it may do."""
        return self.versions[1] != self._versions()[1]

    def add(self, name: str, gradient: Tensor) -> None:
        """A gradient that a backward pass has brought; several passes add up, as they do in the parameters."""
        own = gradient.detach()
        before = self.gradients.get(name)
        self.gradients[name] = own.clone() if before is None else before + own


NAMES = ("h", "c")
SHAPE = ("input_size", "hidden_size", "num_layers", "bidirectional", "batch_first", "bias", "proj_size", "dropout")


def arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Input and hx of a call, however they were passed."""
    given = args[0] if args else kwargs["input"]
    return given, args[1] if len(args) > 1 else kwargs.get("hx")


def parts_of(hx: Any) -> tuple[Tensor, ...]:
    """The parts of a state: (h,) or (h, c)."""
    if hx is None:
        return ()
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)


def as_read(tensor: Tensor) -> Tensor:
    """What a call reads, without its graph; a copy of a parameter or a view of one, which an optimizer will change."""
    source = tensor if tensor._base is None else tensor._base
    own = tensor.detach()
    return own.clone() if source.is_leaf and source.requires_grad else own


def outputs_of(output: tuple[Any, Any]) -> dict[str, Tensor]:
    """The tensors that a call has returned: output, h, and c of an LSTM."""
    y, hx = output
    rows = y.data if isinstance(y, PackedSequence) else y
    return {"output": rows, **dict(zip(NAMES, parts_of(hx), strict=False))}


def weights_of(module: nn.RNNBase) -> dict[str, Tensor]:
    """Copies of the weights that a call has just used, by their names; `_flat_weights` is what forward passes on."""
    names: list[str] = module._flat_weights_names
    with torch.no_grad():
        pairs = zip(names, module._flat_weights, strict=True)
        return {name: weight.detach().clone() for name, weight in pairs if weight is not None}


def module_call(
    module: nn.RNNBase, name: str, update: int, given: Any, hx: Any, output: tuple[Any, Any],
    random_state: Tensor | None,
) -> ModuleCall:  # fmt: skip
    """The call as it has just been made."""
    packed = isinstance(given, PackedSequence)
    tensors = outputs_of(output)
    return ModuleCall(
        module=name,
        update=update,
        mode=module.mode,
        shape={key: getattr(module, key) for key in SHAPE},
        weights=weights_of(module),
        input=as_read(given.data if isinstance(given, PackedSequence) else given),
        batch_sizes=given.batch_sizes if packed else None,
        initial=tuple(part.detach().clone() for part in parts_of(hx)),
        output=tensors["output"].detach(),
        final=tuple(tensors[part].detach() for part in NAMES if part in tensors),
        sorted_indices=given.sorted_indices if packed else None,
        random_state=random_state,
    )
