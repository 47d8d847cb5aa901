"""A run that goes on from its checkpoint is, bit for bit, the run that was never stopped."""

from __future__ import annotations

import numpy as np
import pytest

from harness.experiments.setup import Setup
from harness.experiments.training.checkpoint import Checkpointing
from harness.experiments.training.loop import train
from harness.registry import read
from harness.store.checkpoints import Checkpoints
from harness.study.plan import packs, plan

STUDY = """\
name: stops
claim: A stop changes nothing.
task: {{name: temporal_order, sequence_length: 12}}
model: {{cell: {cell}, hidden_size: 7, init: gaussian}}
training: {{max_updates: 12, batch_size: 5, clip_norm: 1.0, optimizer: {optimizer}, learning_rate: 0.01}}
evaluation: {{every: 4, sequences: 20}}
record: {{adjoints: {{every: 3}}}}
sweep: {{model.spectral_radius: [0.8, 1.3]}}
seeds: [3, 11]
"""


class StoppedError(Exception):
    """A kill, for a test."""


def numbers(record) -> list[bytes]:
    cells = [repr(sorted((k, v) for k, v in record.run.items() if k != "seconds")).encode()]
    for row in [row for rows in record.rows.values() for row in rows]:
        cells += [k.encode() + (v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode()) for k, v in row.items()]
    return cells


def stopped(runs, store: Checkpoints, update: int) -> list:
    """The records of runs that are killed after `update` updates and taken up again."""

    def kill(share: float, replicas: int) -> None:
        if share >= update / 13:
            raise StoppedError

    with pytest.raises(StoppedError):
        list(train(runs, Setup("numba", checkpoints=store, listener=kill)))
    return list(train(runs, Setup("numba", checkpoints=store)))


@pytest.fixture(autouse=True)
def always(monkeypatch) -> None:
    """A checkpoint after every update."""
    init = Checkpointing.__init__
    monkeypatch.setattr(Checkpointing, "__init__", lambda self, store, by: init(self, store, by, every=0.0))


@pytest.mark.parametrize("update", [1, 5, 8])
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_run_taken_up_again_is_bit_for_bit_the_run_in_one_go(study_file, tmp_path, cell, optimizer, update) -> None:
    runs = plan(read(study_file(STUDY.format(cell=cell, optimizer=optimizer)))).runs
    whole = {record.run_id: numbers(record) for record in train(runs, Setup("numba"))}
    again = {record.run_id: numbers(record) for record in stopped(runs, Checkpoints(tmp_path / "c"), update)}
    assert again == whole


CARRIED = """\
name: stops
claim: A stop changes nothing.
task: {name: echo, lag: 2, series_length: 12}
model: {cell: lstm, hidden_size: 7}
training: {max_updates: 12, batch_size: 5, bptt_window: 4, bptt_stride: STRIDE}
evaluation: {every: 4, sequences: 20}
seeds: [3, 11]
"""


@pytest.mark.parametrize("stride", [4, 2])
@pytest.mark.parametrize("update", range(1, 12))
def test_a_carried_state_is_taken_up_too_also_where_a_series_ends(study_file, tmp_path, update, stride) -> None:
    runs = plan(read(study_file(CARRIED.replace("STRIDE", str(stride))))).runs
    whole = {record.run_id: numbers(record) for record in train(runs, Setup("numba"))}
    again = {record.run_id: numbers(record) for record in stopped(runs, Checkpoints(tmp_path / "c"), update)}
    assert again == whole


def test_it_goes_on_where_it_stood(study_file, tmp_path, monkeypatch) -> None:
    runs = plan(read(study_file(STUDY.format(cell="rnn", optimizer="adam")))).runs
    store = Checkpoints(tmp_path / "c")
    seen: list[float] = []
    with pytest.raises(StoppedError):
        list(train(runs, Setup("numba", checkpoints=store, listener=lambda share, _: _stop(share > 0.5))))
    assert set(store.started().values()) == {7}
    list(train(runs, Setup("numba", checkpoints=store, listener=lambda share, _: seen.append(share))))
    assert seen[0] == pytest.approx(8 / 13)


def _stop(when: bool) -> None:
    if when:
        raise StoppedError


def test_another_pack_of_the_same_runs_goes_on_too(study_file, tmp_path) -> None:
    runs = plan(read(study_file(STUDY.format(cell="lstm", optimizer="rmsprop")))).runs
    whole = {record.run_id: numbers(record) for record in train(runs, Setup("numba"))}
    store = Checkpoints(tmp_path / "c")
    with pytest.raises(StoppedError):
        list(train(runs, Setup("numba", checkpoints=store, listener=lambda share, _: _stop(share > 0.4))))
    for part in (runs[:1], runs[1:]):
        for record in train(part, Setup("numba", checkpoints=store)):
            assert numbers(record) == whole[record.run_id]


def test_runs_that_stand_at_different_updates_share_no_pack(study_file) -> None:
    runs = plan(read(study_file(STUDY.format(cell="rnn", optimizer="sgd")))).runs
    assert len(packs(runs)) == 1
    started = {runs[0].run_id: 5, runs[2].run_id: 5}
    assert sorted(sorted(run.run_id for run in pack) for pack in packs(runs, started=started)) == sorted(
        sorted(runs[i].run_id for i in pair) for pair in ((0, 2), (1, 3))
    )


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(study_file, tmp_path, damage) -> None:
    runs = plan(read(study_file(STUDY.format(cell="rnn", optimizer="adam")))).runs
    whole = {record.run_id: numbers(record) for record in train(runs, Setup("numba"))}
    store = Checkpoints(tmp_path / "c")
    with pytest.raises(StoppedError):
        list(train(runs, Setup("numba", checkpoints=store, listener=lambda share, _: _stop(share > 0.5))))
    [path] = (tmp_path / "c").glob(f"{runs[0].run_id}.*.npz")
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2] if damage is None else damage)
    assert store.read(runs[0].run_id) is None
    assert {r.run_id: numbers(r) for r in train(runs, Setup("numba", checkpoints=store))} == whole


def test_what_another_engine_has_begun_is_begun_again(study_file, tmp_path) -> None:
    runs = plan(read(study_file(STUDY.format(cell="rnn", optimizer="adam")))).runs
    store = Checkpoints(tmp_path / "c")
    with pytest.raises(StoppedError):
        list(train(runs, Setup("numba", checkpoints=store, listener=lambda share, _: _stop(share > 0.5))))
    whole = {record.run_id: numbers(record) for record in train(runs, Setup("torch"))}
    assert {r.run_id: numbers(r) for r in train(runs, Setup("torch", checkpoints=store))} == whole


def test_an_ended_run_leaves_no_checkpoint(tmp_path) -> None:
    store = Checkpoints(tmp_path / "c")
    store.write("a", 3, {"x": np.arange(3)})
    store.write("a", 5, {"x": np.arange(5)})
    store.write("b", 1, {"x": np.arange(1)})
    assert store.started() == {"a": 5, "b": 1}
    kept = store.read("a")
    assert kept is not None
    assert kept["x"].tolist() == [0, 1, 2, 3, 4]
    store.drop("a")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["b.1.npz"]
