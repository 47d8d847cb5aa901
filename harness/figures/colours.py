"""Colours of all figures: the inks and palettes on light paper, on dark paper, and a study's own (`palette:`).

Ten colours of a palette differ for readers who see no red, no green or no blue too, and every ink has its contrast
with the paper: tests/figures/test_colours.py measures both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import matplotlib as mpl
import seaborn as sns
from matplotlib.colors import Colormap, ListedColormap, is_color_like, to_hex

from harness.errors import HarnessError, nearest
from harness.figures import appearance
from harness.study import labels
from harness.study.matching import canonical
from harness.study.spec import FigureSpec, Palette

SHADES = 256  # of a colour map


@dataclass(frozen=True)
class Scheme:
    """The colours on one paper.

    Args:
        paper: the ground.
        ink, faint, rule, grid: of text and lines, from strong to weak.
        null: a null among the hues, where it is no value of a scale.
        palette: colours for words, in the order in which they are used.
        scale: the part of viridis for numbers on a scale, from the weakest contrast with the paper to the strongest.
    """

    paper: str
    ink: str
    faint: str
    rule: str
    grid: str
    null: str
    palette: tuple[str, ...]
    scale: tuple[float, float]


LIGHT = Scheme(
    paper="#ffffff",
    ink="#222222",
    faint="#6b6b6b",
    rule="#b5b5b5",
    grid="#e4e4e4",
    null="#8a8a8a",
    # the first five are seaborn's `colorblind`; its others include a yellow and a pink that white paper swallows
    palette=(
        "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#692d00", "#1e0fb4", "#694b69", "#4b694b", "#00b4ff",
    ),
    scale=(0.7, 0.0),
)  # fmt: skip
DARK = Scheme(
    paper="#16181b",
    ink="#e8eaed",
    faint="#a9b0b8",
    rule="#5b626a",
    grid="#343a41",
    null="#9aa0a6",
    palette=(
        "#01a4fe", "#fbb437", "#45927c", "#cc7533", "#c76bc1", "#ffddb3", "#7154de", "#875f82", "#7ab882", "#80e9ff",
    ),
    scale=(0.4, 1.0),
)  # fmt: skip
SCHEMES: Mapping[str, Scheme] = {"light": LIGHT, "dark": DARK}
ZERO = "#d4d4d4"  # an exact zero on a map, on either paper: no colour of the map's scale
WRONG = 3  # of a palette: a wrong answer
FIRST = (1, 0, 2)  # of a palette: the first words of a column whose words have an order of their own, in every figure

_chosen: ContextVar[Scheme] = ContextVar("scheme", default=LIGHT)


@contextmanager
def on(name: str) -> Iterator[Scheme]:
    """Draw what is inside on "light" paper (otherwise the default) or on "dark"."""
    token = _chosen.set(SCHEMES[name])
    try:
        yield SCHEMES[name]
    finally:
        _chosen.reset(token)


def scheme() -> Scheme:
    """The colours on the paper in use."""
    return _chosen.get()


def colours(column: str | None, levels: Sequence[object]) -> list[str]:
    """One colour for each level of a column, in the levels' order.

    The figure's own palette comes first. Otherwise a cell type has the same colour in every figure; numbers on a scale
    (ρ, window, T) run from faint to strong; other levels take the palette; a null is grey unless it is a value of its
    column (no BPTT window: the full one).
    """
    inks, own = scheme(), appearance.current().palette
    if own is not None:
        return _own(own, column, levels)
    real = [level for level in levels if canonical(level) is not None or labels.null(column or "")]
    order = labels.order(column) if column == "cell" else ()
    if order:
        fixed = {word: inks.palette[i] for word, i in zip(order, FIRST, strict=False)}
        spare = _endless([colour for colour in inks.palette if colour not in fixed.values()])
        table = {canonical(level): fixed.get(str(level)) or next(spare) for level in real}
    elif labels.sequential(column) and len(real) > 1:
        table = dict(zip(map(canonical, real), scale_colours(len(real)), strict=True))
    else:
        table = dict(zip(map(canonical, real), _endless(inks.palette), strict=False))
    return [table.get(canonical(level), inks.null) for level in levels]


def scale_colours(count: int) -> list[str]:
    """Colours of so many numbers on a scale, from faint to strong."""
    first, last = scheme().scale
    return [to_hex(mpl.colormaps["viridis"](first + (last - first) * i / max(count - 1, 1))) for i in range(count)]


def palette_of(text: str, count: int) -> list[str]:
    """Colours of a named palette of seaborn or colour map of matplotlib.

    Raises:
        HarnessError: there is none of that name.
    """
    try:
        return [to_hex(colour) for colour in sns.color_palette(text, count)]
    except ValueError:
        known = {*sns.palettes.SEABORN_PALETTES, *mpl.colormaps}
        raise HarnessError(f"no palette '{text}'{nearest(text, known)}") from None


def _own(palette: Palette, column: str | None, levels: Sequence[object]) -> list[str]:
    """Colours by a study's own palette: a name, a list in the order of the levels, or a colour for each value."""
    if isinstance(palette, str):
        return palette_of(palette, len(levels))
    if isinstance(palette, Mapping):
        named = {canonical(value): to_hex(colour) for value, colour in palette.items()}
        with appearance.use(appearance.without_palette()):
            others = dict(zip(map(canonical, levels), colours(column, levels), strict=True))
        return [named.get(canonical(level), others[canonical(level)]) for level in levels]
    return [colour for colour, _ in zip(_endless([to_hex(each) for each in palette]), levels, strict=False)]


