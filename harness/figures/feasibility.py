"""What is wrong with a study's figures before anything has run; neither pandas nor matplotlib is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.figures import appearance
from harness.figures.kind import FigureKind
from harness.study import labels
from harness.study.matching import matches
from harness.study.pooling import of_settings
from harness.study.spec import FigureSpec, StudySpec
from harness.verdicts.feasibility import grid_settings, unknown_columns


def figure_faults(study: StudySpec) -> list[tuple[int, str]]:
    """What is wrong with each figure: its index in `study.figures`, and a sentence.

    Unknown columns, several settings in a panel that has room for one, a condition that no point of the grid meets,
    and what else a kind itself cannot draw; the last two are no faults under overrides, which shrink the grid.
    """
    rows = grid_settings(study)
    return [(index, fault) for index, figure in enumerate(study.figures) for fault in _faults(figure, study, rows)]


def _faults(figure: FigureSpec, study: StudySpec, rows: list[Mapping[str, Any]]) -> Iterator[str]:
    columns = figure.columns() if isinstance(figure, FigureKind) else ()
    yield from figure.misfits(study) if isinstance(figure, FigureKind) else ()
    # `outcome` is no setting, but a figure may select by it
    unknown = list(unknown_columns(study, [*(name for name in figure.where if name != "outcome"), *columns]))
    yield from unknown
    if unknown:
        return
    selected = [row for row in rows if matches(row, of_settings(figure.where))]
    if isinstance(figure, FigureKind) and selected:
        yield from figure.crowded(selected)
    if study.overrides:  # they shrink the grid: what is missing in it is no fault of the study
        return
    if not selected:
        yield f"no point of the grid has {labels.condition(figure.where)}"
        return
    shown = [*columns, *(name for name in figure.where if name not in columns)]
    yield from appearance.order_faults(figure, shown, selected)
    if figure.palette is not None or figure.font is not None:  # the only ones that need matplotlib to be read
        from harness.figures.colours import palette_faults

        yield from palette_faults(figure, shown, selected)
    if isinstance(figure, FigureKind):
        yield from figure.faults(selected)
