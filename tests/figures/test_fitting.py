"""Titles, ticks and end labels stay within their panels, whatever a setting's values are; a mapping reads as words."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from artists import entries
from synthetic_results import point, simulate

from harness.figures import fitting, style, texts
from harness.figures.canvas import stacked
from harness.figures.decay import decay
from harness.figures.heatmap import heatmap
from harness.figures.phase import phase
from harness.figures.score import score

OPTIMIZERS = {
    "rmsprop": "rmsprop",
    "adam": "adam",
    '{"momentum":0.9,"name":"sgd","nesterov":true}': "sgd, momentum 0.9, nesterov",
    '{"betas":[0.9,0.98],"name":"adamw","weight_decay":0.1}': "adamw, weight decay 0.1, betas 0.9, 0.98",
}
SCHEDULES = {
    "constant": "constant",
    '{"name":"cosine","warm_up":5}': "cosine, warm up 5",
    '{"name":"step","step_size":7}': "step, step size 7",
}


@pytest.fixture(scope="module")
def frames() -> Any:
    """A synthetic run for each optimizer and schedule."""
    grid = [point("rnn", 20, rho) for rho in (0.8, 0.9, 1.0, 1.1, 1.2, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)]
    results = simulate(grid, seeds=[0]).frames
    names = [(optimizer, schedule) for optimizer in OPTIMIZERS for schedule in SCHEDULES]
    by_run = dict(zip(sorted(results.runs["run_id"]), names, strict=True))

    def named(frame: Any) -> Any:
        return frame.assign(optimizer=[by_run[each][0] for each in frame["run_id"]],
                            schedule=[by_run[each][1] for each in frame["run_id"]])  # fmt: skip

    return named(results.runs), named(results.gradients.assign(layer=1))


def touching(artists: Any) -> list[tuple[str, str]]:
    """The texts that lie on one another."""
    boxes = [(each.get_text(), each.get_window_extent()) for each in artists if each.get_text()]
    return [(text, other) for i, (text, box) in enumerate(boxes) for other, second in boxes[:i] if box.overlaps(second)]


def outside(figure: Any, artists: Any) -> list[str]:
    """The texts that leave their figure at a side."""
    boxes = [(each.get_text(), each.get_window_extent()) for each in artists if each.get_text()]
    return [text for text, box in boxes if box.x0 < 0 or box.x1 > figure.bbox.width]


@pytest.mark.parametrize("written", [*OPTIMIZERS, *SCHEDULES])
def test_a_mapping_reads_as_words(written: str) -> None:
    assert texts.plain("optimizer", written) == {**OPTIMIZERS, **SCHEDULES}[written]


def test_what_differs_in_a_mapping_is_written_differently() -> None:
    settings: list[dict[str, Any]] = [
        {"name": "sgd", "nesterov": True}, {"name": "sgd", "nesterov": False}, {"name": "sgd", "nesterov": None},
        {"name": "sgd", "momentum": 0.9}, {"name": "sgd", "momentum": [0.9]}, {"name": "sgd", "betas": []},
        {"name": "sgd"}, {"low": 5, "high": 9}, {"name": "sgd", "inner": {"low": 5}},
    ]  # fmt: skip
    written = [texts.in_words(each) for each in settings]
    assert written[1:4] == ["sgd, no nesterov", "sgd, nesterov null", "sgd, momentum 0.9"]
    assert written[-2:] == ["low 5, high 9", "sgd, inner (low 5)"]
    assert len({*written[:4], *written[5:]}) == len(written) - 1


def test_lines_break_after_commas_before_they_break_at_spaces_and_lose_nothing() -> None:
    text = OPTIMIZERS['{"betas":[0.9,0.98],"name":"adamw","weight_decay":0.1}']
    assert fitting.lines(text, 18) == ["adamw,", "weight decay 0.1,", "betas 0.9, 0.98"]
    assert fitting.lines(text, 100) == [text]
    for most in range(5, 50):
        broken = fitting.lines(text, most)
        assert "".join(broken).replace(" ", "") == text.replace(" ", "")
        assert max(map(len, broken)) <= most
    assert fitting.lines(r"costs \$5, or \$7 a step", 12) == [r"costs \$5,", r"or \$7 a step"]


def test_a_title_has_as_many_parts_in_a_line_as_fit() -> None:
    with style.context():
        points = 15 * fitting.WIDTH * fitting.size_of("axes.titlesize")
        assert fitting.title(["L = 1", "", "h", "update 0"], points + 1) == "L = 1, h\nupdate 0"
        assert fitting.title(["L = 1", "h", "update 0"], 2 * points) == "L = 1, h, update 0"


def test_end_labels_that_are_broad_become_a_legend(frames: Any) -> None:
    _, gradients = frames
    figure = decay(gradients, hue="optimizer", col="schedule", theory=())
    figure.draw_without_rendering()
    assert sorted(entries(figure.legends[0])) == sorted(OPTIMIZERS.values())
    assert not any(ax.texts for ax in figure.axes)
    for ax in figure.axes:
        assert ax.get_window_extent().width > figure.bbox.width / 3 * 0.75
    titles = [ax.title for ax in figure.axes]
    assert touching(titles) == []
    assert outside(figure, titles) == []
    labelled = decay(gradients, hue="layer", col="schedule", theory=())
    assert [text.get_text() for text in labelled.axes[0].texts] == ["layer = 1"]


@pytest.mark.parametrize(("x", "col"), [("optimizer", None), ("optimizer", "schedule"), ("schedule", "optimizer")])
def test_ticks_that_are_mappings_do_not_touch(frames: Any, x: str, col: str | None) -> None:
    runs, _ = frames
    for figure in (score(runs, x=x, hue=None, col=col), phase(runs, x=x, y="cell", col=col)):
        figure.draw_without_rendering()
        for ax in figure.axes:
            if ax.get_label() == "<colorbar>":
                continue
            assert touching(ax.get_xticklabels()) == []
            words = [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()]
            assert set(words) <= {*OPTIMIZERS.values(), *SCHEDULES.values()}
        assert touching([ax.title for ax in figure.axes]) == []


@pytest.mark.parametrize("look", style.STYLES)
def test_titles_of_many_panels_do_not_touch(frames: Any, look: str) -> None:
    _, gradients = frames
    with style.use(look):
        figure = heatmap(gradients, col="optimizer", row="schedule")
        figure.draw_without_rendering()
    maps = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    assert touching([ax.title for ax in maps]) == []
    assert outside(figure, [ax.title for ax in maps]) == []
    for above, below in pairwise(maps[::4]):
        assert below.title.get_window_extent().y1 < above.get_window_extent().y0
    with stacked():
        one = heatmap(gradients, col="optimizer", row="schedule")
    assert one.axes[0].get_title() == "schedule = constant\noptimizer = adam"


@pytest.mark.parametrize(("values", "lines"), [(6, [6]), (7, [4, 3]), (11, [6, 5])])
def test_many_panels_stand_in_several_lines_and_each_lowest_names_its_axis(
    frames: Any, values: int, lines: list[int]
) -> None:
    _, gradients = frames
    shown = gradients[gradients["spectral_radius"].isin(sorted(gradients["spectral_radius"].unique())[:values])]
    figure = decay(shown, hue=None, col="spectral_radius", theory=())
    figure.draw_without_rendering()
    rows = [figure.axes[start : start + lines[0]] for start in range(0, values, lines[0])]
    assert [len(row) for row in rows] == lines
    for row in rows:
        assert len({round(ax.get_position().y0, 6) for ax in row}) == 1
    assert touching([ax.title for ax in figure.axes]) == []
    for k, ax in enumerate(figure.axes):
        lowest = k + lines[0] >= values
        assert bool(ax.get_xlabel()) == lowest
        assert any(label.get_visible() for label in ax.get_xticklabels()) == lowest
        assert bool(ax.get_ylabel()) == (k % lines[0] == 0)
    with stacked():
        one = decay(shown, hue=None, col="spectral_radius", theory=())
    assert [bool(ax.get_xlabel()) for ax in one.axes] == [False] * (values - 1) + [True]


def test_a_label_that_is_turned_has_no_more_lines_than_fit_and_whole_words() -> None:
    with style.context():
        size = fitting.size_of("xtick.labelsize")
        ticks = fitting.ticks(list(OPTIMIZERS.values()), 3.5 * fitting.LINE * size)
    assert ticks.rotation == 90
    assert max(text.count("\n") for text in ticks.texts) == 2
    assert {text.replace("\n", " ") for text in ticks.texts} == set(OPTIMIZERS.values())
    assert fitting.ticks(["20", "50", "100"], 40.0).rotation == 0


def test_steps_are_fewer_below_a_narrow_map() -> None:
    assert [len(fitting.steps(100, points)) for points in (150.0, 60.0, 20.0)] == [5, 3, 2]
    assert fitting.steps(1, 150.0) == [1]
