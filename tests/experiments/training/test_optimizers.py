"""Optimizers are torch.optim's, to the last bit, alone and stacked, without what its classes import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from made_networks import normal
from pydantic import ValidationError
from torch import Tensor

from harness.experiments.training.optimizer_keywords import KEYWORDS, OPTIMIZER, REFUSED, REFUSED_KEYWORDS
from harness.experiments.training.optimizers import Optimizer
from harness.experiments.training.settings import Training
from harness.study.keywords import Flag, Number, Pair

CLASSES = {
    name.lower(): kind
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer
}
BETAS = {"betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.1}
CHOICES: list[dict[str, Any]] = [
    *({"name": name} for name in KEYWORDS),
    *({"name": name, "maximize": True} for name in KEYWORDS),
    *({"name": name} | BETAS for name in ("adam", "adamax", "adamw", "nadam", "radam")),
    {"name": "adadelta", "rho": 0.7, "eps": 1e-4, "weight_decay": 0.1},
    {"name": "adagrad", "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-4},
    {"name": "adam", "amsgrad": True},
    {"name": "adam", "decoupled_weight_decay": True, "weight_decay": 0.2},
    {"name": "adamw", "amsgrad": True, "weight_decay": 0.0},
    {"name": "asgd", "lambd": 0.01, "alpha": 0.6, "t0": 4.0, "weight_decay": 0.1},
    {"name": "nadam", "momentum_decay": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.2},
    {"name": "radam", "decoupled_weight_decay": True, "weight_decay": 0.2},
    {"name": "rmsprop", "alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1},
    {"name": "rmsprop", "momentum": 0.9},
    {"name": "rmsprop", "centered": True},
    {"name": "rmsprop", "momentum": 0.5, "centered": True, "maximize": True},
    {"name": "rprop", "etas": [0.4, 1.5], "step_sizes": [1e-3, 0.02]},
    {"name": "sgd", "weight_decay": 0.1},
    {"name": "sgd", "momentum": 0.9},
    {"name": "sgd", "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True},
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
]
SHAPES = [(3, 7, 5), (3, 7), (3, 2), (3, 33, 9)]


def shown(value: object) -> str:
    return "".join(str(value).split()) if isinstance(value, dict) else str(value)


def rate(step: int) -> float:
    """Of a schedule, so that what takes its learning rate from the first update alone is seen."""
    return 1e-2 / (1 + step)


def updated(optimizer: Any, parameters: list[Tensor], gradients: list[list[Tensor | None]]) -> None:
    """Updates with given gradients, by an optimizer of either kind."""
    for step, row in enumerate(gradients):
        for p, gradient in zip(parameters, row, strict=True):
            p.grad = None if gradient is None else gradient.clone()
        if isinstance(optimizer, Optimizer):
            optimizer.step(rate(step))
        else:
            optimizer.param_groups[0]["lr"] = rate(step)
            optimizer.step()


def problem(dtype: torch.dtype) -> tuple[list[Tensor], list[list[Tensor | None]]]:
    """Parameters of three replicas, and the gradients of twenty updates; one parameter has none at first."""
    parameters = [normal(i, *shape, dtype=dtype) for i, shape in enumerate(SHAPES)]
    gradients: list[list[Tensor | None]] = [
        [normal(100 * step + i, *shape, dtype=dtype) if i != 2 or step > 3 else None for i, shape in enumerate(SHAPES)]
        for step in range(20)
    ]
    return parameters, gradients


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("choice", CHOICES, ids=shown)
def test_twenty_updates_are_those_of_the_class(choice: Mapping[str, Any], dtype: torch.dtype) -> None:
    parameters, gradients = problem(dtype)
    ours, theirs = ([p.clone().requires_grad_() for p in parameters] for _ in "ab")
    optimizer = Optimizer(OPTIMIZER.read(choice), ours)
    keywords = {key: value for key, value in choice.items() if key != "name"}
    twin = CLASSES[choice["name"]](theirs, lr=rate(0), foreach=False, **keywords)
    updated(optimizer, ours, gradients)
    updated(twin, theirs, gradients)
    for p, q, start in zip(ours, theirs, parameters, strict=True):
        assert torch.equal(p, q)
        assert not torch.equal(p, start)
        state = {key: value for key, value in twin.state[q].items() if value is not None}
        assert optimizer.state[p].keys() == state.keys()
        assert all(torch.equal(optimizer.state[p][key], value) for key, value in state.items())
    optimizer.zero_grad()
    assert all(p.grad is None for p in ours)


@pytest.mark.parametrize("choice", CHOICES, ids=shown)
def test_each_replica_of_a_stack_moves_as_it_does_alone(choice: Mapping[str, Any]) -> None:
    parameters, gradients = problem(torch.float32)
    stack = [p.clone().requires_grad_() for p in parameters]
    updated(Optimizer(OPTIMIZER.read(choice), stack), stack, gradients)
    for r in range(3):
        alone = [p[r : r + 1].clone().requires_grad_() for p in parameters]
        own = [[None if g is None else g[r : r + 1] for g in row] for row in gradients]
        updated(Optimizer(OPTIMIZER.read(choice), alone), alone, own)
        assert all(torch.equal(p[0], q[r]) for p, q in zip(alone, stack, strict=True))


def test_training_does_not_import_the_compiler_of_torch() -> None:
    code = (
        "import sys, torch; from harness.experiments.training.optimizers import Optimizer\n"
        "from harness.experiments.training.optimizer_keywords import KEYWORDS\n"
        "for name in KEYWORDS:\n"
        "    p = torch.ones(2, requires_grad=True); p.grad = torch.ones(2); Optimizer(name, [p]).step(0.1)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The table of keywords against the installed torch


def test_every_optimizer_of_torch_is_known_or_refused_with_its_reason() -> None:
    assert CLASSES.keys() == KEYWORDS.keys() | REFUSED.keys()
    assert not KEYWORDS.keys() & REFUSED.keys()


@pytest.mark.parametrize("name", KEYWORDS)
def test_keywords_and_defaults_are_those_of_the_class(name: str) -> None:
    signature = inspect.signature(CLASSES[name]).parameters
    assert signature.keys() == KEYWORDS[name].keys() | {"params"} | (REFUSED_KEYWORDS.keys() & signature.keys())
    assert {key: keyword.default for key, keyword in KEYWORDS[name].items()} == {
        key: signature[key].default for key in KEYWORDS[name]
    }


def values(keyword: Number | Pair | Flag) -> Iterator[Any]:
    """Values in and out of the range of a keyword, its limits included."""
    numbers = (-1.0, -1e-3, 0.0, 0.5, 1.0, 1.5, 100.0)
    if isinstance(keyword, Pair):
        yield from ([number, keyword.default[1]] for number in numbers)
        yield from ([keyword.default[0], number] for number in numbers)
    elif isinstance(keyword, Number):
        yield from numbers
    else:
        yield from (True, False)


def accepted(make: Any) -> bool:
    try:
        make()
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", KEYWORDS)
def test_a_keyword_takes_the_values_that_the_class_takes(name: str) -> None:
    p = torch.ones(2, requires_grad=True)
    for key, keyword in KEYWORDS[name].items():
        for value in values(keyword):
            of_class = accepted(lambda key=key, value=value: CLASSES[name]([p], **{key: value}))
            assert accepted(lambda key=key, value=value: OPTIMIZER.read({"name": name, key: value})) == of_class


@pytest.mark.parametrize(("momentum", "dampening"), [(0.0, 0.0), (0.9, 0.1), (0.9, 0.0)])
def test_nesterov_needs_what_the_class_needs(momentum: float, dampening: float) -> None:
    keywords = {"nesterov": True, "momentum": momentum, "dampening": dampening}
    of_class = accepted(lambda: torch.optim.SGD([torch.ones(2, requires_grad=True)], **keywords))
    assert accepted(lambda: OPTIMIZER.read({"name": "sgd", **keywords})) == of_class == (dampening == 0 < momentum)


# What is written


def test_the_long_form_that_says_no_more_than_the_word_is_the_word() -> None:
    for name, keywords in KEYWORDS.items():
        given = {key: list(each.default) if isinstance(each, Pair) else each.default for key, each in keywords.items()}
        assert Training(optimizer={"name": name}).optimizer == name
        assert Training(optimizer={"name": name, **given}).optimizer == name
        assert Training(optimizer={**given, "name": name}) == Training(optimizer=name)


def test_only_keywords_that_are_not_at_their_default_are_part_of_a_setting() -> None:
    training = Training(optimizer={"weight_decay": 1, "name": "adamw", "betas": (0.9, 0.999), "amsgrad": False})
    assert training.model_dump(mode="json", exclude_defaults=True) == {
        "optimizer": {"name": "adamw", "weight_decay": 1.0}
    }
    assert training == Training(optimizer={"name": "adamw", "weight_decay": 1.0})
    assert hash(training) == hash(Training(optimizer={"name": "adamw", "weight_decay": 1.0}))


def test_all_that_is_wrong_with_keywords_is_reported_at_once() -> None:
    written = {"name": "adamw", "eps": "small", "betas": [0.9], "amsgrad": 1, "weight_decay": float("nan")}
    with pytest.raises(ValidationError) as caught:
        Training(optimizer=written)
    assert [(error["ctx"]["key"], error["msg"]) for error in caught.value.errors()] == [
        ("optimizer.eps", "input should be a valid number, not 'small'"),
        ("optimizer.betas", "input should be two numbers, such as [0.9, 0.999], not [0.9]"),
        ("optimizer.amsgrad", "input should be a valid boolean, not 1"),
        ("optimizer.weight_decay", "input should be a finite number, not nan"),
    ]
