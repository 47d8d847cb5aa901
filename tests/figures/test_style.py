"""A style changes sizes and no data; a file is the same bytes twice in every style."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from samples import sampled
from synthetic_results import SyntheticResults, figures

from harness import cli
from harness.errors import HarnessError
from harness.figures import style
from harness.study import labels

KINDS: dict[str, dict[str, Any]] = {
    "success": {}, "score": {}, "learning": {}, "decay": {}, "phase": {}, "prediction": {}, "codes": {}, "nodes": {},
    "heatmap": {"col": "sequence_length", "row": "cell"},
}  # fmt: skip
Draw = Callable[[str, str], Figure]
ONE_COLUMN = ("success", "score", "codes", "prediction")
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


@pytest.mark.parametrize("look", sampled(LARGER, ["notebook"]))
@pytest.mark.parametrize("name", KINDS)
def test_every_line_mark_and_letter_of_a_kind_is_scaled(draw: Draw, name: str, look: str) -> None:
    paper, other = lengths(draw(name, "paper")), lengths(draw(name, look))
    scale = style.STYLES[look].scale
    for kind, sizes in paper.items():
        assert other[kind] == pytest.approx([scale * each for each in sizes]), kind


@pytest.mark.parametrize("look", sampled(LARGER, ["notebook"]))
@pytest.mark.parametrize("name", KINDS)
def test_no_style_changes_the_data(draw: Draw, name: str, look: str) -> None:
    for one, other in zip(data(draw(name, "paper")), data(draw(name, look)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("look", sampled(style.STYLES, ["paper", "notebook"]))
def test_a_figure_has_the_width_of_one_column_or_two(draw: Draw, look: str) -> None:
    widths = {name: draw(name, look).get_figwidth() for name in KINDS}
    single, double = style.STYLES[look].single, style.STYLES[look].double
    assert widths == {name: single if name in ONE_COLUMN else double for name in KINDS}


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


def test_a_cell_has_one_colour_everywhere() -> None:
    assert style.colours("cell", ["lstm", "rnn"])[::-1] == style.colours("cell", ["rnn", "lstm"])
    assert len(set(style.colours("cell", ["rnn", "lstm", "gru", "janet", "lru"]))) == 5


def test_a_null_is_grey_unless_it_means_a_value() -> None:
    assert style.colours("forget_bias", ["1.0", None])[1] == style.scheme().null
    assert style.scheme().null not in style.colours("bptt_window", [5, 25, None])


def test_values_are_written_as_in_a_paper() -> None:
    assert [labels.value("bptt_window", value) for value in (None, 25.0)] == ["full", "25"]
    assert [labels.value("forget_bias", value) for value in (None, "1.0", "chrono")] == ["drawn", "1", "chrono"]
    assert labels.axis("sequence_length") == "sequence length T (steps)"
    assert labels.axis("batch_size", "sequences") == "batch size (sequences)"
    assert labels.title({"cell": "lstm", "sequence_length": 100}) == "cell = lstm, T = 100"
