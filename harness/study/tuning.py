"""`tune:`, the settings that are chosen for each combination of others before anything is judged, and the choice.

Candidates are points of a grid, or random draws. How well a candidate does is measured on seeds of its own; the best
one is judged on the study's. Nothing here knows what a metric is: a score is a number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from random import Random
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.study.section import Section

MOST_CANDIDATES = 10_000
TRIES = 1000  # draws for one further candidate that is not there yet
DIGITS = 3  # significant digits of a number that is drawn: a learning rate that can be read, on every machine the same
QUESTION = ("task", "evaluation", "record")  # sections that say what is asked, not who answers

Candidate = Mapping[str, Any]  # setting ("training.learning_rate") → value


class Range(Section):
    """Numbers from `low` to `high` from which a random search draws."""

    low: float = Field(description="smallest value")
    high: float = Field(description="largest value")
    scale: Literal["linear", "log"] = Field("linear", description="what is drawn evenly: the value, or its logarithm")


class Tune(Section):
    """Settings that are chosen for each combination of others, on seeds of their own, before anything is judged.

    Every candidate is run on the tuning seeds; the one with the best mean of `by` is judged on the study's seeds.
    """

    over: Annotated[Mapping[str, Any], Field(strict=False)] = Field(
        description="section.setting: a list of values, or with a budget {low, high, scale: linear or log}"
    )
    by: str = Field(min_length=1, description="the metric by whose mean over the tuning seeds candidates are compared")
    per: Annotated[tuple[str, ...], Field(strict=False)] | None = Field(
        None,
        description="columns for each combination of whose values a winner is chosen; null: each point of the sweep",
    )
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(strict=False, min_length=1)] = Field(
        description="seeds of the tuning runs, none of them a seed of the study"
    )
    budget: int | None = Field(
        None, ge=1, description="random search: tuning runs for each point of the sweep; null: the whole grid of `over`"
    )
    draw: int = Field(0, ge=0, lt=2**63, description="random search: the seed by which candidates are drawn")


@dataclass(frozen=True)
class Tuning:
    """A study's tuning as it is planned.

    Args:
        by: the metric's name.
        per: columns; a winner is chosen for each combination of their values.
        seeds: of the tuning runs.
        axes: the settings that are tuned, "training.learning_rate".
        columns: theirs in the table of runs, in the same order.
        candidates: in the order in which ties are broken.
        random: they were drawn.
    """

    by: str
    per: tuple[str, ...]
    seeds: tuple[int, ...]
    axes: tuple[str, ...]
    columns: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    random: bool = False


def winner(scores: Sequence[float], better: int) -> int | None:
    """The index of the best score; of equal ones the first, and none where no candidate has a score.

    Args:
        scores: of the candidates in their order; NaN: it has none.
        better: 1 where higher is better, −1 where lower is.
    """
    best: int | None = None
    for i, score in enumerate(scores):
        if not math.isnan(score) and (best is None or better * score > better * scores[best]):
            best = i
    return best


def margin(scores: Sequence[float], index: int, better: int) -> float:
    """By how much a candidate is better than the best of the others, 0 for a tie; NaN where no other has a score."""
    others = [better * score for i, score in enumerate(scores) if i != index and not math.isnan(score)]
    if not others:
        return math.nan
    own, second = better * scores[index], max(others)
    return 0.0 if own == second else own - second  # ∞ − ∞ is a tie, too


def at_edge(candidates: Sequence[Candidate], index: int) -> dict[str, str]:
    """The axes of numbers at whose end a candidate stands, and which end: {"training.learning_rate": "highest"}."""
    edges = {}
    for axis in candidates[index]:
        values = [candidate[axis] for candidate in candidates]
        numbers = sorted({value for value in values if isinstance(value, int | float) and not isinstance(value, bool)})
        own = candidates[index][axis]
        if len(numbers) > 1 and own in (numbers[0], numbers[-1]) and not isinstance(own, bool):
            edges[axis] = "lowest" if own == numbers[0] else "highest"
    return edges


def grid(axes: Mapping[str, Sequence[Any]]) -> list[Candidate]:
    """All combinations of the values of some axes, the last axis fastest."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def drawn(axes: Mapping[str, Sequence[Any] | Range], whole: frozenset[str], count: int, seed: int) -> list[Candidate]:
    """Random candidates, no two alike: the first `count` of a sequence that the axes and the seed fix.

    A larger count adds to them. Only `random.random` is used, whose sequence Python promises to keep.

    Args:
        axes: values to choose from, or a range.
        whole: axes that take whole numbers.
        count: how many; fewer come back where there are no more.
        seed: of the draw.
    """
    generator, seen = Random(seed), dict[str, Candidate]()
    tries = 0
    while len(seen) < count and tries < TRIES:
        candidate = {key: _one(values, key in whole, generator.random()) for key, values in axes.items()}
        tries = tries + 1 if (name := json.dumps(candidate, sort_keys=True, default=str)) in seen else 0
        seen.setdefault(name, candidate)
    return list(seen.values())


def _one(values: Sequence[Any] | Range, whole: bool, share: float) -> Any:
    """The value at a share of an axis, 0 ≤ share < 1."""
    if not isinstance(values, Range):
        return values[int(share * len(values))]
    low, high = values.low, values.high
    if whole and values.scale == "linear":
        return int(low) + int(share * (int(high) - int(low) + 1))
    if values.scale == "log":
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    else:
        value = low + share * (high - low)
    value = min(max(float(f"{value:.{DIGITS}g}"), low), high)
    return round(value) if whole else value


def question(by: str, run_ids: Sequence[Sequence[str]]) -> str:
    """The name of one choice: the metric, and the runs of every candidate in order. A study that asks another question
    has another name for it, so that no winner is ever taken for that of another grid."""
    return sha256(json.dumps([by, *map(list, run_ids)]).encode()).hexdigest()[:16]
