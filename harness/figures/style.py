"""Inches, fonts and lines of all figures; colours are in colours.py, and no other module has any.

Figures are plain `matplotlib.figure.Figure` objects, drawn inside `context()` and never registered with pyplot: no
backend is chosen, no window opened, no setting of a notebook's user changed.

The style (for a paper, a talk, a notebook) is chosen around the drawing (`with use("talk"): …`), like matplotlib's own
settings: a figure kind does not depend on it.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from harness.errors import HarnessError, nearest
from harness.figures import appearance
from harness.figures.colours import (
    ZERO,
    colours,
    cycle,
    diverging_map,
    magnitude_map,
    on,
    rate_map,
    scheme,
    shade_map,
    wrong_answer,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harness.schema import Values

__all__ = [
    "DOUBLE", "METADATA", "SINGLE", "STYLES", "ZERO", "colours", "context", "cycle", "diverging_map", "encode",
    "magnitude_map", "on", "rate_map", "save", "scheme", "shade_map", "use", "wrong_answer",
]  # fmt: skip

SINGLE, DOUBLE = 3.4, 7.0  # inches: one column and both columns of a two-column paper
PANEL_HEIGHT = 2.1
SMALLEST = 6.0  # points: numbers inside a figure
BAR = 50.0  # points: what a colour scale takes at the right
LETTER = 18.0  # points: what the letter of a panel takes, "(a)"
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
DASHED: Any = (0, (4, 2))  # lines of theory


@dataclass(frozen=True)
class Style:
    """Sizes for one purpose: a paper, a talk, a notebook.

    Args:
        single: inches of a figure of one panel.
        double: inches of a figure of several.
        scale: size of text, lines, marks and heights, relative to the paper's.
    """

    single: float
    double: float
    scale: float


STYLES: Mapping[str, Style] = {
    "paper": Style(SINGLE, DOUBLE, 1.0),
    "talk": Style(6.2, 12.0, 2.0),  # half a slide of 13⅓ inches, and a whole one; 15 points
    "notebook": Style(5.0, 9.0, 1.4),  # a browser's cell; 10.5 points
}

_chosen: ContextVar[Style] = ContextVar("chosen", default=STYLES["paper"])

FIXED: Mapping[str, Any] = {
    "figure.dpi": 150,
    "font.monospace": ["DejaVu Sans Mono"],
    "mathtext.fontset": "dejavusans",
    "text.usetex": False,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "vanishing-gradient-harness",
    "svg.fonttype": "path",
}

# Matplotlib's settings that are a notebook's own business, and change no file.
OF_WINDOWS = frozenset(
    {"backend", "backend_fallback", "interactive", "toolbar", "timezone", "date.epoch", "datapath", "webagg.port"}
)

# Points (the layout's pads: inches) on paper; each is multiplied by the style's scale.
LENGTHS: Mapping[str, float] = {
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "figure.titlesize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.title_fontsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.titlepad": 6.0,
    "axes.labelpad": 4.0,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "lines.markeredgewidth": 1.0,
    "patch.linewidth": 0.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.pad": 3.5,
    "ytick.major.pad": 3.5,
    "figure.constrained_layout.h_pad": 0.04167,
    "figure.constrained_layout.w_pad": 0.04167,
}
NO_LETTERS = frozenset(name for name in LENGTHS if "font" not in name and not name.endswith(("labelsize", "titlesize")))
FONT = "DejaVu Sans"  # comes with matplotlib: the same letters on every machine
DPI = 300  # of the paper's images; a larger style has as many pixels a letter

# Metadata that would change from day to day or between installations is left out: the same figure, the same bytes.
METADATA: Mapping[str, Mapping[str, None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


@contextmanager
def use(name: str) -> Iterator[Style]:
    """Draw and save what is inside in another style: 'paper' (otherwise the default), 'talk' or 'notebook'.

    Raises:
        HarnessError: no style has this name.
    """
    if name not in STYLES:
        raise HarnessError(f"no style '{name}'{nearest(name, STYLES)}")
    token = _chosen.set(STYLES[name])
    try:
        yield STYLES[name]
    finally:
        _chosen.reset(token)


def chosen() -> Style:
    """The style in use."""
    return _chosen.get()


def scaled(length: float) -> float:
    """A length on paper (points, or inches of height), in the chosen style."""
    return length * chosen().scale


@contextmanager
def context() -> Iterator[None]:
    """The chosen style for what is drawn or saved inside, and nothing outside.

    It stands on matplotlib's own defaults: a `matplotlibrc` beside the study, and what a notebook has set, change no
    figure. The backend alone is left as it is.
    """
    with mpl.rc_context(cast(Any, {**_defaults(), **FIXED, **_inks(), **_letters(), "savefig.dpi": DPI / scaled(1)})):
        yield


def _inks() -> Mapping[str, Any]:
    inks = scheme()
    names = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    papers = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return {**dict.fromkeys(names, inks.ink), **dict.fromkeys(papers, inks.paper), "grid.color": inks.grid}


@cache
def _defaults() -> Mapping[str, Any]:
    """Matplotlib's own defaults, but for what chooses a window and is no part of a saved figure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are deprecated
        return {name: value for name, value in mpl.rcParamsDefault.items() if name not in OF_WINDOWS}