def _endless(palette: Sequence[str]) -> Iterator[str]:
    while True:
        yield from palette


def magnitude_map() -> Colormap:
    """Colours for the logarithm of a gradient: dark is small."""
    return mpl.colormaps["viridis"]


def rate_map() -> Colormap:
    """Colours for a rate between 0 and 1: light is 0."""
    return cast(Colormap, sns.color_palette("crest", as_cmap=True))


def cycle(levels: int) -> list[str]:
    """Colours around the hue circle, so that ordered values may be cyclic (months); neighbours differ in lightness."""
    dim, bright = (0.48, 0.68) if scheme() is LIGHT else (0.62, 0.84)
    pairs = [sns.husl_palette(levels, s=0.9, l=lightness) for lightness in (bright, dim)]
    return [to_hex(pairs[i % 2][i]) for i in range(levels)]


def diverging_map() -> Colormap:
    """Colours for a state with a sign: white is 0, blue below, red above."""
    return mpl.colormaps["RdBu_r"]


def shade_map() -> Colormap:
    """Shades for the logarithm of a gradient on a node: the larger, the nearer to the ink."""
    weak = "#f2f2f2" if scheme() is LIGHT else scheme().grid
    return ListedColormap(sns.blend_palette([weak, scheme().ink], SHADES))


def wrong_answer() -> str:
    """The colour of a wrong answer, on the paper in use."""
    return scheme().palette[WRONG]


def palette_faults(figure: FigureSpec, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a figure's own palette has that is no colour, or no value of a point; a font that is not installed."""
    from matplotlib.font_manager import findfont

    own = figure.palette
    if figure.font is not None:
        try:
            findfont(figure.font, fallback_to_default=False)
        except ValueError:
            yield f"font: no family '{figure.font}' is installed"
    if isinstance(own, str):
        try:
            palette_of(own, 1)
        except HarnessError as error:
            yield f"palette: {error}"
        return
    for colour in () if own is None else own.values() if isinstance(own, Mapping) else own:
        if not is_color_like(colour):
            yield f"palette: '{colour}' is no colour; write '#0173b2', or a name such as 'tab:blue'"
    values = {canonical(row.get(column)) for column in columns for row in rows}
    for value in own if isinstance(own, Mapping) else ():
        if canonical(value) not in values:
            yield f"palette: no value {labels.value('', value)} among those that the figure shows"
