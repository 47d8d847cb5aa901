"""What can be said about a study's expectations and figures before anything has run; no pandas, no scipy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.errors import HarnessError, nearest
from harness.figures.kind import FigureKind
from harness.study import labels
from harness.study.matching import matches
from harness.study.pooling import of_settings
from harness.study.spec import Expectation, FigureSpec, StudySpec
from harness.verdicts.metrics import metric_named

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


def expectation_faults(study: StudySpec) -> list[tuple[int, str]]:
    """What is wrong with each expectation: its index in `study.expect`, and a sentence; see also `figure_faults`.

    Unknown metrics and columns, a bound without a number, a contrast with one, a condition that no point of the grid
    meets. Under overrides the last is no fault: they shrink the grid, and such an expectation is then 'not asked'.
    """
    rows = grid(study)
    return [(i, what) for i, expectation in enumerate(study.expect) for what in _expectation(expectation, study, rows)]


def figure_faults(study: StudySpec) -> list[tuple[int, str]]:
    """What is wrong with each figure: its index in `study.figures`, and a sentence."""
    rows = grid(study)
    return [(i, what) for i, figure in enumerate(study.figures) for what in _figure(figure, study, rows)]


def weak_seeds(expectation: Expectation, n: int) -> str | None:
    """A sentence if `n` seeds cannot carry an expectation's claim, whatever they turn out to be; else None.

    - a contrast by paired permutation cannot fall below p = 2/2ⁿ: five seeds never reach .05;
    - apart, success rates: the Wilson intervals of n of n, [n/(n+z²), 1], and of 0 of n, [0, z²/(n+z²)], touch below
      n = 4;
    - apart, other metrics: the full range of n values covers the true median with probability 1 − 2/2ⁿ only;
    - a bound on the success rate: the interval of the best possible outcome holds both the bound and a coin's throw, ½.
    """
    said: list[str] = []
    rate = expectation.metric == "success_rate"
    best, worst = n / (n + Z**2), Z**2 / (n + Z**2)
    if expectation.contrast:
        if expectation.apart and rate and best <= worst:
            said.append(
                f"even {n} of {n} solved against 0 of {n} gives intervals that touch ({best:.2f} and {worst:.2f})"
            )
        if expectation.apart and not rate and 2 / 2**n > 0.05:
            said.append(f"even the whole range of {n} values covers a true median with {1 - 2 / 2**n:.0%} only")
        if 2 / 2**n > 0.05:
            said.append(f"a paired test cannot fall below p = {2 / 2**n:.3g}")
    elif rate:
        if expectation.at_least is not None and best <= min(expectation.at_least, 0.5):
            said.append(f"even {n} of {n} solved leaves the rate anywhere in [{best:.2f}, 1]")
        if expectation.at_most is not None and worst >= max(expectation.at_most, 0.5):
            said.append(f"even 0 of {n} solved leaves the rate anywhere in [0, {worst:.2f}]")
    return f"{n} {'seed' if n == 1 else 'seeds'} cannot carry this: {'; '.join(said)}" if said else None


def grid(study: StudySpec) -> list[Mapping[str, Any]]:
    """The settings of each point, one mapping a point."""
    return [point.columns() for point in study.points]


def _expectation(expectation: Expectation, study: StudySpec, rows: list[Mapping[str, Any]]) -> Iterator[str]:
    contrast = expectation.contrast or {}
    wrong = [*_form(expectation), *_unknown(study, [*expectation.where, *expectation.per, *contrast])]
    yield from wrong
    if wrong or study.overrides:
        return
    asked = [row for row in rows if matches(row, of_settings(expectation.where))]
    if not asked:
        yield f"no point of the grid has {labels.condition(expectation.where)}"
        return
    for column, pair in contrast.items():
        for held in pair:
            if not any(matches(row, of_settings({column: held})) for row in asked):
                yield f"no point of the grid has {labels.condition({**expectation.where, column: held})}"


def _form(expectation: Expectation) -> Iterator[str]:
    """What is wrong with an expectation whatever the study."""
    bounds = [bound for bound in (expectation.at_least, expectation.at_most) if bound is not None]
    try:
        metric_named(expectation.metric)
    except HarnessError as error:
        yield str(error)
    if expectation.contrast is None and not bounds:
        yield "says nothing: give at_least, at_most or contrast"
    if expectation.contrast is not None and (bounds or len(expectation.contrast) != 1):
        yield "a contrast is one column with two values, and no bound"
    if expectation.contrast is None and expectation.apart:
        yield "apart belongs to a contrast"
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        yield f"at_least {bounds[0]:g} lies above at_most {bounds[1]:g}"


def _figure(figure: FigureSpec, study: StudySpec, rows: list[Mapping[str, Any]]) -> Iterator[str]:
    used = figure.columns() if isinstance(figure, FigureKind) else ()
    yield from figure.misfits(study) if isinstance(figure, FigureKind) else ()
    unknown = list(_unknown(study, [*(name for name in figure.where if name != "outcome"), *used]))
    yield from unknown
    if unknown or study.overrides:
        return
    asked = [row for row in rows if matches(row, of_settings(figure.where))]
    if not asked:
        yield f"no point of the grid has {labels.condition(figure.where)}"
    elif isinstance(figure, FigureKind):
        yield from figure.faults(asked)


def _unknown(study: StudySpec, names: Iterable[str]) -> Iterator[str]:
    known = [column.name for column in study.setting_columns()]
    for name in dict.fromkeys(names):
        if name not in known:
            yield f"no column '{name}'{nearest(name, known)}"
