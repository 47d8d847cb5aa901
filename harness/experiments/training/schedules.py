"""The learning rate of each update, as a closed formula: torch.optim.lr_scheduler's, without its state.

A run that goes on from a checkpoint needs nothing but the number of its update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from harness.study.keywords import Keyword, Named, NamedChoice, Number, Table, split
from harness.study.section import wrong

REST = "all updates that remain after the warm-up"
WARM_UP: dict[str, Keyword] = {
    "warm_up": Number(
        0, "n: the first n updates have the shares 1/n, 2/n, …, 1 of the learning rate; the schedule starts after them",
        ge=0, whole=True,
    )
}  # fmt: skip
KEYWORDS: Table = {
    "constant": WARM_UP,
    "cosine": {
        "T_max": Number(None, "updates from the learning rate down to eta_min", ge=1, whole=True, null=REST),
        "eta_min": Number(0.0, "the lowest learning rate", ge=0),
        **WARM_UP,
    },
    "exponential": {"gamma": Number(None, "factor of every update", gt=0), **WARM_UP},
    "linear": {
        "start_factor": Number(1 / 3, "share of the learning rate at the first update", gt=0, le=1),
        "end_factor": Number(1.0, "share of the learning rate at the end", ge=0, le=1),
        "total_iters": Number(None, "updates from the one to the other", ge=1, whole=True, null=REST),
        **WARM_UP,
    },
    "step": {
        "step_size": Number(None, "updates between two steps", ge=1, whole=True),
        "gamma": Number(0.1, "factor of every step", gt=0),
        **WARM_UP,
    },
}
LENGTHS = ("T_max", "total_iters")  # keywords that default to what remains of the budget

SCHEDULE = NamedChoice("schedule", KEYWORDS)

Schedule = str | Mapping[str, Any]


def learning_rate(schedule: Schedule, rate: float, max_updates: int) -> Callable[[int], float]:
    """The learning rate η as a function of the number u of updates that were made before.

        u < n = warm_up:  η_u = η (u + 1)/n;    after it, with t = u − n:

        constant     η
        linear       η (start_factor + (end_factor − start_factor) min(t, total_iters)/total_iters)
        cosine       eta_min + (η − eta_min) (1 + cos(π t/T_max))/2
        step         η gamma^⌊t/step_size⌋
        exponential  η gamma^t

    Args:
        schedule: word, or word and keywords, as a study has it.
        rate: η, `training.learning_rate`.
        max_updates: the budget, which T_max and total_iters default to, less the warm-up.

    The schedules are torch's LinearLR, CosineAnnealingLR (Loshchilov & Hutter 2017, without restarts), StepLR and
    ExponentialLR; with a warm-up of n > 1 updates they are SequentialLR([LinearLR(start_factor=1/n, total_iters=n − 1),
    schedule], milestones=[n]).
    """
    name, keywords = split(schedule, KEYWORDS)
    n = keywords["warm_up"]
    rest = max(1, max_updates - n)
    T = next((keywords[key] or rest for key in LENGTHS if key in keywords), rest)

    def after(t: int) -> float:
        if name == "linear":
            start, end = keywords["start_factor"], keywords["end_factor"]
            return float(rate * (start + (end - start) * min(t, T) / T))
        if name == "cosine":
            lowest = keywords["eta_min"]
            return float(lowest + (rate - lowest) * (1 + math.cos(math.pi * t / T)) / 2)
        if name == "step":
            return float(rate * keywords["gamma"] ** (t // keywords["step_size"]))
        return float(rate * keywords["gamma"] ** t) if name == "exponential" else rate

    return lambda u: rate * (u + 1) / n if u < n else after(u - n)


def shortest(schedule: Schedule, max_updates: int) -> Schedule:
    """The same schedule without the keywords that say what holds without them, so that one schedule has one run id.

    A length that is all that remains of the budget is the default; a warm-up of one update takes the full rate.
    """
    name, keywords = split(schedule, KEYWORDS)
    if isinstance(schedule, str):
        return schedule
    rest = max_updates - keywords["warm_up"]
    own = {key: value for key, value in schedule.items() if not (key in LENGTHS and value == rest)}
    if name == "constant" and own.get("warm_up") == 1:
        del own["warm_up"]
    return name if own == {"name": name} else Named(own)


def check_schedule(schedule: Schedule, rate: float, max_updates: int) -> None:
    """Refuse a schedule that is longer than the budget, or whose learning rate is no number.

    Raises:
        PydanticCustomError: it names the keyword.
    """
    name, keywords = split(schedule, KEYWORDS)
    budget, warm_up = f"the budget of {max_updates} updates", keywords["warm_up"]
    if warm_up > max_updates:
        raise wrong("training.schedule.warm_up", f"{warm_up} updates are more than {budget}")
    if warm_up:
        budget = f"the {max_updates - warm_up} that the warm-up leaves of {budget}"
    for key in LENGTHS:
        if (keywords.get(key) or 0) > max_updates - warm_up:
            raise wrong(f"training.schedule.{key}", f"{keywords[key]} updates are more than {budget}")
    if name == "step" and keywords["step_size"] >= max_updates - warm_up:
        raise wrong(
            "training.schedule.step_size", f"the first step would come after {keywords['step_size']} updates, not "
            f"within {budget}",
        )  # fmt: skip
    if "gamma" in keywords:
        try:
            last = learning_rate(schedule, rate, max_updates)(max(warm_up, max_updates - 1))
        except OverflowError:
            last = math.inf
        if not math.isfinite(last):
            raise wrong("training.schedule.gamma", "the learning rate would grow beyond every number within the budget")
