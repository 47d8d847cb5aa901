"""A run that goes on from its checkpoint is, bit for bit, the run that was never stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from samples import sampled
from study_texts import study_text
from trained_runs import bits

from harness.experiments.setup import Setup
from harness.experiments.training.checkpoint import Checkpointing
from harness.experiments.training.loop import train
from harness.experiments.training.optimizer_keywords import KEYWORDS
from harness.store.checkpoints import Checkpoints
from harness.study.plan import Run, packs

UPDATES = 12
TRAINING = {"max_updates": UPDATES, "batch_size": 5}


class StoppedError(Exception):
    """A kill, for a test."""


@pytest.fixture
def runs_of(plan_of) -> Callable[..., tuple[Run, ...]]:
    """Two spectral radii and two seeds of a cell, for twelve updates."""

    def runs(cell: str = "rnn", optimizer: object = "adam", **training: object) -> tuple[Run, ...]:
        text = study_text(
            model={"cell": cell, "hidden_size": 7, "init": "gaussian"},
            training=TRAINING | {"clip_norm": 1.0, "optimizer": optimizer, "learning_rate": 0.01} | training,
            evaluation={"every": 4, "sequences": 20},
            record={"adjoints": {"every": 3}},
            sweep={"model.spectral_radius": [0.8, 1.3]},
            seeds=[3, 11],
        )
        return plan_of(text).runs

    return runs


@pytest.fixture
def store(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def stop(runs, store: Checkpoints, update: int) -> None:
    """Train runs until after `update` updates."""

    def kill(share: float, replicas: int) -> None:
        if share >= update / (UPDATES + 1):
            raise StoppedError

    with pytest.raises(StoppedError):
        list(train(runs, Setup("compiled", checkpoints=store, listener=kill)))


def digits(runs, engine: str = "compiled", store: Checkpoints | None = None) -> dict[str, list[bytes]]:
    """Every digit that is recorded of runs, which go on from their checkpoints where there are some."""
    return {record.run_id: bits(record) for record in train(runs, Setup(engine, checkpoints=store))}


@pytest.fixture(autouse=True)
def always(monkeypatch) -> None:
    """A checkpoint after every update."""
    init = Checkpointing.__init__
    monkeypatch.setattr(Checkpointing, "__init__", lambda self, store, by: init(self, store, by, every=0.0))


@pytest.mark.parametrize("update", sampled([1, 5, 8], [5]))
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_run(runs_of, store, cell, optimizer, update) -> None:
    runs = runs_of(cell, optimizer)
    stop(runs, store, update)
    assert digits(runs, store=store) == digits(runs)


@pytest.mark.parametrize(
    "optimizer",
    [
        *(name for name in KEYWORDS if name not in ("sgd", "rmsprop", "adam")),
        {"name": "sgd", "momentum": 0.9},
        {"name": "rmsprop", "momentum": 0.9, "centered": True},
        {"name": "adam", "amsgrad": True},
        {"name": "adagrad", "initial_accumulator_value": 0.1},
        {"name": "asgd", "t0": 3.0, "lambd": 0.01},
    ],
    ids=str,
)
def test_what_an_optimizer_remembers_is_resumed_all_of_it(runs_of, store, optimizer) -> None:
    runs = runs_of("rnn", optimizer)[:2]
    stop(runs, store, 6)
    assert digits(runs, store=store) == digits(runs)


@pytest.mark.parametrize("update", sampled([2, 7], [7]))
@pytest.mark.parametrize(
    "schedule",
    ["cosine", {"name": "step", "step_size": 4, "warm_up": 3}, {"name": "linear", "end_factor": 0.1}],
    ids=str,
)
def test_a_schedule_goes_on_where_it_was_without_a_state(runs_of, store, schedule, update) -> None:
    runs = runs_of(schedule=schedule)[:2]
    stop(runs, store, update)
    assert digits(runs, store=store) == digits(runs)


@pytest.mark.parametrize("stride", [4, 2])
@pytest.mark.parametrize("update", sampled(range(1, 12), [2, 5, 6, 7, 11]))
def test_a_carried_state_is_resumed_too_also_where_a_series_ends(plan_of, store, update, stride) -> None:
    text = study_text(
        task={"name": "echo", "lag": 2, "series_length": 12},
        model={"cell": "lstm", "hidden_size": 7},
        training=TRAINING | {"bptt_window": 4, "bptt_stride": stride},
        evaluation={"every": 4, "sequences": 20},
        seeds=[3, 11],
    )
    runs = plan_of(text).runs
    stop(runs, store, update)
    assert digits(runs, store=store) == digits(runs)


@pytest.mark.parametrize("update", sampled([2, 3, 7], [2, 7]))
@pytest.mark.parametrize("method", ["rtrl", "uoro", "pes"])
def test_what_stands_for_the_derivative_is_resumed_too(plan_of, store, method, update) -> None:
    text = study_text(
        task={"name": "echo", "lag": 2, "series_length": 12},
        model={"cell": "gru", "hidden_size": 3},
        training=TRAINING | {"bptt_window": 4, "method": method},
        seeds=[3],
    )
    runs = plan_of(text).runs
    stop(runs, store, update)
    assert digits(runs, store=store) == digits(runs)


@pytest.mark.parametrize("update", [5, 11])
def test_a_resumed_run_is_judged_at_other_lengths_as_the_uninterrupted_run_is(plan_of, store, update) -> None:
    text = study_text(
        model={"cell": "lstm", "hidden_size": 7},
        training=TRAINING,
        evaluation={"every": 4, "sequences": 20, "lengths": [12, 30]},
        seeds=[3, 11],
    )
    runs = plan_of(text).runs
    stop(runs, store, update)
    resumed = [record.rows["evaluations"] for record in train(runs, Setup("compiled", checkpoints=store))]
    assert resumed == [record.rows["evaluations"] for record in train(runs, Setup("compiled"))]
    assert [[row["length"] for row in rows] for rows in resumed] == [[12, 30]] * 2


def test_a_resumed_run_does_not_repeat_the_updates_before_its_checkpoint(runs_of, store) -> None:
    runs = runs_of()
    stop(runs, store, 7)
    assert set(store.started().values()) == {7}
    shares: list[float] = []
    list(train(runs, Setup("compiled", checkpoints=store, listener=lambda share, _: shares.append(share))))
    assert shares[0] == pytest.approx(8 / (UPDATES + 1))


def test_another_pack_of_the_same_runs_goes_on_too(runs_of, store) -> None:
    runs = runs_of("lstm", "rmsprop")
    stop(runs, store, 6)
    assert digits(runs[:1], store=store) | digits(runs[1:], store=store) == digits(runs)


def test_runs_that_stand_at_different_updates_share_no_pack(runs_of) -> None:
    runs = runs_of()
    assert len(packs(runs)) == 1
    started = {runs[0].run_id: 5, runs[2].run_id: 5}
    divided = {frozenset(run.run_id for run in pack) for pack in packs(runs, started=started)}
    assert divided == {frozenset(runs[i].run_id for i in pair) for pair in ((0, 2), (1, 3))}


@pytest.mark.parametrize("content", [b"", b"PK", None], ids=["empty", "two bytes", "first half"])
def test_runs_with_a_damaged_checkpoint_start_anew_and_give_the_same_digits(runs_of, store, tmp_path, content) -> None:
    runs = runs_of()
    stop(runs, store, 7)
    [path] = (tmp_path / "checkpoints").glob(f"{runs[0].run_id}.*.npz")
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2] if content is None else content)
    assert store.read(runs[0].run_id) is None
    assert digits(runs, store=store) == digits(runs)


def test_a_checkpoint_of_another_engine_is_not_resumed(runs_of, store) -> None:
    runs = runs_of()
    stop(runs, store, 7)
    assert digits(runs, "torch", store) == digits(runs, "torch")


def test_a_checkpoint_replaces_the_one_before_it_until_it_is_dropped(store, tmp_path) -> None:
    store.write("a", 3, {"x": np.arange(3)})
    store.write("a", 5, {"x": np.arange(5)})
    store.write("b", 1, {"x": np.arange(1)})
    assert store.started() == {"a": 5, "b": 1}
    newest = store.read("a")
    assert newest is not None
    assert newest["x"].tolist() == [0, 1, 2, 3, 4]
    store.drop("a")
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["b.1.npz"]
