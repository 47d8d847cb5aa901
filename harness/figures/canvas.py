"""The canvas that a figure is drawn on: a new figure, or a panel of a larger one.

A figure kind asks for a canvas of its size and draws on whichever it gets; only the figure of several panels
(composite.py) knows that this can be a panel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

from matplotlib.figure import Figure, SubFigure

from harness.figures import appearance, style


@dataclass
class PanelCanvas:
    """A panel of a larger figure, and the inches that its drawing alone would have taken; None while it is unused."""

    panel: SubFigure
    size: tuple[float, float] | None = None


_current: ContextVar[PanelCanvas | None] = ContextVar("current", default=None)


_stacked: ContextVar[bool] = ContextVar("stacked", default=False)


@contextmanager
def drawing_on(panel: SubFigure) -> Iterator[PanelCanvas]:
    """Draw the next figure on a panel of a larger one."""
    target = PanelCanvas(panel)
    token = _current.set(target)
    try:
        yield target
    finally:
        _current.reset(token)


def canvas(size: tuple[float, float]) -> Figure:
    """A new figure of so many inches, or of the study's own `size`; within `drawing_on`, the panel to draw on."""
    size = own_size() or size if not is_stacked() else size
    target = _current.get()
    if target is None:
        return Figure(figsize=size, layout="constrained")
    target.size = size
    return cast(Figure, target.panel)  # a SubFigure has all of a Figure but its size and its file


@contextmanager
def stacked() -> Iterator[None]:
    """Panels that stand side by side are drawn one below another inside: for a phone."""
    token = _stacked.set(True)
    try:
        yield
    finally:
        _stacked.reset(token)


def is_stacked() -> bool:
    """Whether panels are drawn one below another."""
    return _stacked.get()


def own_size() -> tuple[float, float] | None:
    """The inches that the study gives this figure on paper, in the chosen style; None where it gives none."""
    own, scale = appearance.current().size, style.chosen().double / style.DOUBLE
    return None if own is None else (own[0] * scale, own[1] * scale)


def across(size: tuple[float, float]) -> float:
    """Inches across what `canvas` gives for a figure of so many inches."""
    target = _current.get()
    if target is not None:
        return width(target.panel)
    return (size if is_stacked() else own_size() or size)[0]


def width(figure: Figure | SubFigure) -> float:
    """Inches across a figure, or a panel of one."""
    return float(figure.bbox.width / figure.dpi)


def legend_width(figure: Figure) -> float:
    """Points across that a legend can take; a panel of a larger figure has its letter on the same line."""
    letter = 2 * style.scaled(style.LETTER) if isinstance(figure, SubFigure) else 0.0
    return 72 * width(figure) - letter