def _letters() -> Mapping[str, Any]:
    """Lengths in the chosen style, with the figure's own family and size of letters."""
    own = appearance.current()
    lengths = {name: scaled(length if name in NO_LETTERS else length * letters()) for name, length in LENGTHS.items()}
    return {**lengths, "font.family": [*([own.font] if own.font else []), FONT]}


def ink() -> str:
    """The colour of text and lines, on the paper in use."""
    return scheme().ink


def faint() -> str:
    """The colour of what is said besides."""
    return scheme().faint


def rule() -> str:
    """The colour of lines that only divide."""
    return scheme().rule


def paper() -> str:
    """The colour of the ground."""
    return scheme().paper


def letters() -> float:
    """Size of a figure's letters relative to those of its style: its own `font_size`."""
    return (appearance.current().font_size or LENGTHS["font.size"]) / LENGTHS["font.size"]


def log_norm(parts: Sequence[Values]) -> Normalize:
    """The range of the finite values of all parts, as limits of a colour scale; never empty."""
    values = np.concatenate([part[np.isfinite(part)] for part in parts])
    low, high = (float(values.min()), float(values.max())) if values.size else (-1.0, 0.0)
    return Normalize(low, high if high > low else low + 1)


def stack_size(blocks: int, lines: int) -> tuple[float, float]:
    """Inches of heat maps one below another, both columns wide, each of so many lines of cells."""
    return chosen().double, scaled(0.4 + blocks * (0.28 + 0.1 * lines))


def diagram_size(columns: int, rows: int, steps: int) -> tuple[float, float]:
    """Inches of unrolled networks side by side, three layers high, with a colour scale at the right."""
    step = (chosen().double - scaled(0.7)) / (columns * (steps + 0.2))
    return chosen().double, rows * 2.8 * step + scaled(0.3 + 0.35 * rows)


def strips_size(columns: int, rows: int, height: float = 0.85) -> tuple[float, float]:
    """Inches of low panels: one paper column for up to two side by side, both columns for more."""
    return chosen().single if columns <= 2 else chosen().double, scaled(0.8 + height * rows)


def size(columns: int, rows: int) -> tuple[float, float]:
    """Inches of a figure of so many panels: one paper column for a single panel, both columns for more."""
    width = chosen().single if columns == 1 else chosen().double
    height = 2.6 if rows == 1 and columns == 1 else 0.6 + PANEL_HEIGHT * rows
    return width, scaled(height)


def whole_numbers(axis: Any) -> None:
    """Ticks at whole numbers only: steps are counted."""
    from harness.figures.powers import StepLocator

    axis.set_major_locator(StepLocator())


def small() -> float:
    """Points of the numbers inside a figure."""
    return scaled(SMALLEST * letters())


def legend_entry(text: str) -> float:
    """Estimated width of a legend's entry in points: its handle, its letters (a formula counts as four) and the gap."""
    count = max(map(len, re.sub(r"\$[^$]*\$", "4444", text).split("\n")))
    return scaled(count * 0.6 * letters() * LENGTHS["legend.fontsize"] + 26)


def powers_of_ten(axis: Any) -> None:
    """Label an axis that holds log10 values as powers of ten."""
    from matplotlib.ticker import FuncFormatter

    from harness.figures.powers import PowerLocator, power

    axis.set_major_locator(PowerLocator())
    axis.set_major_formatter(FuncFormatter(lambda exponent, _: power(exponent)))


def guide(ax: Axes, *, x: bool = False, y: bool = True) -> None:
    """Light grid lines to read values by."""
    ax.grid(visible=y, axis="y")
    ax.grid(visible=x, axis="x")


def encode(figure: Figure, file_format: str, dpi: float = DPI) -> bytes:
    """A figure as the bytes of a 'pdf', 'png' or 'svg' file; the same figure gives the same bytes.

    Args:
        figure: what is drawn.
        file_format: pdf, png or svg.
        dpi: dots an inch of paper, of a PNG and of images in other files.
    """
    buffer = io.BytesIO()
    with context():
        figure.savefig(buffer, format=file_format, dpi=dpi / scaled(1), metadata=dict(METADATA[file_format]))
        figure.set_layout_engine("none")  # laid out once: each further file of the same figure costs a third less
    return buffer.getvalue()


def save(figure: Figure, stem: Path, formats: Sequence[str] = ("pdf", "png")) -> list[Path]:
    """Write a figure to `stem`.pdf, `stem`.png, …; returns the paths."""
    paths = []
    for file_format in formats:
        path = stem.with_name(f"{stem.name}.{file_format}")
        path.write_bytes(encode(figure, file_format))
        paths.append(path)
    return paths
