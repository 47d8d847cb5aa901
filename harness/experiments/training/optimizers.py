"""torch's elementwise optimizers on stacked parameters, by their functional forms.

The arithmetic is torch.optim's own. Its classes are not used because the first one that is constructed imports
torch._dynamo, which takes a second in every process that trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from harness.experiments.training.optimizer_keywords import KEYWORDS
from harness.study.keywords import split

# What each function takes besides parameters and gradients, in its own order, under torch's names: per number of a
# parameter, or one number for all.
STATES: Mapping[str, tuple[str, ...]] = {
    "adadelta": ("square_avg", "acc_delta", "step"),
    "adagrad": ("sum", "step"),
    "adam": ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"),
    "adamax": ("exp_avg", "exp_inf", "step"),
    "adamw": ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"),
    "asgd": ("ax", "mu", "eta", "step"),
    "nadam": ("exp_avg", "exp_avg_sq", "mu_product", "step"),
    "radam": ("exp_avg", "exp_avg_sq", "step"),
    "rmsprop": ("square_avg", "grad_avg", "momentum_buffer", "step"),
    "rprop": ("prev", "step_size", "step"),
    "sgd": ("momentum_buffer",),
}
ONLY_WITH = {"max_exp_avg_sq": "amsgrad", "grad_avg": "centered", "momentum_buffer": "momentum"}  # state: keyword
SCALARS = ("step", "mu_product", "mu", "eta")  # numbers that all of a parameter shares, and all replicas
SPLIT = {"betas": ("beta1", "beta2"), "etas": ("etaminus", "etaplus"), "step_sizes": ("step_size_min", "step_size_max")}


class Optimizer:
    """One optimizer over parameters of any shapes.

    All of them act on each number alone, so that each slice of a stack moves as it would by itself. torch's `foreach`
    and `fused` variants add in another order for a stack, and are not used.

    Args:
        choice: name, or name and keywords, as a study has it.
        parameters: tensors whose `grad` a step uses; one without a gradient is left alone.

    Attributes:
        parameters: what is optimized; entries may be replaced.
        state: by parameter, what an optimizer remembers under torch's names: "step", "square_avg", "exp_avg", …
    """

    def __init__(self, choice: str | Mapping[str, Any], parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self._name, keywords = split(choice, KEYWORDS)
        self._remembers = [name for name in STATES[self._name] if keywords.get(ONLY_WITH.get(name, ""), True)]
        self._first_sum = keywords.pop("initial_accumulator_value", 0.0)
        if not keywords.get("decoupled_weight_decay"):  # the function of Adam has it since torch 2.7 only
            keywords.pop("decoupled_weight_decay", None)
        for pair, names in SPLIT.items():
            if pair in keywords:
                keywords |= zip(names, keywords.pop(pair), strict=True)
        self._keywords = keywords
        self._function: Callable[..., None] = getattr(import_module(f"torch.optim.{self._name}"), self._name)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One update of every parameter that has a gradient."""
        moved = [p for p in self.parameters if p.grad is not None]
        for p in moved:
            if not self.state.get(p):
                self.state[p] = self._start(p, learning_rate)
        states = [
            [self.state[p].get(name) for p in moved] if name in self._remembers else [] for name in STATES[self._name]
        ]
        rate = {} if self._name == "rprop" else {"lr": learning_rate}
        self._function(moved, [p.grad for p in moved], *states, **self._keywords, **rate, foreach=False)
        if self._name == "sgd" and self._remembers:  # it makes its buffer from the first gradient
            for p, buffer in zip(moved, states[0], strict=True):
                assert buffer is not None
                self.state[p]["momentum_buffer"] = buffer

    def _start(self, p: Tensor, learning_rate: float) -> dict[str, Tensor]:
        """What is remembered of a parameter before its first update."""
        if self._name == "sgd":
            return {}
        first = {"sum": self._first_sum, "step_size": learning_rate, "eta": learning_rate, "mu": 1.0, "mu_product": 1.0}
        return {
            name: torch.tensor(first.get(name, 0.0)) if name in SCALARS else torch.full_like(p, first.get(name, 0.0))
            for name in self._remembers
        }

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
