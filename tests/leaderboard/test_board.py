"""A leaderboard: like beside like, numbers that are those of the metrics, and ties that a test decides."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from board_runs import SEEDS, runs, written

from harness.errors import HarnessError
from harness.registry import read, setting_roles
from harness.report import leaderboard_page, leaderboard_text
from harness.statistics.intervals import rate_interval
from harness.verdicts.collected import collect
from harness.verdicts.leaderboard import SAME_SIZE, Board, leaderboard
from harness.verdicts.metrics import FINAL_ACCURACY, SOLVED_AT, SUCCESS_RATE

ALL, NONE = [True] * len(SEEDS), [False] * len(SEEDS)
HALF = [seed % 2 == 0 for seed in SEEDS]
MOST = [seed != 3 for seed in SEEDS]


ROLES = setting_roles()


def board(*folders: Path, tasks: Any = ()) -> Board:
    return leaderboard(collect(folders, read), ROLES, tasks)


def test_an_entry_has_the_numbers_that_the_metrics_give_for_its_runs(tmp_path: Path) -> None:
    rows = runs(HALF, 0.4) + runs(ALL, cell="gru", parameters=1750)
    [column] = board(written(tmp_path / "a", rows)).columns
    assert [entry.label for entry in column.entries] == ["gru", "rnn"]
    for entry in column.entries:
        own = pd.DataFrame([row for row in rows if row["cell"] == entry.label])
        assert entry.evidence.seeds == SEEDS
        for metric, group in (
            (SUCCESS_RATE, entry.success),
            (FINAL_ACCURACY, entry.accuracy),
            (SOLVED_AT, entry.updates),
        ):
            expected = metric.of(own, np.random.default_rng(0))
            assert (group.value, group.runs, group.seeds) == (expected.value, expected.runs, expected.seeds)
        interval = rate_interval(int((own["outcome"] == "solved").sum()), len(own))
        assert (entry.success.low, entry.success.high) == pytest.approx(interval)
        assert entry.slopes[0] is not None
        assert entry.slopes[0].value == pytest.approx(-0.2)
        assert entry.slopes[1] is None  # not recorded
    assert SUCCESS_RATE.name == column.ranked_by.name == "success_rate"


@pytest.mark.parametrize(
    "other",
    [
        {"max_updates": 2000},
        {"batch_size": 64},
        {"optimizer": "sgd"},
        {"learning_rate": 3e-3},
        {"clip_norm": 5.0},
        {"evaluation_every": 50},
        {"sequence_length": 100},
        {"variant": "halved"},
        {"parameters": 1500},
    ],
    ids=str,
)
def test_what_differs_in_more_than_the_network_is_in_another_column(tmp_path: Path, other: dict[str, Any]) -> None:
    rows = runs(HALF[:4]) + runs(ALL[:4], cell="gru", **other)
    columns = board(written(tmp_path / "a", rows)).columns
    assert sorted(len(column.entries) for column in columns) == [1, 1]
    assert len({(column.task, column.terms, column.size) for column in columns}) == 2  # and the page says in what
    assert not any(entry.best or entry.tied for column in columns for entry in column.entries)


def test_no_column_has_two_budgets_or_two_sizes_whatever_the_runs(tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [
        row
        for cell in ("rnn", "gru", "lstm")
        for H in (30, 31, 40)
        for row in runs(
            HALF[:2], cell=cell, hidden_size=H, parameters=H * draw.randrange(35, 50),
            max_updates=draw.choice([1000, 2000]), learning_rate=draw.choice([1e-3, 1e-2]),
        )
    ]  # fmt: skip
    columns = board(written(tmp_path / "a", rows)).columns
    assert sum(len(entry.runs) for column in columns for entry in column.entries) == len(rows)
    for column in columns:
        frame = pd.concat([entry.runs for entry in column.entries])
        assert frame[["max_updates", "learning_rate", "task"]].nunique().tolist() == [1, 1, 1]
        assert frame["parameters"].min() >= SAME_SIZE * frame["parameters"].max()
        labels = [entry.label for entry in column.entries]
        assert len(labels) == len(set(labels))  # two widths of one cell are named apart


def test_the_best_is_marked_and_with_it_what_no_test_tells_from_it(tmp_path: Path) -> None:
    rows = runs(ALL, cell="gru") + runs(MOST, cell="janet", init="paper", forget_bias="chrono") + runs(NONE, 0.3)
    [column] = board(written(tmp_path / "a", rows)).columns
    by_cell = {entry.label: entry for entry in column.entries}
    assert [(each.best, each.tied) for each in (by_cell["gru"], by_cell["janet"], by_cell["rnn"])] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip
    assert by_cell["janet"].p == 1.0  # one pair differs: p = 1 whatever the correction
    assert by_cell["rnn"].p < 0.05
    text = leaderboard_text.text(board(tmp_path / "a"))
    assert "1.00*" in text
    assert "0.95≈" in text


@pytest.mark.parametrize(("first_seed", "seeds", "tied"), [(0, 5, True), (0, 6, False), (99, 3, True), (99, 5, False)])
def test_the_board_names_entries_whose_seeds_are_too_few_to_tell_all_from_none(
    tmp_path: Path, first_seed: int, seeds: int, tied: bool
) -> None:
    # the least p: paired 2/2⁵ = .0625, 2/2⁶ = .03125; of other seeds 2/C(6, 3) = .1, 2/C(10, 5) = .008
    rows = runs(ALL[:seeds], cell="gru") + runs(NONE[:seeds], first_seed=first_seed)
    result = board(written(tmp_path / "a", rows))
    [column] = result.columns
    assert [entry.tied for entry in column.entries] == [False, tied]
    notes = [note for note in result.notes if "too few seeds to mark any difference" in note]
    assert [note.endswith("for one of 1 comparisons: rnn.") for note in notes] == [True] * tied


def test_many_entries_do_not_take_from_many_seeds_what_they_tell(tmp_path: Path) -> None:
    rows = runs(ALL, cell="gru", first_seed=1000)
    for i in range(23):  # 276 pairs: 2/(9999 + 1) times that is .055
        rows += runs(NONE, 0.3, cell="lstm", forget_bias=f"{i}.5")
    [column] = board(written(tmp_path / "a", rows)).columns
    assert [entry.tied for entry in column.entries] == [False] * 24


def test_equal_results_tie(tmp_path: Path) -> None:
    [column] = board(written(tmp_path / "b", runs(HALF, cell="gru") + runs(HALF))).columns
    assert column.entries[1].p == 1.0


def test_other_seeds_are_compared_unpaired(tmp_path: Path) -> None:
    rows = runs(ALL, cell="gru") + runs(NONE, 0.3, first_seed=1000)
    result = board(written(tmp_path / "a", rows))
    [column] = result.columns
    assert column.entries[1].p < 0.05
    assert "20 seeds (1000–1019)" in leaderboard_text.text(result)


def test_where_nobody_solves_the_task_final_accuracy_ranks(tmp_path: Path) -> None:
    rows = runs(NONE, 0.8, cell="gru") + runs(NONE, 0.4)
    [column] = board(written(tmp_path / "a", rows)).columns
    assert column.ranked_by.name == "final_accuracy"
    assert [entry.label for entry in column.entries] == ["gru", "rnn"]


def test_a_run_counts_once_however_many_folders_have_it(tmp_path: Path) -> None:
    rows = runs(HALF) + runs(ALL, cell="gru")
    once = board(written(tmp_path / "a", rows))
    twice = board(tmp_path / "a", written(tmp_path / "b", rows))
    assert once.frame().equals(twice.frame())
    assert "40 runs are in more than one folder; each counts once." in twice.notes
    other = [{**row, "run_id": f"x{row['run_id']}", "adjoints": "(0,)"} for row in rows]  # recorded otherwise
    assert once.frame().equals(board(tmp_path / "a", written(tmp_path / "c", other)).frame())


def test_failed_runs_count_nowhere_and_the_board_says_so(tmp_path: Path) -> None:
    rows = [*runs(ALL[:5]), {**runs([True], first_seed=5)[0], "outcome": "failed", "solved_at": None}]
    result = board(written(tmp_path / "a", rows))
    assert len(result.columns[0].entries[0].runs) == 5
    assert "a: runs that failed and count nowhere: 1." in result.notes


def test_a_setting_that_came_later_than_a_table_had_its_default(tmp_path: Path) -> None:
    rows = runs(ALL, layers=1, dropout=0.0)
    old = runs(HALF, cell="gru")
    [column] = board(written(tmp_path / "new", rows), written(tmp_path / "old", old)).columns
    assert [entry.label for entry in column.entries] == ["rnn", "gru"]


def test_the_page_does_not_depend_on_the_order_of_the_runs(tmp_path: Path) -> None:
    rows = runs(HALF) + runs(ALL, cell="gru") + runs(MOST, cell="lstm", forget_bias=1.0) + runs(NONE, max_updates=500)
    shuffled = random.Random(1).sample(rows, len(rows))
    pages = [
        (leaderboard_page.html(each), leaderboard_page.markdown(each), leaderboard_text.text(each))
        for each in (board(written(tmp_path / name / "a", own)) for name, own in (("x", rows), ("y", shuffled)))
    ]
    assert pages[0] == pages[1]
    assert max(map(len, pages[0][2].splitlines())) <= 80
    assert pages[0][0].count("<h2") == 2 + 2  # overview, meaning, and a table a column


def test_a_task_that_no_result_has_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", runs(ALL[:2]) + runs(ALL[:2], task="xor", variant=None))
    assert {column.task.partition(",")[0] for column in board(folder, tasks=["xor"]).columns} == {"xor"}
    with pytest.raises(
        HarnessError, match=r"--task: no results of a task 'ading'; did you mean 'adding'\? \(adding, xor\)"
    ):
        board(folder, tasks=["ading"])


def test_a_folder_that_trained_nothing_is_an_error(tmp_path: Path) -> None:
    folder = written(tmp_path / "cliff", runs(ALL[:2], experiment="cliff"))
    with pytest.raises(HarnessError, match="no run of cliff trained a network on a task"):
        board(folder)


def winners(folder: Path, rates: list[float], chosen: int) -> Path:
    """What a sweep notes of a search over the learning rate, three runs a candidate."""
    candidates = [
        {"settings": {"training.learning_rate": rate}, "score": 0.5, "runs": ["a", "b", "c"]} for rate in rates
    ]
    entry = {"name": "x", "per": {}, "by": "final_accuracy", "winner": chosen, "candidates": candidates}
    (folder / "winners.json").write_text(json.dumps({"winners": [entry]}))
    return folder


def test_what_was_tuned_alike_stands_in_one_column_whatever_was_chosen(tmp_path: Path) -> None:
    rnn = winners(written(tmp_path / "a", runs(HALF, learning_rate=1e-3)), [1e-3, 1e-2], 0)
    gru = winners(written(tmp_path / "b", runs(ALL, cell="gru", learning_rate=1e-2)), [1e-3, 1e-2], 1)
    result = board(rnn, gru)
    [column] = result.columns
    assert {entry.label: entry.evidence.chosen for entry in column.entries} == {"rnn": "0.001", "gru": "0.01"}
    assert "tuned over learning rate 0.001|0.01, 6 runs each" in column.terms
    assert "Nothing was tuned" not in leaderboard_text.text(result)
    other = winners(written(tmp_path / "c", runs(ALL, cell="lstm")), [1e-3], 0)  # a smaller search
    untuned = written(tmp_path / "d", runs(ALL, cell="janet"))
    assert sorted(len(each.entries) for each in board(rnn, gru, other, untuned).columns) == [1, 1, 2]


STUDY = """\
name: half
claim: A column.
task: {name: adding, sequence_length: 50}
model: {cell: rnn, hidden_size: 40}
training: {optimizer: adam, max_updates: 1000}
sweep: {model.cell: [rnn, gru]}
seeds: {calibration: [100, 101], judged: {first: 0, count: 20}}
"""


def test_calibration_runs_count_nowhere_and_a_part_of_a_study_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "half.yaml").write_text(STUDY)
    rows = runs(HALF) + runs([True, True], first_seed=100)
    result = board(written(tmp_path / "results" / "reference" / "half", rows))
    [column] = result.columns
    assert column.entries[0].evidence.seeds == SEEDS
    assert column.entries[0].success.value == 0.5
    assert "half is not complete: 20 of 40 runs are missing." in result.notes
    assert "half: runs of calibration seeds, which count nowhere: 2." in result.notes
    assert "study not registered" in leaderboard_text.text(result)
