"""Where a figure is drawn: on a new figure, or on a part of a larger one.

A figure kind asks for a canvas of its size and draws on what it gets; only the figure of several panels knows that
this may be a part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

from matplotlib.figure import Figure, SubFigure

from harness.figures import style


@dataclass
class Ground:
    """A part of a larger figure to draw on, and the inches that its drawing alone would have taken: None if unused."""

    part: SubFigure
    size: tuple[float, float] | None = None


_ground: ContextVar[Ground | None] = ContextVar("ground", default=None)


@contextmanager
def inside(part: SubFigure) -> Iterator[Ground]:
    """Let the next figure be drawn on a part of a larger one."""
    ground = Ground(part)
    token = _ground.set(ground)
    try:
        yield ground
    finally:
        _ground.reset(token)


def canvas(size: tuple[float, float]) -> Figure:
    """A new figure of so many inches that lays itself out; `inside` a larger one, the part of it to draw on."""
    ground = _ground.get()
    if ground is None:
        return Figure(figsize=size, layout="constrained")
    ground.size = size
    return cast(Figure, ground.part)  # all of a Figure but its size and its file


def width(figure: Figure) -> float:
    """Inches across a figure, or a part of one."""
    return float(figure.bbox.width / figure.dpi)


def room(figure: Figure) -> float:
    """Points across for a legend; a part of a larger figure has its letter beside it."""
    beside = 2 * style.scaled(style.LETTER) if isinstance(figure, SubFigure) else 0.0
    return 72 * width(figure) - beside
