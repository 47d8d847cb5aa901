"""A results folder of an earlier version (tests/store/earlier) loads, and a sweep completes it.

It has a commit in a segment, one that is quarantined there, one in a file of its own, and the note of a failure; of its
four runs the LSTM's with seed 1 was never computed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from results_folders import quiet_sweep

import harness
import harness.study.plan
from harness.errors import HarnessError
from harness.store.journal import Journal
from harness.store.other_versions import sentences
from harness.store.status import Status

QUARANTINED = "8dee2f23ff69cb10"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(Path(__file__).parent / "earlier", tmp_path / "earlier")


@pytest.fixture
def numerics(monkeypatch) -> None:
    """Those of the folder's runs: what has changed since are files, not numbers."""
    monkeypatch.setattr(harness.study.plan, "NUMERICS_VERSION", 1)


def test_runs_of_other_numerics_are_named_and_left_alone(folder: Path) -> None:
    status = Status.of(harness.load(folder).judged.plan, Journal.open(folder))
    assert status.counts() == {"done": 0, "missing": 4, "failed": 0, "orphaned": 2}
    assert "numerics of the harness were 1, are 2" in " ".join(sentences(status.other_versions.values()))


@pytest.mark.usefixtures("numerics")
def test_it_is_loaded_with_its_study_its_values_and_its_status(folder: Path) -> None:
    results = harness.load(folder)
    assert results.runs[["cell", "seed", "outcome"]].values.tolist() == [
        ["rnn", 0, "failed"], ["rnn", 1, "unsolved"], ["lstm", 0, "unsolved"],
    ]  # fmt: skip
    assert len(results.curves) == 2 * 2
    rows = results.gradients()
    assert rows["log10_adjoint"].notna().all()
    assert rows["log10_adjoint_geometric"].isna().all()  # recorded since
    with pytest.raises(HarnessError, match="of an earlier version"):
        results.figure("decay", statistic="median")
    assert results.failures.keys() == {QUARANTINED}
    status = Status.of(results.judged.plan, Journal.open(folder))
    assert status.counts() == {"done": 2, "missing": 1, "failed": 1, "orphaned": 0}
    assert status.quarantined == (QUARANTINED,)


@pytest.mark.usefixtures("numerics")
def test_a_sweep_computes_what_it_lacks_and_leaves_its_commits(folder: Path) -> None:
    plan = harness.load(folder).judged.plan
    before = {commit.run_id: commit for commit in Journal.open(folder).read(plan.ids)}
    result = quiet_sweep(plan, folder, retry_failed=True)
    assert (result.computed, result.missing, result.failed) == (2, 0, {})
    after = {commit.run_id: commit for commit in Journal.open(folder).read(plan.ids)}
    assert len(before) == 2
    assert before.items() <= after.items()
    assert harness.load(folder).runs["outcome"].tolist() == ["unsolved"] * 4
