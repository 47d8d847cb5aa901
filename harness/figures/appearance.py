"""How one figure of a study looks, where its study says so: its own colours, order, size and letters.

Declared once, in `FigureSpec`; in force while the figure is drawn and described, and read where colours, levels and
sizes are decided, so that no figure kind has a part in it. Neither matplotlib nor pandas is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from harness.study import labels
from harness.study.matching import canonical, matches, ordered
from harness.study.pooling import NOT_SETTINGS, of_settings
from harness.study.spec import FigureSpec, Palette, StudySpec

LOSSES: Mapping[str, str] = {"classes": "nats", "bits": "nats", "numbers": "squared error"}  # by a task's readout


@dataclass(frozen=True)
class Appearance:
    """What is in force while a figure is drawn.

    Args:
        palette: its own colours: a palette's name, a list, or a colour for each value.
        order: its own order of a column's values; values that are not in it follow.
        size: inches on paper.
        font: a family.
        font_size: points on paper, of labels; other letters are in proportion.
        nulls: what a null means among the runs of this figure, by column.
        loss: the unit of a loss of its tasks; "": not known, or several.
    """

    palette: Palette | None = None
    order: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    size: tuple[float, float] | None = None
    font: str | None = None
    font_size: float | None = None
    nulls: Mapping[str, str] = field(default_factory=dict)
    loss: str = ""

    @classmethod
    def of(cls, figure: FigureSpec, study: StudySpec, columns: Sequence[str]) -> Appearance:
        """The appearance of a study's figure that tells these columns apart."""
        rows = [point.columns() for point in study.points]
        selected = [row for row in rows if matches(row, of_settings(figure.where))]
        names = {*columns, *figure.where} - {*NOT_SETTINGS}
        return cls(
            figure.palette,
            figure.order,
            figure.size,
            figure.font,
            figure.font_size,
            {name: text for name in names if (text := null_text(name, selected))},
            loss_unit(study),
        )


PLAIN = Appearance()
_current: ContextVar[Appearance] = ContextVar("appearance", default=PLAIN)


@contextmanager
def use(appearance: Appearance) -> Iterator[None]:
    """Draw what is inside so."""
    token = _current.set(appearance)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Appearance:
    """What is in force now."""
    return _current.get()


def without_palette() -> Appearance:
    """What is in force now, with the palettes of all figures."""
    return replace(_current.get(), palette=None)


def levels(column: str | None, values: Any) -> list[Any]:
    """Distinct values of a column in the figure's own order, those that it does not name after them in theirs."""
    known = labels.levels(column, values)
    first = [canonical(value) for value in current().order.get(column or "", ())]
    return sorted(known, key=lambda value: first.index(canonical(value)) if canonical(value) in first else len(first))


def null_text(column: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """What a null of a column means among these points of a grid; empty where none of them has one.

    A point may have the setting and leave it null (drawn, never, full), or be of a cell or task without that setting.
    """
    meanings = []
    if any(column in row and canonical(row[column]) is None for row in rows):
        meanings.append(labels.value(column, None))
    if any(column not in row for row in rows):
        meanings.append(labels.NOT_APPLICABLE)
    return " or ".join(meanings)


def loss_unit(study: StudySpec) -> str:
    """The unit of a study's losses: nats, or squared error; empty where its tasks have both, or none is known."""
    tasks = (point.sections.by_name().get("task") for point in study.points)
    units = {LOSSES.get(getattr(task, "readout", ""), "") for task in tasks}
    return next(iter(units)) if len(units) == 1 else ""


def order_faults(figure: FigureSpec, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What `order` names that the figure does not show, in sentences."""
    from harness.errors import nearest

    for column, values in figure.order.items():
        if column not in columns:
            yield f"order: the figure shows no values of '{column}'{nearest(column, columns)}"
            continue
        there = [row.get(column) for row in rows]
        for value in values:
            if canonical(value) not in {canonical(each) for each in there}:
                shown = ", ".join(labels.value(column, each) for each in ordered(there)[:12])
                yield f"order: no point of the grid has {column}={labels.value(column, value)}; there are {shown}"
