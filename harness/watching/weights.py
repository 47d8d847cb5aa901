"""The weights that a call has used, read without a further evaluation.

A parametrised weight (torch.nn.utils.parametrize) is computed anew by each access: spectral_norm's power iteration goes
a step further, dropout on weights draws another mask. What the call itself has computed is taken down instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import getattr_static
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from harness.watching.hooks import ModuleHook

CELL_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
UNREADABLE = (
    "its weights are computed by an access to {}, and reading them once more could change the training: it is not "
    "recorded; name its states with gradients.state(h)"
)
LATE = "; or call harness.watch after the parametrisation is registered"


class ComputedWeights:
    """The parametrised weights of one module, as its newest call has computed them.

    Args:
        module: whose parametrisations get a hook each.
        handles: what the hooks' handles are added to.
    """

    def __init__(self, module: nn.Module, handles: list[Any]) -> None:
        self.values: dict[str, Tensor] = {}
        self.calling = False
        lists: Any = module.parametrizations if parametrize.is_parametrized(module) else nn.ModuleDict()
        for name, each in lists.items():
            if name in CELL_WEIGHTS:
                handles.append(each.register_forward_hook(ModuleHook(self._computed(name))))

    def _computed(self, name: str) -> Any:
        def computed(parametrization: nn.Module, args: Any, value: Tensor) -> None:
            if self.calling:
                self.values[name] = value

        return computed

    def enter(self) -> None:
        """Before a call: what was computed earlier is not what it uses."""
        self.values, self.calling = {}, True

    def leave(self, module: nn.Module, names: Sequence[str]) -> dict[str, Tensor | None] | str:
        """After a call: the weights that it has used; the name of the first that cannot be read."""
        computed, self.values, self.calling = self.values, {}, False  # no graph lives longer for it
        own: dict[str, Tensor | None] = {}
        for name in names:
            if name in computed:
                own[name] = computed[name]
            elif parametrize._cache_enabled and parametrize._cache.get((id(module), name)) is not None:
                own[name] = parametrize._cache[(id(module), name)]
            elif is_plain(module, name):
                own[name] = getattr(module, name)
            else:
                return name
        return own


def is_plain(module: nn.Module, name: str) -> bool:
    """Whether an access reads a tensor that is there, and computes none: no property stands before it."""
    if getattr_static(type(module), name, None) is not None:
        return False
    return any(name in own for own in (module._parameters, module._buffers, module.__dict__))


def unreadable(module: nn.Module, name: str) -> str:
    """Why a weight cannot be read, and what to do."""
    late = parametrize.is_parametrized(module, name) if hasattr(module, "parametrizations") else False
    return UNREADABLE.format(name) + (LATE if late else "")
