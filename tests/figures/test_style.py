"""A style changes sizes and no data; a file is the same bytes twice in every style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from synthetic_results import SyntheticResults, figures

from harness import cli
from harness.errors import HarnessError
from harness.figures import style
from harness.figures.rendering import render

KINDS: dict[str, dict[str, Any]] = {
    "success": {}, "score": {}, "learning": {}, "decay": {}, "phase": {}, "codes": {}, "nodes": {},
    "heatmap": {"col": "sequence_length", "row": "cell"},
}  # fmt: skip
Draw = Callable[[str, str], Figure]
LARGER = tuple(name for name in style.STYLES if name != "paper")


@pytest.fixture(scope="module")
def draw(synthetic: SyntheticResults) -> Callable[[str, str], Figure]:
    """Draws and lays out a kind in a style, each once."""

    @cache
    def drawn(name: str, look: str) -> Figure:
        (kind,) = figures({"kind": name, **KINDS[name]})
        with style.use(look):
            figure: Figure = kind.draw(synthetic.frames, synthetic.study)
            style.encode(figure, "png")
        return figure

    return drawn


def lengths(figure: Figure) -> dict[str, list[float]]:
    """Every length in points that a reader sees, by what it is."""
    lines: Any = [each for each in figure.findobj(Line2D) if each.get_visible()]
    texts: Any = [each for each in figure.findobj(Text) if each.get_text()]
    areas: Any = figure.findobj(Collection)
    return {
        "font sizes": sorted({round(each.get_fontsize(), 6) for each in texts}),
        "line widths": sorted({round(each.get_linewidth(), 6) for each in lines}),
        "marker sizes": sorted({round(each.get_markersize(), 6) for each in lines}),
        "edges": sorted({round(float(width), 6) for each in areas for width in np.ravel(each.get_linewidth())}),
    }


def data(figure: Figure) -> list[Any]:
    points: Any = [each.get_xydata() for ax in figure.axes for each in ax.lines]
    images: Any = [np.ma.filled(each.get_array(), np.nan) for ax in figure.axes for each in ax.images]
    return [*points, *images]


@pytest.mark.parametrize("look", LARGER)
@pytest.mark.parametrize("name", KINDS)
def test_every_line_mark_and_letter_of_a_kind_is_scaled(draw: Draw, name: str, look: str) -> None:
    paper, other = lengths(draw(name, "paper")), lengths(draw(name, look))
    scale = style.STYLES[look].scale
    for kind, sizes in paper.items():
        assert other[kind] == pytest.approx([scale * each for each in sizes]), kind


@pytest.mark.parametrize("look", LARGER)
@pytest.mark.parametrize("name", KINDS)
def test_no_style_changes_the_data(draw: Draw, name: str, look: str) -> None:
    for one, other in zip(data(draw(name, "paper")), data(draw(name, look)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("look", style.STYLES)
def test_widths_are_those_of_the_style(draw: Draw, look: str) -> None:
    assert draw("success", look).get_figwidth() == style.STYLES[look].single
    assert draw("decay", look).get_figwidth() == style.STYLES[look].double


@pytest.mark.parametrize("look", style.STYLES)
def test_every_legend_lies_within_its_figure(draw: Draw, look: str) -> None:
    for name in ("success", "learning", "decay"):
        figure: Any = draw(name, look)
        (legend,) = figure.findobj(Legend)
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width


def test_letters_of_a_slide_can_be_read_from_afar() -> None:
    smallest = min(length for name, length in style.LENGTHS.items() if "size" in name and "xtick.major" not in name
                   and "ytick.major" not in name and "marker" not in name)  # fmt: skip
    assert smallest * style.STYLES["talk"].scale >= 12
    assert style.STYLES["talk"].double <= 13.3


def test_a_style_ends_with_its_block() -> None:
    with pytest.raises(KeyError), style.use("talk"):
        raise KeyError
    assert style.chosen() == style.STYLES["paper"]


def test_an_unknown_style_names_the_nearest() -> None:
    with pytest.raises(HarnessError, match="did you mean 'paper'"), style.use("papre"):
        pass


def test_the_commands_offer_every_style_and_format() -> None:
    assert set(cli.STYLES) == set(style.STYLES)
    assert cli.STYLES[0] == "paper"
    assert set(cli.FORMATS) == set(style.METADATA)


@pytest.mark.parametrize("look", style.STYLES)
def test_files_are_the_same_bytes_twice_in_every_style_and_format(
    synthetic: SyntheticResults, tmp_path: Path, look: str
) -> None:
    small = replace(synthetic.study, figures=synthetic.study.figures[:1])
    first, again = (render(small, synthetic.frames, tmp_path / name, cli.FORMATS, look) for name in ("a", "b"))
    assert first == again
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["success.pdf", "success.png", "success.svg"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_files_are_pdf_and_png_by_default_and_those_of_other_formats_are_removed(
    synthetic: SyntheticResults, tmp_path: Path
) -> None:
    small = replace(synthetic.study, figures=synthetic.study.figures[:1])
    render(small, synthetic.frames, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "success.pdf", "success.png"]
    render(small, synthetic.frames, tmp_path, ["svg"], "talk")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "success.svg"]
