"""torch's optimizers on stacked parameters, by their functional forms.

The arithmetic is torch.optim's own. Its classes are not used because the first one that is constructed imports
torch._dynamo, which takes a second in every process that trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

import torch
from torch import Tensor

# foreach and fused variants add in another order for a stack than for one replica: a run in a pack would differ
# from the same run alone in the last bits.
UNFUSED: dict[str, Any] = {"foreach": False}


class Optimizer:
    """One optimizer over parameters of any shapes, all settings but the step size at torch's defaults.

    Args:
        name: "sgd", "rmsprop" or "adam".
        parameters: tensors whose `grad` a step uses; one without a gradient is left alone.
        learning_rate: the step size.

    Attributes:
        parameters: what is optimized; entries may be replaced.
        state: by parameter, what an optimizer remembers under torch's names: "step", "square_avg", "exp_avg", …
    """

    def __init__(self, name: str, parameters: Iterable[Tensor], learning_rate: float) -> None:
        self.parameters = list(parameters)
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self._remembers, self._apply = OPTIMIZERS[name]
        self._learning_rate = learning_rate

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        moved = [p for p in self.parameters if p.grad is not None]
        for p in moved:
            if self._remembers and p not in self.state:
                self.state[p] = {"step": torch.tensor(0.0)} | {name: torch.zeros_like(p) for name in self._remembers}
        gradients = [p.grad for p in moved if p.grad is not None]
        names = ("step", *self._remembers) if self._remembers else ()
        remembered = {name: [self.state[p][name] for p in moved] for name in names}
        self._apply(moved, gradients, remembered, self._learning_rate)

    def twin(self, parameters: Mapping[Tensor, Tensor]) -> Optimizer:
        """The same optimizer at the same point, with memory of its own, over others in the place of its parameters."""
        other = copy(self)
        other.parameters = [parameters[p] for p in self.parameters]
        other.state = {
            parameters[p]: {name: value.clone() for name, value in state.items()} for p, state in self.state.items()
        }
        return other

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.parameters:
            p.grad = None


Remembered = dict[str, list[Tensor]]


def _sgd(parameters: list[Tensor], gradients: list[Tensor], remembered: Remembered, lr: float) -> None:
    from torch.optim.sgd import sgd

    sgd(
        parameters, gradients, [None] * len(parameters), **UNFUSED, fused=False,
        weight_decay=0, momentum=0, lr=lr, dampening=0, nesterov=False, maximize=False,
    )  # fmt: skip


def _rmsprop(parameters: list[Tensor], gradients: list[Tensor], remembered: Remembered, lr: float) -> None:
    from torch.optim.rmsprop import rmsprop

    rmsprop(
        parameters, gradients, remembered["square_avg"], [], [], remembered["step"], **UNFUSED,
        lr=lr, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False,
    )  # fmt: skip


def _adam(parameters: list[Tensor], gradients: list[Tensor], remembered: Remembered, lr: float) -> None:
    from torch.optim.adam import adam

    adam(
        parameters, gradients, remembered["exp_avg"], remembered["exp_avg_sq"], [], remembered["step"], **UNFUSED,
        fused=False, amsgrad=False, beta1=0.9, beta2=0.999, lr=lr, weight_decay=0, eps=1e-8, maximize=False,
    )  # fmt: skip


Apply = Callable[[list[Tensor], list[Tensor], Remembered, float], None]
OPTIMIZERS: dict[str, tuple[tuple[str, ...], Apply]] = {
    "sgd": ((), _sgd),
    "rmsprop": (("square_avg",), _rmsprop),
    "adam": (("exp_avg", "exp_avg_sq"), _adam),
}
