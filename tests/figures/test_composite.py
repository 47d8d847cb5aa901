"""A figure of several: every panel is the figure that it is alone, with a letter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from artists import entries
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from samples import sampled
from synthetic_results import SyntheticResults, figures

from harness.errors import HarnessError, StudyError
from harness.figures import style
from harness.figures.composite import compose, places
from harness.figures.feasibility import figure_faults
from harness.figures.rendering import render

FULL = {"sequence_length": 100, "bptt_window": None}
PARTS = (
    {"kind": "success"},
    {"kind": "decay", "where": FULL},
    {"kind": "phase", "where": {"bptt_window": None}},
    {"kind": "heatmap", "where": FULL},
    {"kind": "success", "name": "by-radius", "x": "spectral_radius"},
    {"kind": "examples"},
)


def study(synthetic: SyntheticResults, layout: list[list[str]], **settings: Any) -> Any:
    own = {"kind": "panels", "layout": layout, **settings}
    return replace(synthetic.study, figures=figures(*PARTS, own))


def drawn(synthetic: SyntheticResults, layout: list[list[str]], **settings: Any) -> Any:
    combined = study(synthetic, layout, **settings)
    return combined.figures[-1].draw(synthetic.frames, combined)


def faults(synthetic: SyntheticResults, layout: list[list[str]], **settings: Any) -> list[str]:
    combined = study(synthetic, layout, **settings)
    return [fault for index, fault in figure_faults(combined) if index == len(PARTS)]


def letters(figure: Any) -> list[str]:
    parts = figure.subfigs
    return [text.get_text() for part in parts for text in part.texts]


def lines(figure: Any) -> list[Any]:
    return [each.get_xydata() for ax in figure.axes for each in ax.lines]


def test_a_panel_is_the_same_as_its_figure_alone(synthetic: SyntheticResults) -> None:
    layout = [["success", "decay"], ["phase", "phase"]]
    figure = drawn(synthetic, layout)
    assert letters(figure) == ["(a)", "(b)", "(c)"]
    own = {each.name or each.kind: each for each in figures(*PARTS)}
    for part, name in zip(figure.subfigs, places(layout), strict=True):
        for one, other in zip(lines(part), lines(own[name].draw(synthetic.frames, synthetic.study)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_places_are_those_of_the_layout(synthetic: SyntheticResults) -> None:
    figure = drawn(synthetic, [["success", "decay"], ["heatmap", "heatmap"]])
    style.encode(figure, "png")
    a, b, c = (part.bbox for part in figure.subfigs)
    assert a.x1 <= b.x0 + 1
    assert c.y1 <= min(a.y0, b.y0) + 1
    assert c.width == pytest.approx(figure.bbox.width, rel=0.01)


@pytest.mark.parametrize("look", sampled(style.STYLES, ["paper"]))
def test_no_panel_reaches_into_another(synthetic: SyntheticResults, look: str) -> None:
    with style.use(look):
        figure = drawn(synthetic, [["success", "decay"], ["heatmap", "heatmap"]])
        style.encode(figure, "png")
        renderer: Any = FigureCanvasAgg(figure).get_renderer()
        for part in figure.subfigs:
            for artist in (*part.axes, *part.legends, *part.texts):
                box = artist.get_tightbbox(renderer)
                assert box.x0 >= part.bbox.x0 - 1
                assert box.x1 <= part.bbox.x1 + 1
                assert box.y0 >= part.bbox.y0 - 1
                assert box.y1 <= part.bbox.y1 + 1


@pytest.mark.parametrize("look", sampled(style.STYLES, ["talk"]))
def test_a_letter_overlaps_neither_legend_nor_title(synthetic: SyntheticResults, look: str) -> None:
    with style.use(look):
        figure = drawn(synthetic, [["success", "decay"], ["heatmap", "phase"]])
        style.encode(figure, "png")
        for part in figure.subfigs:
            (letter,) = part.texts
            box = letter.get_window_extent()
            others = [legend.get_window_extent() for legend in part.legends]
            others += [ax.title.get_window_extent() for ax in part.axes if ax.get_title()]
            assert not [other for other in others if box.overlaps(other)]


def test_legends_that_are_the_same_become_one(synthetic: SyntheticResults) -> None:
    window = {"where": {"bptt_window": None}}
    pair = ({"kind": "success", "name": "one", **window}, {"kind": "success", "name": "two", **window})
    combined = replace(synthetic.study, figures=figures(*pair, {"kind": "panels", "layout": [["one", "two"]]}))
    figure = combined.figures[-1].draw(synthetic.frames, combined)
    assert [len(part.legends) for part in figure.subfigs] == [0, 0]
    (legend,) = figure.legends
    alone = combined.figures[0].draw(synthetic.frames, combined).legends[0]
    assert entries(legend) == entries(alone)
    shapes = [
        [(each.get_color(), each.get_marker()) for each in each_legend.legend_handles]
        for each_legend in (legend, alone)
    ]
    assert shapes[0] == shapes[1]
    assert letters(figure) == ["(a)", "(b)"]


def test_legends_that_differ_stay(synthetic: SyntheticResults) -> None:
    figure = drawn(synthetic, [["success", "decay"]])
    assert [len(part.legends) for part in figure.subfigs] == [1, 1]
    assert not figure.legends


def test_the_width_is_the_given_one_and_follows_the_style(synthetic: SyntheticResults) -> None:
    assert drawn(synthetic, [["success", "decay"]]).get_figwidth() == style.DOUBLE
    assert drawn(synthetic, [["success"], ["decay"]], width=5.0).get_figwidth() == 5.0
    with style.use("talk"):
        assert drawn(synthetic, [["success", "decay"]]).get_figwidth() == style.STYLES["talk"].double


def test_a_row_is_as_high_as_its_highest_figure(synthetic: SyntheticResults) -> None:
    alone = [each.draw(synthetic.frames, synthetic.study).get_figheight() for each in figures(*PARTS[:2])]
    assert drawn(synthetic, [["success", "decay"]]).get_figheight() == pytest.approx(max(alone))
    assert drawn(synthetic, [["success"], ["decay"]]).get_figheight() == pytest.approx(sum(alone))


@pytest.mark.parametrize("form", ["pdf", "png", "svg"])
def test_the_same_frames_give_the_same_bytes(synthetic: SyntheticResults, form: str) -> None:
    first, again = (drawn(synthetic, [["success", "phase"]]) for _ in range(2))
    assert style.encode(first, form) == style.encode(again, form)


def test_the_caption_is_that_of_the_panels_with_their_letters(synthetic: SyntheticResults) -> None:
    combined = study(synthetic, [["success", "decay"]])
    own = [each.caption(combined) for each in combined.figures[:2]]
    assert combined.figures[-1].caption(combined) == f"(a) {own[0]} (b) {own[1]}"


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ([["success", "dekay"]], "no other figure 'dekay'; did you mean 'decay'?"),
        ([["success", "panels"]], "no other figure 'panels'"),
        ([["success", "examples"]], "of kind examples, whose letters fix its size"),
        ([["success", "decay"], ["heatmap"]], "the rows of a layout are of one length"),
        ([["success", "decay"], ["decay", "success"]], "the places of 'success' are no rectangle"),
        ([["success", "decay", "success"]], "the places of 'success' are no rectangle"),
    ],
    ids=str,
)
def test_a_layout_that_cannot_be_drawn_is_a_fault(
    synthetic: SyntheticResults, layout: list[list[str]], message: str
) -> None:
    assert any(message in each for each in faults(synthetic, layout))


def test_a_layout_that_can_be_drawn_has_no_fault(synthetic: SyntheticResults) -> None:
    assert faults(synthetic, [["success", "decay"], ["heatmap", "heatmap"]]) == []


def test_a_condition_belongs_to_the_panels(synthetic: SyntheticResults) -> None:
    assert "where belongs to the figures in the layout" in faults(synthetic, [["success"]], where={"cell": "rnn"})[0]


def test_a_fault_has_its_place_in_the_file(study_file: Any) -> None:
    from harness.registry import read

    path = study_file("name: a\nclaim: b\ntask: {name: temporal_order, sequence_length: 20}\nmodel: {cell: rnn}\n"
                      "figures:\n  - {kind: decay}\n  - {kind: panels, layout: [[dekay]]}\n")  # fmt: skip
    with pytest.raises(StudyError, match=r":7:5: figures: no other figure 'dekay'; did you mean 'decay'\?"):
        read(path)


def test_a_panel_without_data_is_a_note(synthetic: SyntheticResults, tmp_path: Any) -> None:
    empty = {"kind": "success", "name": "empty", "where": {"cell": "gru"}}
    combined = replace(synthetic.study, figures=figures(empty, {"kind": "panels", "layout": [["empty"]]}))
    _, notes = render(combined, synthetic.frames, tmp_path)
    assert notes[1] == "Figure 'panels' is missing: panel 'empty': no point of the grid has cell=gru."


def test_a_kind_that_makes_a_figure_of_its_own_is_refused() -> None:
    with pytest.raises(HarnessError, match="'own' makes a figure of its own"):
        compose([["own"]], {"own": Figure})
