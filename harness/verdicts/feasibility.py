"""What is wrong with a study's expectations before anything has run.

Read whenever a study is read: neither pandas nor scipy is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.errors import HarnessError, nearest
from harness.store.columns import OF_TASKS
from harness.study import labels
from harness.study.matching import matches
from harness.study.pooling import of_settings
from harness.study.spec import CONFIDENCE, Expectation, StudySpec
from harness.verdicts.metrics import WITH_NUMBER, metric_named, parts

WITHOUT_TRAINING = frozenset({"measured", "residual", "switch_error"})  # of experiments that train nothing


def expectation_faults(study: StudySpec) -> list[tuple[int, str]]:
    """What is wrong with each expectation: its index in `study.expect`, and a sentence.

    Unknown metrics and columns, an expectation without a bound or a contrast, a contrast with a bound, a condition that
    no point of the grid meets. Under overrides the last is no fault: they shrink the grid, and such an expectation is
    then 'not asked'.
    """
    rows = grid_settings(study)
    return [
        (index, fault) for index, expectation in enumerate(study.expect) for fault in _faults(expectation, study, rows)
    ]


def tuning_faults(study: StudySpec) -> list[str]:
    """What is wrong with the metric by which a study's settings are tuned, in sentences."""
    if study.tuning is None:
        return []
    try:
        metric = metric_named(study.tuning.by)
    except HarnessError as error:
        return [str(error)]
    if metric.better == 0:
        return [f"of {metric.name} neither more nor less is better, so that no candidate can win by it"]
    if metric.name in WITHOUT_TRAINING and study.experiment.name == "training":
        return [f"training measures no {metric.name}"]
    tasks: list[Any] = [point.sections.by_name().get("task") for point in study.points]
    lacking = {
        str(getattr(task, "name", "")) for task in tasks if metric.name in OF_TASKS
        and metric.name not in {column.name for column in getattr(task, "measures", ())}
    }  # fmt: skip
    return [
        *(f"the task {name} has no {metric.name}" for name in sorted(lacking)),
        *unmeasured(metric.name, grid_settings(study)),
    ]


GROUNDS = {None: "", "interval": "", "estimate": ", point estimate", "value": ", value of these runs"}


def describe(expectation: Expectation, combination: Mapping[str, Any] | None = None) -> str:
    """An expectation as a line of text: 'success_rate of cell=lstm, sequence_length=100 >= 0.8'.

    How it is judged is part of it where that is not the interval at 95 %: 'success_rate of all runs >= 0.8, point
    estimate'. Of a metric without sampling nothing is said: its value is all there is.
    """
    where = labels.condition({**expectation.where, **(combination or {})})
    if expectation.contrast:
        column, (first, second) = next(iter(expectation.contrast.items()))
        text = f"{expectation.metric} of {labels.condition({column: first})} above {labels.condition({column: second})}"
        text += (f" at {where}" if where else "") + (", intervals apart" if expectation.apart else "")
        return text + _judged_on(expectation)
    low, high = expectation.at_least, expectation.at_most
    of = f"{expectation.metric} of {where or 'all runs'}"
    if low is not None and high is not None:
        text = f"{of} in {labels.number(low)} … {labels.number(high)}"
    elif low is not None:
        text = f"{of} >= {labels.number(low)}"
    else:
        text = f"{of} <= {labels.value(expectation.metric, high)}"
    return text + _judged_on(expectation)


def _judged_on(expectation: Expectation) -> str:
    """On what an expectation is judged, where it is not the default."""
    try:
        if not metric_named(expectation.metric).sampled:
            return ""
    except HarnessError:  # no such metric, which is another message
        return ""
    confidence = "" if expectation.confidence == CONFIDENCE else f", {100 * expectation.confidence:.6g} % confidence"
    return GROUNDS[expectation.judge] or confidence


def grid_settings(study: StudySpec) -> list[Mapping[str, Any]]:
    """The settings of each point of the grid as columns, one mapping a point."""
    return [point.columns() for point in study.points]


def unknown_columns(study: StudySpec, names: Iterable[str]) -> Iterator[str]:
    """A sentence for each name that is no settings column of the study."""
    known = [column.name for column in study.setting_columns()]
    for name in dict.fromkeys(names):
        if name not in known:
            yield f"no column '{name}'{nearest(name, study.present_columns(), known)}"


def _faults(expectation: Expectation, study: StudySpec, rows: list[Mapping[str, Any]]) -> Iterator[str]:
    contrast = expectation.contrast or {}
    wrong = [
        *_malformed(expectation),
        *unknown_columns(study, [*expectation.where, *expectation.per, *contrast]),
    ]
    yield from wrong
    tuned = study.tuning.columns if study.tuning else ()
    chosen = [name for name in (*expectation.where, *expectation.per, *contrast) if name in tuned]
    for name in dict.fromkeys(chosen):
        yield f"{name} is tuned: which of its values is judged, tuning decides; a contrast of two is a sweep"
    if wrong or chosen or study.overrides:
        return
    selected = [row for row in rows if matches(row, of_settings(expectation.where))]
    if not selected:
        yield f"no point of the grid has {labels.condition(expectation.where)}"
        return
    yield from unmeasured(expectation.metric, selected)
    for column, pair in contrast.items():
        for value in pair:
            if not any(matches(row, of_settings({column: value})) for row in selected):
                yield f"no point of the grid has {labels.condition({**expectation.where, column: value})}"


def unmeasured(metric: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence if some of these points of the grid (their settings as columns) will have no value of a metric.

    That is known of the accuracy at a length alone, which is measured where `evaluation.lengths` names the length.
    """
    word, length = parts(metric)
    if word not in WITH_NUMBER or length is None:
        return
    lengths = [judged_lengths(row) for row in rows]
    without = sum(length not in each for each in lengths)
    if without:
        every = sorted(set[int]().union(*lengths))
        known = f"evaluation.lengths has {', '.join(map(str, every))}" if every else "set evaluation.lengths"
        some = f"{without} of {len(rows)} points are" if without < len(rows) else "no point of the grid is"
        end = " not" if without < len(rows) else ""
        yield f"{metric}: {some}{end} judged at length {length}; {known}"


def judged_lengths(row: Mapping[str, Any]) -> frozenset[int]:
    """The lengths at which the runs of a point of the grid are judged, from its settings as columns."""
    return frozenset(map(int, re.findall(r"\d+", str(row.get("evaluation_lengths") or ""))))


def _malformed(expectation: Expectation) -> Iterator[str]:
    """What is wrong with an expectation in any study.

    Of one that is read from a file, `study/validation.py` has reported the metric and the choice between bounds and
    contrast already, with their places.
    """
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
        yield f"at_least {labels.number(bounds[0])} lies above at_most {labels.number(bounds[1])}"
