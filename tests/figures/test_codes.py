"""The plane of the codes is that of their principal components, and the score is that of the whole space."""

from __future__ import annotations

import calendar

import numpy as np
import pandas as pd
import pytest
from artists import entries
from matplotlib.colors import to_hex
from sklearn.decomposition import PCA

from harness.errors import HarnessError
from harness.figures import style
from harness.figures.codes import codes, principal, silhouette
from harness.tasks.dates import Dates, words

NAMES = ("month", "weekday")
MONTHS, WEEKDAYS = calendar.month_name[1:], list(calendar.day_name)


def code_table(cell: str = "gru", seed: int = 0, n: int = 240, noise: float = 0.01) -> pd.DataFrame:
    """Codes with a corner for each month; the weekday is drawn at random."""
    generator = np.random.default_rng(seed)
    months = np.arange(n) % 12
    matrix = np.eye(12)[months] + generator.normal(0, noise, (n, 12))
    return pd.DataFrame({
        "run_id": f"{cell}{seed}", "cell": cell, "seed": seed, "code": list(matrix),
        "labels": [[MONTHS[m], WEEKDAYS[generator.integers(7)]] for m in months],
    })  # fmt: skip


def test_the_plane_is_the_one_of_the_two_largest_variances() -> None:
    matrix = np.random.default_rng(0).normal(size=(100, 6)) * [1, 5, 0.1, 3, 1, 1]
    plane, other = principal(matrix), PCA(2).fit(matrix)
    assert plane.shares == pytest.approx(other.explained_variance_ratio_)
    assert abs(plane.points) == pytest.approx(abs(other.transform(matrix)))


def test_the_plane_does_not_depend_on_where_the_codes_lie() -> None:
    matrix = np.random.default_rng(0).normal(size=(100, 6)) * [1, 5, 0.1, 3, 1, 1]
    assert principal(matrix + 7).points == pytest.approx(principal(matrix).points)


def test_a_silhouette_of_one_group_or_of_single_codes_has_no_meaning() -> None:
    matrix = np.eye(4)
    assert silhouette(matrix, ["March"] * 4) is None
    assert silhouette(matrix, list("abcd")) is None
    assert silhouette(np.eye(2)[[0, 0, 1, 1]], list("aabb")) == pytest.approx(1)


def test_titles_give_the_score_of_each_label() -> None:
    figure = codes(code_table(), names=NAMES, by=NAMES)
    month, weekday = (ax.get_title() for ax in figure.axes)
    assert month.startswith("month: s = 0.9")
    assert float(weekday.removeprefix("weekday: s = ").replace("−", "-")) < 0.05


def test_panels_show_the_same_points_in_other_colours() -> None:
    figure = codes(code_table(), names=NAMES, by=NAMES)
    left, right = (np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections]) for ax in figure.axes)
    assert sorted(map(tuple, left)) == sorted(map(tuple, right))
    assert len(left) == 240
    assert [to_hex(each.get_facecolor()[0]) for each in figure.axes[0].collections] == style.cycle(12)


def test_a_legend_lists_values_in_their_declared_order() -> None:
    figure = codes(code_table(), names=NAMES, orders=Dates.label_orders, by=NAMES)
    assert [entries(ax.get_legend()) for ax in figure.axes] == [MONTHS, WEEKDAYS]


def test_one_run_is_shown_that_of_the_lowest_seed() -> None:
    figure = codes(pd.concat([code_table(seed=5, noise=3.0), code_table(seed=2)]), names=NAMES, by=("month",))
    assert sum(len(np.asarray(each.get_offsets())) for each in figure.axes[0].collections) == 240
    assert "s = 0.9" in figure.axes[0].get_title()


def test_by_default_every_label_with_few_values_is_shown() -> None:
    table = code_table()
    numbered = table.assign(labels=[[*each, str(i % 13)] for i, each in enumerate(table["labels"])])
    names = (*NAMES, "number")
    assert [ax.get_title().split(":")[0] for ax in codes(numbered, names=names).axes] == list(NAMES)
    assert len(codes(numbered, names=names, by=names).axes) == 3
    with pytest.raises(HarnessError, match="no label has at most 12 values"):
        codes(numbered.assign(labels=[[each[2]] for each in numbered["labels"]]), names=("number",))


def test_values_without_a_declared_order_are_sorted() -> None:
    (month, _) = codes(code_table(), names=NAMES).axes
    assert entries(month.get_legend()) == sorted(MONTHS)


def test_the_labels_of_dates_are_declared_in_the_order_of_the_calendar() -> None:
    assert Dates.label_orders == dict(zip(NAMES, words("en"), strict=True))
    assert Dates.label_names[:2] == NAMES


def test_each_value_of_col_has_panels_of_its_own() -> None:
    figure = codes(pd.concat([code_table("gru"), code_table("rnn", noise=3.0)]), names=NAMES, by=NAMES, col="cell")
    assert len(figure.axes) == 4
    assert figure.axes[0].get_title().startswith("cell = rnn, month")
    assert figure.axes[1].get_title().startswith("cell = gru, month: s = 0.9")


def test_a_label_that_the_task_does_not_have_is_refused() -> None:
    with pytest.raises(HarnessError, match="no label 'mont'; did you mean 'month'"):
        codes(code_table(), names=NAMES, by=("mont",))


def test_a_table_without_codes_is_an_error() -> None:
    with pytest.raises(HarnessError, match="no code was recorded"):
        codes(code_table().iloc[:0], names=NAMES, by=NAMES)
