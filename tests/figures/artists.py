"""The artists of a drawn figure: its panels, the lines in them by their style, and the entries of its legend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def panel(figure: Any, title: str) -> Any:
    """The axes with that title."""
    (ax,) = [ax for ax in figure.axes if ax.get_title() == title]
    return ax


def styled(ax: Axes, style: str) -> list[Any]:
    return [line for line in ax.lines if line.get_linestyle() == style]


def solid(ax: Axes) -> list[Any]:
    return styled(ax, "-")


def dotted(ax: Axes) -> list[Any]:
    return styled(ax, ":")


def dashed(ax: Axes) -> list[Any]:
    return [line for line in ax.lines if line.is_dashed()]


def entries(legend: Any) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]
