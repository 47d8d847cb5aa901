"""A call of nn.RNN, nn.LSTM or nn.GRU: what went in, what came out, and the gradient of what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from harness.watching.levels import Levels


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
        stretch: as of `Moment`: a state may go from one update to the next without its gradient.
        cut: whether its state is what an earlier call of the same update has returned, without the gradient.
        constant: whether it was given a state that has no gradient.
        levels: what has been computed of the gradients so far; None: nothing, or another one has come since.
        computed: the arithmetic of its products: under autocast not that of the output, which may be float32.
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
    computed: torch.dtype
    gradients: dict[str, Tensor] = field(default_factory=dict)
    versions: tuple[int, int] = (0, 0)
    stretch: int | None = None
    cut: bool = False
    constant: bool = False
    levels: list[Levels] | None = None

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
        self.levels = None
        self.gradients[name] = own.clone() if before is None else before + own


NAMES = ("h", "c")
SHAPE = ("input_size", "hidden_size", "num_layers", "bidirectional", "batch_first", "bias", "proj_size", "dropout")


def arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Input and hx of a call, however they were passed."""
    given = args[0] if args else kwargs.get("input")
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


def is_like_torchs(module: nn.RNNBase, given: Any, hx: Any, output: Any) -> bool:
    """Whether a call has read and returned what torch's own modules do; a subclass may return anything."""
    if not (isinstance(output, tuple) and not isinstance(output, PackedSequence) and len(output) >= 2):
        return False
    y, packed = output[0], isinstance(given, PackedSequence)
    if not (isinstance(y, PackedSequence) if packed else isinstance(y, Tensor) and isinstance(given, Tensor)):
        return False
    directions, parts = 1 + module.bidirectional, len(NAMES) if module.mode == "LSTM" else 1
    if not (_is_state(output[1], parts) and (hx is None or _is_state(hx, parts))):
        return False
    rows, own = (y.data, given.data) if packed else (y, given)
    widths = (module.proj_size or module.hidden_size, module.hidden_size)
    return bool(
        rows.shape == (*own.shape[:-1], directions * widths[0])
        and all(
            part.shape[-1] == width and part.shape[0] == directions * module.num_layers
            for part, width in zip(parts_of(output[1]), widths, strict=False)
        )
    )


def _is_state(hx: Any, parts: int) -> bool:
    """Whether this is h, or (h, c)."""
    if parts == 1:
        return isinstance(hx, Tensor)
    return isinstance(hx, tuple | list) and len(hx) == parts and all(isinstance(part, Tensor) for part in hx)


UNLIKE = (
    "a subclass whose forward takes or returns something else than torch's own cannot be recorded; watch a plain "
    "module inside of it, or name its states with gradients.state(h)"
)


def outputs_of(output: tuple[Any, ...]) -> dict[str, Tensor]:
    """The tensors that a call has returned: output, h, and c of an LSTM."""
    y, hx = output[:2]
    rows = y.data if isinstance(y, PackedSequence) else y
    return {"output": rows, **dict(zip(NAMES, parts_of(hx), strict=False))}


def weights_of(module: nn.RNNBase) -> dict[str, Tensor]:
    """Copies of the weights that a call has just used, by their names; `_flat_weights` is what forward passes on."""
    names: list[str] = module._flat_weights_names
    with torch.no_grad():
        pairs = zip(names, module._flat_weights, strict=True)
        return {name: weight.detach().clone() for name, weight in pairs if weight is not None}


def _computed(output: Tensor) -> torch.dtype:
    """The arithmetic of a call that has just been made; autocast leaves float64 alone."""
    kind = output.device.type
    if output.dtype == torch.float64 or not torch.amp.is_autocast_available(kind):
        return output.dtype
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else output.dtype


def module_call(
    module: nn.RNNBase, name: str, update: int, given: Any, hx: Any, output: tuple[Any, ...],
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
        computed=_computed(tensors["output"]),
        constant=hx is not None and not any(part.requires_grad for part in parts_of(hx)),
    )
