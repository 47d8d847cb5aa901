"""A figure of several: every panel is the figure that it is alone, with a letter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up import Made, figures
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from harness.errors import HarnessError, StudyError
from harness.figures import style
from harness.figures.composite import compose, places
from harness.figures.rendering import render
from harness.verdicts.feasibility import figure_faults

FULL = {"sequence_length": 100, "bptt_window": None}
PARTS = (
    {"kind": "success"},
    {"kind": "decay", "where": FULL},
    {"kind": "phase", "where": {"bptt_window": None}},
    {"kind": "heatmap", "where": FULL},
    {"kind": "success", "name": "by-radius", "x": "spectral_radius"},
    {"kind": "examples"},
)


def study(made: Made, layout: list[list[str]], **settings: Any) -> Any:
    own = {"kind": "panels", "layout": layout, **settings}
    return replace(made.study, figures=figures(*PARTS, own))


def drawn(made: Made, layout: list[list[str]], **settings: Any) -> Any:
    asked = study(made, layout, **settings)
    return asked.figures[-1].draw(made.frames, asked)


def said(made: Made, layout: list[list[str]], **settings: Any) -> list[str]:
    asked = study(made, layout, **settings)
    return [what for index, what in figure_faults(asked) if index == len(PARTS)]


def letters(figure: Any) -> list[str]:
    parts = figure.subfigs
    return [text.get_text() for part in parts for text in part.texts]


def lines(figure: Any) -> list[Any]:
    return [each.get_xydata() for ax in figure.axes for each in ax.lines]


def test_a_panel_holds_what_its_figure_holds_alone(made: Made) -> None:
    layout = [["success", "decay"], ["phase", "phase"]]
    figure = drawn(made, layout)
    assert letters(figure) == ["(a)", "(b)", "(c)"]
    own = {each.name or each.kind: each for each in figures(*PARTS)}
    for part, name in zip(figure.subfigs, places(layout), strict=True):
        for one, other in zip(lines(part), lines(own[name].draw(made.frames, made.study)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_places_are_those_of_the_layout(made: Made) -> None:
    figure = drawn(made, [["success", "decay"], ["heatmap", "heatmap"]])
    style.encode(figure, "png")
    a, b, c = (part.bbox for part in figure.subfigs)
    assert a.x1 <= b.x0 + 1
    assert c.y1 <= min(a.y0, b.y0) + 1
    assert c.width == pytest.approx(figure.bbox.width, rel=0.01)


@pytest.mark.parametrize("look", style.STYLES)
def test_no_panel_reaches_into_another(made: Made, look: str) -> None:
    with style.use(look):
        figure = drawn(made, [["success", "decay"], ["heatmap", "heatmap"]])
        style.encode(figure, "png")
        renderer: Any = FigureCanvasAgg(figure).get_renderer()
        for part in figure.subfigs:
            for artist in (*part.axes, *part.legends, *part.texts):
                box = artist.get_tightbbox(renderer)
                assert box.x0 >= part.bbox.x0 - 1
                assert box.x1 <= part.bbox.x1 + 1
                assert box.y0 >= part.bbox.y0 - 1
                assert box.y1 <= part.bbox.y1 + 1


@pytest.mark.parametrize("look", style.STYLES)
def test_a_letter_stands_clear_of_legend_and_title(made: Made, look: str) -> None:
    with style.use(look):
        figure = drawn(made, [["success", "decay"], ["heatmap", "phase"]])
        style.encode(figure, "png")
        for part in figure.subfigs:
            (letter,) = part.texts
            box = letter.get_window_extent()
            others = [legend.get_window_extent() for legend in part.legends]
            others += [ax.title.get_window_extent() for ax in part.axes if ax.get_title()]
            assert not [other for other in others if box.overlaps(other)]


def test_legends_that_are_the_same_become_one(made: Made) -> None:
    window = {"where": {"bptt_window": None}}
    pair = ({"kind": "success", "name": "one", **window}, {"kind": "success", "name": "two", **window})
    asked = replace(made.study, figures=figures(*pair, {"kind": "panels", "layout": [["one", "two"]]}))
    figure = asked.figures[-1].draw(made.frames, asked)
    assert [len(part.legends) for part in figure.subfigs] == [0, 0]
    (legend,) = figure.legends
    alone = asked.figures[0].draw(made.frames, asked).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [text.get_text() for text in alone.get_texts()]
    shapes = [[(each.get_color(), each.get_marker()) for each in held.legend_handles] for held in (legend, alone)]
    assert shapes[0] == shapes[1]
    assert letters(figure) == ["(a)", "(b)"]


def test_legends_that_differ_stay(made: Made) -> None:
    figure = drawn(made, [["success", "decay"]])
    assert [len(part.legends) for part in figure.subfigs] == [1, 1]
    assert not figure.legends


def test_the_width_is_what_was_asked_for_and_follows_the_style(made: Made) -> None:
    assert drawn(made, [["success", "decay"]]).get_figwidth() == style.DOUBLE
    assert drawn(made, [["success"], ["decay"]], width=5.0).get_figwidth() == 5.0
    with style.use("talk"):
        assert drawn(made, [["success", "decay"]]).get_figwidth() == style.STYLES["talk"].double


def test_a_row_is_as_high_as_its_highest_figure(made: Made) -> None:
    alone = [each.draw(made.frames, made.study).get_figheight() for each in figures(*PARTS[:2])]
    assert drawn(made, [["success", "decay"]]).get_figheight() == pytest.approx(max(alone))
    assert drawn(made, [["success"], ["decay"]]).get_figheight() == pytest.approx(sum(alone))


@pytest.mark.parametrize("form", ["pdf", "png", "svg"])
def test_the_same_frames_give_the_same_bytes(made: Made, form: str) -> None:
    first, again = (drawn(made, [["success", "phase"]]) for _ in range(2))
    assert style.encode(first, form) == style.encode(again, form)


def test_the_caption_is_that_of_the_panels_with_their_letters(made: Made) -> None:
    asked = study(made, [["success", "decay"]])
    own = [each.caption(asked) for each in asked.figures[:2]]
    assert asked.figures[-1].caption(asked) == f"(a) {own[0]} (b) {own[1]}"


@pytest.mark.parametrize(
    ("layout", "what"),
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
def test_what_cannot_be_laid_out_is_said(made: Made, layout: list[list[str]], what: str) -> None:
    assert any(what in each for each in said(made, layout))


def test_a_layout_that_can_be_drawn_has_no_fault(made: Made) -> None:
    assert said(made, [["success", "decay"], ["heatmap", "heatmap"]]) == []


def test_a_condition_belongs_to_the_panels(made: Made) -> None:
    assert "where belongs to the figures in the layout" in said(made, [["success"]], where={"cell": "rnn"})[0]


def test_a_fault_has_its_place_in_the_file(study_file: Any) -> None:
    from harness.registry import read

    path = study_file("name: a\nclaim: b\ntask: {name: temporal_order, sequence_length: 20}\nmodel: {cell: rnn}\n"
                      "figures:\n  - {kind: decay}\n  - {kind: panels, layout: [[dekay]]}\n")  # fmt: skip
    with pytest.raises(StudyError, match=r":7:5: figures: no other figure 'dekay'; did you mean 'decay'\?"):
        read(path)


def test_a_panel_without_data_is_a_note(made: Made, tmp_path: Any) -> None:
    gone = {"kind": "success", "name": "gone", "where": {"cell": "gru"}}
    asked = replace(made.study, figures=figures(gone, {"kind": "panels", "layout": [["gone"]]}))
    _, notes = render(asked, made.frames, tmp_path)
    assert notes[1] == "Figure 'panels' is missing: panel 'gone': nothing to draw: no run has a result yet."


def test_a_kind_that_makes_a_figure_of_its_own_is_refused() -> None:
    with pytest.raises(HarnessError, match="'own' makes a figure of its own"):
        compose([["own"]], {"own": Figure})
