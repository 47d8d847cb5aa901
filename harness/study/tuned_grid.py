"""`tune:` of a document → its candidates, and a row of points for each point of the sweep; mistakes are located."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from harness.errors import Place
from harness.study.grid import Grid, explain
from harness.study.matching import canonical
from harness.study.section import setting_column, value_types
from harness.study.spec import Point
from harness.study.tuning import MOST_CANDIDATES, QUESTION, Candidate, Range, Tune, Tuning, drawn, grid
from harness.study.yaml_document import KeyPath, YamlDocument

Report = Callable[[Place, str], None]
OVER: KeyPath = ("tune", "over")


def tuning(document: YamlDocument, points: Grid, report: Report, seeds: Sequence[int]) -> Tuning | None:
    """The tuning that a document asks for; None where it asks for none, or where it is wrong (reported).

    Args:
        document: of the study.
        points: its grid.
        report: takes a place and what is wrong there.
        seeds: of the study, which tuning may not use.
    """
    written = document.data.get("tune")
    if written is None:
        return None
    if not isinstance(written, dict):
        report(document.place("tune"), "tune: must be a mapping with the keys over, by, per, seeds")
        return None
    try:
        tune = Tune.model_validate(written)
    except ValidationError as error:
        for key, message in explain(error, Tune):
            place = document.place("tune", *([key] if key else []), key="no such" in message)
            report(place, f"tune: {key}: {message}" if key else f"tune: {message}")
        return None
    axes = _axes(document, points, report, tune)
    sound = _seeds(document, report, tune, seeds) and axes is not None
    if axes is None or not sound:
        return None
    candidates = _candidates(document, points, report, tune, axes)
    if candidates is None:
        return None
    columns = tuple(_column(points, key) for key in axes)
    return Tuning(tune.by, tune.per or (), tune.seeds, tuple(axes), columns, candidates, tune.budget is not None)


def rows(points: Grid, candidates: Sequence[Candidate]) -> tuple[tuple[Point, ...], ...]:
    """For each point of the sweep its candidates in order, each a point; a row with a fault is left out (reported)."""
    paths = [{key: _path(points, key, value) for key, value in candidate.items()} for candidate in candidates]
    return points.rows([
        {key: (value, path[key]) for key, value in candidate.items()}
        for candidate, path in zip(candidates, paths, strict=True)
    ])  # fmt: skip


def swept_columns(points: Grid) -> tuple[str, ...]:
    """The columns of the axes of the sweep, in its order: what winners are chosen for where `per` is silent.

    An axis that is none (reported where the rows are made) has no column.
    """
    axes = dict.fromkeys(key for product in points.products() for key in product)
    return tuple(dict.fromkeys(_column(points, key) for key in axes if points.axis_fault(key) is None))


def _axes(document: YamlDocument, points: Grid, report: Report, tune: Tune) -> dict[str, Sequence[Any] | Range] | None:
    """The tuned settings with their values; None where one is wrong (reported)."""
    if not tune.over:
        report(document.place(*OVER), "tune: over: is empty; name a setting and the values to try")
        return None
    swept = {key for axes in points.products() for key in axes}
    axes: dict[str, Sequence[Any] | Range] = {}
    for key, values in tune.over.items():
        place = document.place(*OVER, key)
        fault = points.axis_fault(key)
        section = key.partition(".")[0]
        if fault:
            report(document.place(*OVER, key, key=True), f"tune: over: {fault}")
        elif section in QUESTION:
            sentence = f"{key} belongs to the question, which is the same for everybody; sweep it, and tune the rest"
            report(document.place(*OVER, key, key=True), f"tune: over: {sentence}")
        elif key in swept:
            report(
                document.place(*OVER, key, key=True),
                f"tune: over: {key} is an axis of the sweep, too: a setting is either compared or tuned",
            )
        elif isinstance(values, dict):
            range_ = _range(document, points, report, tune, key, values)
            if range_ is not None:
                axes[key] = range_
        elif not isinstance(values, list) or not values:
            report(place, f"tune: over: {key}: must be a list of values, or {{low, high, scale}} with a budget")
        elif len({canonical(value) for value in values}) < len(values):
            report(place, f"tune: over: {key}: has a value twice: {values}")
        else:
            axes[key] = values
    return axes if len(axes) == len(tune.over) else None


def _range(
    document: YamlDocument, points: Grid, report: Report, tune: Tune, key: str, written: Mapping[str, Any]
) -> Range | None:
    where = (*OVER, key)
    try:
        values = Range.model_validate(written)
    except ValidationError as error:
        for inner, message in explain(error, Range):
            place = document.place(*where, inner, key="no such" in message) if inner else document.place(*where)
            report(place, f"tune: over: {key}: {inner}: {message}")
        return None
    fault = ""
    if tune.budget is None:
        fault = "a range is drawn from: give a budget, the number of tuning runs"
    elif not values.low < values.high:
        fault = f"low {values.low:g} does not lie below high {values.high:g}"
    elif _kinds(points, key) <= {int} and not (values.low.is_integer() and values.high.is_integer()):
        fault = "takes whole numbers, and so low and high are whole"
    elif values.scale == "log" and values.low <= 0:
        fault = "a logarithmic scale begins above 0"
    if fault:
        report(document.place(*where), f"tune: over: {key}: {fault}")
    return None if fault else values


def _seeds(document: YamlDocument, report: Report, tune: Tune, seeds: Sequence[int]) -> bool:
    """Whether no seed serves twice; others are reported."""
    sound = True
    for index, seed in enumerate(tune.seeds):
        place = document.place("tune", "seeds", index)
        if seed in tune.seeds[:index]:
            report(place, f"tune: seeds: {seed} is there twice")
            sound = False
        elif seed in seeds:
            report(place, f"tune: seeds: {seed} is a seed of the study, too: what chose a setting cannot judge it")
            sound = False
    return sound


def _candidates(
    document: YamlDocument, points: Grid, report: Report, tune: Tune, axes: Mapping[str, Sequence[Any] | Range]
) -> tuple[Candidate, ...] | None:
    """The candidates in order; None where there are too few or too many (reported)."""
    lists = {key: values for key, values in axes.items() if not isinstance(values, Range)}
    total = 1
    for values in lists.values():
        total *= len(values)
    if tune.budget is None:
        if total > MOST_CANDIDATES:
            report(document.place(*OVER), f"tune: over: more than {MOST_CANDIDATES:,} candidates; give a budget")
            return None
        candidates = grid(lists)
        if len(candidates) < 2:
            report(document.place(*OVER), "tune: over: has one candidate, so that nothing is chosen; leave tune out")
            return None
        return tuple(candidates)
    place, count, least = document.place("tune", "budget"), tune.budget // len(tune.seeds), 2 * len(tune.seeds)
    if count < 2:
        many = f"with {len(tune.seeds)} seed{'s' * (len(tune.seeds) > 1)} two candidates take {least} runs"
        report(place, f"tune: budget: {tune.budget} is too small: {many}")
        return None
    if count > MOST_CANDIDATES:
        report(place, f"tune: budget: more than {MOST_CANDIDATES:,} candidates")
        return None
    whole = frozenset(key for key in axes if _kinds(points, key) <= {int})
    candidates = drawn(axes, whole, count, tune.draw)
    if len(candidates) < count:
        runs = len(candidates) * len(tune.seeds)
        there = f"there are only {len(candidates)} candidates, which take {runs} runs"
        report(place, f"tune: budget: {tune.budget} runs are for {count} candidates, and {there}; or leave budget out")
        return None
    return tuple(candidates)


def _kinds(points: Grid, key: str) -> set[type]:
    return {kind for model, inner in _models(points, key) for kind in value_types(model.model_fields[inner].annotation)}


def _column(points: Grid, key: str) -> str:
    """The column of a setting in the table of runs."""
    return next(setting_column(model, inner).name for model, inner in _models(points, key))


def _models(points: Grid, key: str) -> Iterator[tuple[Any, str]]:
    section, _, inner = key.partition(".")
    for model in points.experiment.models(section):
        if inner in model.model_fields:
            yield model, inner


def _path(points: Grid, key: str, value: Any) -> KeyPath:
    """Where a candidate's value is written."""
    values = points.document.data["tune"]["over"][key]
    if isinstance(values, list):
        return (*OVER, key, next(i for i, each in enumerate(values) if canonical(each) == canonical(value)))
    return (*OVER, key)
