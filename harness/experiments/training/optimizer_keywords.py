"""The optimizers of a study and their keywords: names, defaults and ranges of torch.optim's classes, without torch.

A test compares this table with the signatures and the checks of the installed torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.study.keywords import Flag, Keyword, NamedChoice, Number, Pair, Problems, Table

BETAS = Pair(
    (0.9, 0.999),
    "how much of the running mean of gradients, and of their squares, an update keeps",
    Number(0.9, "", ge=0, lt=1),
    Number(0.999, "", ge=0, lt=1),
)
EPS = "added to the denominator"
MAXIMIZE: dict[str, Keyword] = {"maximize": Flag(False, "go up the loss, not down")}


def _decay(default: float, meaning: str = "adds this times the parameter to its gradient") -> dict[str, Keyword]:
    return {"weight_decay": Number(default, meaning, ge=0)}


def _adam(weight_decay: Mapping[str, Keyword], **more: Keyword) -> dict[str, Keyword]:
    return {"betas": BETAS, "eps": Number(1e-8, EPS, ge=0), **weight_decay, **more, **MAXIMIZE}


AMSGRAD = Flag(False, "divide by the largest mean square so far (Reddi, Kale & Kumar 2018)")
DECOUPLED = Flag(False, "shrink the parameter itself by the weight decay, as adamw does")

KEYWORDS: Table = {
    "adadelta": {
        "rho": Number(0.9, "how much of the running means an update keeps", ge=0, le=1),
        "eps": Number(1e-6, EPS, ge=0),
        **_decay(0.0),
        **MAXIMIZE,
    },
    "adagrad": {
        "lr_decay": Number(0.0, "update u has the learning rate divided by 1 + u times this", ge=0),
        **_decay(0.0),
        "initial_accumulator_value": Number(0.0, "the sum of squares before the first update", ge=0),
        "eps": Number(1e-10, EPS, ge=0),
        **MAXIMIZE,
    },
    "adam": _adam(_decay(0.0), amsgrad=AMSGRAD, decoupled_weight_decay=DECOUPLED),
    "adamax": _adam(_decay(0.0)),
    "adamw": _adam(
        _decay(0.01, "shrinks the parameter by the learning rate times this, at every update"), amsgrad=AMSGRAD
    ),
    "asgd": {
        "lambd": Number(1e-4, "shrinks the parameter by the step size times this, at every update"),
        "alpha": Number(0.75, "power with which the step size falls"),
        "t0": Number(1e6, "updates before the average starts"),
        **_decay(0.0),
        **MAXIMIZE,
    },
    "nadam": _adam(
        _decay(0.0),
        momentum_decay=Number(4e-3, "how fast the momentum rises", ge=0),
        decoupled_weight_decay=DECOUPLED,
    ),
    "radam": _adam(_decay(0.0), decoupled_weight_decay=DECOUPLED),
    "rmsprop": {
        "alpha": Number(0.99, "how much of the running mean of squares an update keeps", ge=0),
        "eps": Number(1e-8, EPS, ge=0),
        **_decay(0.0),
        "momentum": Number(0.0, "how much of the last update is repeated", ge=0),
        "centered": Flag(False, "divide by the deviation about the mean gradient, not by the mean square"),
        **MAXIMIZE,
    },
    "rprop": {
        "etas": Pair(
            (0.5, 1.2),
            "factors of a step size where the gradient's sign changes, and where it stays",
            Number(0.5, "", gt=0, lt=1),
            Number(1.2, "", gt=1),
        ),
        "step_sizes": Pair((1e-6, 50.0), "smallest and largest step size", Number(1e-6, ""), Number(50.0, "")),
        **MAXIMIZE,
    },
    "sgd": {
        "momentum": Number(0.0, "how much of the last update is repeated", ge=0),
        "dampening": Number(0.0, "one minus the weight of a new gradient in the momentum"),
        **_decay(0.0),
        "nesterov": Flag(False, "Nesterov's momentum"),
        **MAXIMIZE,
    },
}

# What does not act on each number alone gives a replica in a stack other numbers than the same replica by itself.
REFUSED = {
    "adafactor": "is not elementwise (it divides by means over rows and columns), so that runs could not be stacked",
    "lbfgs": "is not elementwise (it searches along a line, with several losses an update), so that runs could not be "
    "stacked",
    "muon": "is not elementwise (it orthogonalises matrices, and has no rule for biases), so that runs could not be "
    "stacked",
    "sparseadam": "is for sparse gradients, which no parameter here has; take adam",
}
REFUSED_KEYWORDS = {
    "lr": "is training.learning_rate, a setting of its own",
    "foreach": "is not for a study: it would compute in another order for a stack of runs than for one",
    "fused": "is not for a study: it would compute in another order for a stack of runs than for one",
    "capturable": "is not for a study: no update is captured as a CUDA graph",
    "differentiable": "is not for a study: nothing is differentiated through an update",
}


def _check(name: str, keywords: Mapping[str, Any]) -> Problems:
    """What torch refuses though each keyword is in its range."""
    if name == "sgd" and keywords["nesterov"]:
        if not keywords["momentum"]:
            yield "nesterov", "needs a momentum above 0"
        if keywords["dampening"]:
            yield "dampening", "must be 0 with nesterov"


OPTIMIZER = NamedChoice("optimizer", KEYWORDS, REFUSED, REFUSED_KEYWORDS, _check)
