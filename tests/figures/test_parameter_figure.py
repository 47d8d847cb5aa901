"""Gradients of parameters as they were recorded: shares, ends, lines, and what is not a finite number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from artists import dashed, entries, panel, solid
from study_texts import study_text

from harness.errors import HarnessError, StudyError
from harness.figures import FIGURES, style
from harness.figures.canvas import stacked
from harness.figures.parameters import parameters
from harness.registry import read

CENTRES = np.arange(-45.25, 5.5, 0.5)
UPDATES = (0, 1, 2, 4)


def bin_of(log10: float) -> int:
    return int(np.searchsorted(CENTRES, log10 + 0.25) - 1) if log10 > -45 else 0


def histogram(shares: dict[float, float]) -> list[float]:
    """Shares by log10 of the size; −∞ for exact zeros, +∞ for what is above."""
    values = np.zeros(len(CENTRES))
    for size, share in shares.items():
        values[-1 if size == np.inf else bin_of(size)] = share
    return values.tolist()


def run(seed: int = 0, cell: str = "rnn", names: tuple[str, ...] = ("W", "U"), end: int = 4, **changes: Any) -> Any:
    """Rows of one run: at every update half of the entries of size −1.75 (and of −3.75 for odd seeds), half zeros."""
    settings = {
        "size": -3.75 if seed % 2 else -1.75, "norm": -1.0 - seed, "share": 10.0 ** (-2 - seed), **changes,
    }  # fmt: skip
    rows = []
    for update in [u for u in UPDATES if u <= end]:
        for name in names:
            shares = histogram({settings["size"]: 0.5, -np.inf: 0.5})
            for quantity, axis, at, measured in (
                ("log10_gradient_norm", "update", [update], [settings["norm"]]),
                ("update_share", "update", [update], [settings["share"]]),
                ("gradient_histogram", "log10_gradient", CENTRES.tolist(), settings.get("histogram", shares)),
            ):
                rows.append({
                    "run_id": f"{cell}-{seed}", "update": update, "quantity": f"{quantity} of {name}", "axis": axis,
                    "at": [float(x) for x in at], "measured": measured, "theory": None,
                    "seed": seed, "cell": cell, "updates": end, "max_updates": 4,
                })  # fmt: skip
    return rows


def table(*runs: Any) -> pd.DataFrame:
    return pd.DataFrame([row for rows in runs for row in rows])


def shades(ax: Any) -> np.ndarray:
    """Shares by bin and update, as drawn: the end below, the bins, the end above."""
    below, above, inner = (np.ma.filled(image.get_array().astype(float), np.nan) for image in ax.images)
    return np.concatenate([below, inner, above])


def test_shades_are_the_mean_share_of_entries_and_none_is_paper() -> None:
    drawn = shades(panel(parameters(table(run(0), run(1))), "W"))
    assert drawn.shape == (len(CENTRES), len(UPDATES))
    for k in range(len(UPDATES)):
        filled = {i: drawn[i, k] for i in np.flatnonzero(~np.isnan(drawn[:, k]))}
        assert filled == {0: 0.5, bin_of(-3.75): 0.25, bin_of(-1.75): 0.25}


def test_a_bin_stands_at_its_size_and_an_end_apart_from_all() -> None:
    ax = panel(parameters(table(run(histogram=histogram({-1.75: 0.5, -np.inf: 0.25, np.inf: 0.25})))), "W")
    below, above, inner = (image.get_extent() for image in ax.images)
    assert inner[2:] == [-45.0, 5.0]
    low, high = ax.get_ylim()
    assert low == below[2] < below[3] < -2.0  # the lower edge of the only bin
    assert -1.0 < above[2] < above[3] == high  # above the line of the norm
    marks = dict(zip([t.get_text() for t in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert below[2] < marks["0"] < below[3]
    assert above[2] < marks["∞"] < above[3]


def test_without_zeros_there_is_no_row_for_them() -> None:
    ax = panel(parameters(table(run(histogram=histogram({-1.75: 1.0})))), "W")
    assert "0" not in [text.get_text() for text in ax.get_yticklabels()]
    assert ax.get_ylim()[0] == pytest.approx(-2.25)


def test_lines_are_means_of_the_logarithm() -> None:
    ax = panel(parameters(table(run(0), run(1))), "W")
    assert solid(ax)[0].get_ydata().tolist() == pytest.approx([-1.5] * 4)
    assert dashed(ax)[0].get_ydata().tolist() == pytest.approx([-2.5] * 4)


def test_zeros_are_left_out_of_a_line_and_an_infinite_share_leaves_a_gap() -> None:
    zero = panel(parameters(table(run(0), run(1, norm=-np.inf, share=0.0))), "W")
    assert solid(zero)[0].get_ydata().tolist() == [-1.0] * 4
    assert dashed(zero)[0].get_ydata().tolist() == [-2.0] * 4
    infinite = panel(parameters(table(run(0), run(1, share=np.inf))), "W")
    assert np.isnan(dashed(infinite)[0].get_ydata()).all()


def test_a_gradient_that_is_not_finite_is_a_cross_and_has_no_mean() -> None:
    broken = run(1, end=2)
    for row in broken[-6:]:  # of the last update
        row["measured"] = [np.nan] * len(row["measured"])
    figure = parameters(table(run(0), broken))
    ax = panel(figure, "W")
    [crosses] = [line for line in ax.lines if line.get_marker() == "x"]
    assert crosses.get_xdata().tolist() == [2]
    assert np.isnan(shades(ax)[:, 2]).all()
    assert "not finite in some runs" in entries(figure.legends[0])
    whole = parameters(table(run(0), run(1)))
    assert entries(whole.legends[0]) == ["norm ‖∂L/∂p‖", "update ‖Δp‖/‖p‖"]


def test_gradients_that_are_never_finite_are_drawn_too() -> None:
    figure = parameters(table(run(0, norm=np.nan, share=np.nan, histogram=[np.nan] * len(CENTRES))))
    assert style.encode(figure, "png")
    assert len([line for line in panel(figure, "W").lines if line.get_marker() == "x"]) == 1


def test_a_record_that_only_one_ended_run_has_is_no_column() -> None:
    early = [{**row, "update": 3 if row["update"] == 4 else row["update"], "updates": 3} for row in run(1)]
    ax = panel(parameters(table(run(0), early)), "W")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "2", "4"]
    assert [text.get_text() for text in ax.texts] == ["2", "2", "2", "1", "n"]


def test_of_one_setting_parameters_stand_side_by_side_of_several_the_settings_do() -> None:
    names = ("W", "U", "W.2", "b_x.1r")
    one = parameters(table(run(names=names)))
    assert [ax.get_title() for ax in one.axes[:4]] == list(names)
    assert one.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 2)
    assert one.get_figwidth() == pytest.approx(style.SINGLE)
    two = parameters(table(run(), run(cell="lstm")))
    assert [ax.get_title() for ax in two.axes[:4]] == ["W, rnn", "W, lstm", "U, rnn", "U, lstm"]
    three = parameters(table(run(), run(cell="lstm"), run(cell="gru")))
    assert three.get_figwidth() == pytest.approx(style.DOUBLE)


def test_panels_side_by_side_have_one_axis_and_all_have_one_scale_of_shades() -> None:
    figure = parameters(table(run(), run(cell="lstm", size=-20.25)))
    rnn, lstm = panel(figure, "W, rnn"), panel(figure, "W, lstm")
    assert rnn.get_ylim() == lstm.get_ylim()
    assert rnn.get_ylim()[0] < -20.5
    assert len({ax.images[-1].norm for ax in figure.axes if ax.images}) == 1
    assert lstm.images[-1].norm.vmax == 0.5


def test_a_parameter_that_a_cell_lacks_is_an_empty_panel() -> None:
    frame = table(run(names=("W", "u")), run(cell="lstm", names=("W",)))
    assert [text.get_text() for text in panel(parameters(frame), "u, lstm").texts] == ["no such parameter"]
    with stacked():
        figure = parameters(frame)
    assert [text.get_text() for text in panel(figure, "u, lstm").texts] == ["no such parameter"]
    assert all(panel(figure, title).texts for title in ("W, rnn", "W, lstm"))  # their numbers of runs


def test_parameters_are_chosen_by_their_full_names() -> None:
    frame = table(run(names=("W", "W.2", "W.1r")))
    assert [ax.get_title() for ax in parameters(frame, names=("W.1r", "W")).axes[:2]] == ["W.1r", "W"]
    with pytest.raises(HarnessError, match=r"no parameter 'W\.3'; did you mean .*there are W, W\.2, W\.1r"):
        parameters(frame, names=("W.3",))


def test_without_records_there_is_nothing_to_draw() -> None:
    other = table(run()).assign(quantity="lyapunov_exponent")
    with pytest.raises(HarnessError, match=r"nothing to draw: .*record\.probes: \[parameter_gradients\]"):
        parameters(other)


@pytest.mark.parametrize("kind", ["parameters", "units"])
def test_a_study_that_does_not_record_it_is_refused_before_it_runs(study_file, kind: str) -> None:
    probe = {"parameters": "parameter_gradients", "units": "unit_gradients"}[kind]
    recording, silent = (
        study_text(record={"probes": probes}, figures=f"[{{kind: {kind}}}]") for probes in ([probe], ["saturation"])
    )
    assert read(study_file(recording)).figures[0].kind == kind
    with pytest.raises(StudyError, match=f"figures: shows what {probe} measures; add it to record.probes"):
        read(study_file(silent))


def test_the_same_rows_give_the_same_bytes_alone_and_of_one_record() -> None:
    for frame in (table(run(0), run(1)), table(run(end=0))):
        assert style.encode(parameters(frame), "png") == style.encode(parameters(frame), "png")
    [norm] = solid(panel(parameters(table(run(end=0))), "W"))
    assert norm.get_marker() == "o"


def test_the_caption_names_the_settings_that_are_pooled(synthetic) -> None:
    caption = FIGURES["parameters"](kind="parameters").caption(synthetic.study)
    assert "BPTT window" in caption.split("Runs that differ in")[1]
