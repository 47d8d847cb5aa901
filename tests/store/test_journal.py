"""A run is stored whole or not at all; a damaged commit is quarantined; a folder of another kind is left as it is."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from study_texts import study_text

from harness.errors import ResultsError
from harness.registry import read
from harness.schema import Record
from harness.store import tables
from harness.store.columns import OF_TASKS, TABLES
from harness.store.commit import MALFORMED, checked, encode
from harness.store.journal import Journal
from harness.study.plan import plan
from harness.tasks.dates import Dates


def record(run_id: str = "a" * 16, accuracy: float = 0.5) -> Record:
    run = {"outcome": "solved", "updates": 3, "solved_at": 3, "final_accuracy": accuracy, "engine": "torch"}
    rows = {
        "curves": [{"update": 0, "loss": float("nan"), "clipped": False}, {"update": 3, "loss": 0.25}],
        "gradients": [
            {
                "update": 0,
                "log10_adjoint": np.array([-np.inf, -300.5, 0.0]),
                "log10_immediate": [0.0],
                "log10_adjoint_cell": None,
            }
        ],
    }
    return Record(run_id, run, rows)


def test_a_commit_is_read_back_with_its_zeros_nans_and_nulls(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path / "r")
    assert journal.commit(record(), {"cell": "rnn", "seed": 1})
    [commit] = journal.read(journal.done())
    assert commit.settings == {"cell": "rnn", "seed": 1}
    assert commit.tables["gradients"].to_pylist()[0]["log10_adjoint"] == [-np.inf, -300.5, 0.0]
    assert commit.tables["gradients"].to_pylist()[0]["log10_adjoint_cell"] is None
    assert np.isnan(commit.tables["curves"].to_pylist()[0]["loss"])


def test_the_first_of_two_writers_wins_and_nothing_else_is_left(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path)
    assert journal.commit(record(accuracy=0.1), {})
    assert not journal.commit(record(accuracy=0.9), {})
    [commit] = journal.read(journal.done())
    assert commit.tables["runs"].to_pylist()[0]["final_accuracy"] == 0.1
    assert len(list((tmp_path / "journal").iterdir())) == 1


@pytest.mark.parametrize(
    "damage", ["truncated", "flipped bit", "empty", "zeros", "another run", "no header", "another seed in the header"]
)
def test_a_damaged_commit_is_quarantined_and_the_run_is_missing(tmp_path: Path, damage: str) -> None:
    journal = Journal.create(tmp_path)
    for name in ("a" * 16, "b" * 16):
        journal.commit(record(name), {"seed": 0})
    path = journal.path("a" * 16)
    data = path.read_bytes()
    middle = len(data) - 200
    path.write_bytes({
        "truncated": data[:middle],
        "flipped bit": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "empty": b"",
        "zeros": bytes(len(data)),  # as after a power cut
        "another run": journal.path("b" * 16).read_bytes(),
        "no header": data.partition(b"\n")[2],
        "another seed in the header": data.replace(b'"seed": 0', b'"seed": 7', 1),
    }[damage])  # fmt: skip
    assert path.read_bytes() != data
    assert [commit.run_id for commit in journal.read(sorted(journal.done()))] == ["b" * 16]
    assert journal.done() == {"b" * 16}
    assert journal.quarantined() == ("a" * 16,)


def test_no_single_flipped_bit_of_a_commit_is_read_as_data() -> None:
    whole, seed = encode(record(), {"cell": "rnn", "seed": 1}), 5
    head = whole.index(b"\n") + 1
    print(f"seed {seed}")
    undetected = []
    for bit in [*range(8 * head), *random.Random(seed).sample(range(8 * head, 8 * len(whole)), 500)]:
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        try:
            checked(bytes(data), "a" * 16)
        except MALFORMED:
            continue
        undetected.append(bit)
    assert undetected == []


def test_a_folder_of_another_schema_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    Journal.create(tmp_path)
    (tmp_path / "store.json").write_text(json.dumps({"harness_schema": 99}))
    for call in (Journal.create, Journal.open):
        with pytest.raises(ResultsError, match="holds schema version 99"):
            call(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text()) == {"harness_schema": 99}


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResultsError, match="cannot be written"):
        Journal.create(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; the case above covers the message")
def test_a_read_only_folder_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResultsError, match="cannot be written"):
        Journal.create(tmp_path / "r")


def test_a_folder_without_results_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no results here yet"):
        Journal.open(tmp_path)


def test_a_column_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    stray = Record("c" * 16, {"outcome": "solved", "colour": "red"})
    with pytest.raises(ValueError, match="no column for"):
        Journal.create(tmp_path).commit(stray, {})


def test_tables_hold_the_plans_runs_in_its_order_and_no_orphans(study_file, tmp_path: Path) -> None:
    planned = plan(read(study_file()))
    journal = Journal.create(tmp_path)
    for run in reversed(planned.runs[1:]):
        journal.commit(record(run.run_id), run.columns())
    journal.commit(record("f" * 16), {})
    journal.fail(planned.runs[0].run_id, planned.runs[0].columns(), "ValueError: no", "trace", 2)
    derived = tables.derive(journal, planned)
    tables.write(derived, tmp_path)
    assert derived.keys() == TABLES.keys() - tables.OPTIONAL
    for name in derived:
        table = TABLES[name]
        stored = pq.read_table(tmp_path / f"{name}.parquet")
        assert repr(stored.to_pydict()) == repr(derived[name].to_pydict())  # repr: NaN is not equal to itself
        assert stored.schema.metadata[b"harness_schema"] == b"1"
        assert stored.schema.field("run_id").metadata[b"meaning"]
        assert set(table.schema().names) - OF_TASKS <= set(stored.schema.names)
        assert not OF_TASKS & set(stored.schema.names)  # of temporal order nothing else is measured
    rows = derived["runs"].to_pylist()
    assert [row["run_id"] for row in rows] == [run.run_id for run in planned.runs]
    assert [row["outcome"] for row in rows] == ["failed"] + ["solved"] * 5
    assert [row["cell"] for row in rows] == ["rnn", "rnn", "lstm", "lstm", "gru", "gru"]
    assert rows[2]["forget_bias"] == "1.0"
    assert rows[0]["final_accuracy"] is None


def test_a_later_success_takes_a_failure_away(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path)
    journal.fail("a" * 16, {}, "ValueError: no", "trace", 1)
    assert set(journal.failures()) == {"a" * 16}
    journal.commit(record(), {})
    assert journal.failures() == {}


def test_a_commit_from_before_a_column_has_null_there(study_file, tmp_path: Path, monkeypatch) -> None:
    planned = plan(read(study_file()))
    journal, curves = Journal.create(tmp_path), TABLES["curves"]
    old = replace(curves, columns=tuple(column for column in curves.columns if column.name != "clipped"))
    with monkeypatch.context() as before:
        before.setitem(TABLES, "curves", old)
        journal.commit(Record(planned.runs[0].run_id, {"outcome": "solved"}, {"curves": [{"update": 0}]}), {})
    journal.commit(record(planned.runs[1].run_id), {})
    derived = tables.derive(journal, planned)["curves"]
    assert derived.schema.equals(curves.schema(), check_metadata=True)
    assert derived["clipped"].to_pylist() == [None, False, None]


def test_a_study_has_the_columns_that_its_own_tasks_measure_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(study_text(task={"name": "dates"}, record={"codes": 2}))
    planned, journal = plan(read(path)), Journal.create(tmp_path / "results")
    run = planned.runs[0]
    measured = replace(record(run.run_id), run={**record(run.run_id).run, "month_silhouette": 0.25})
    journal.commit(measured, run.columns())
    runs = tables.derive(journal, planned)["runs"]
    assert OF_TASKS & set(runs.column_names) == {column.name for column in Dates.measures}
    assert runs["month_silhouette"].to_pylist() == [0.25]
