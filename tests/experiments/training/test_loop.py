"""A run is the same alone and at any place in any pack; when it ends, and what it records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from made_networks import CELL_ENGINES, SMALL
from samples import sampled
from study_texts import study_text
from trained_runs import assert_packs_change_nothing, trained

from harness.cells import CELLS
from harness.experiments.training.optimizer_keywords import KEYWORDS
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Training
from harness.rng import generator
from harness.study.plan import NUMERICS_VERSION, Run, pack_key

PINNED_LOSS, PINNED_FINAL = 1.3738442794199417, 1.3979859580179246  # an LSTM in float64
PINNED_ADJOINT = -3.94323577330321


def text_of(*, T: int = 13, model: Any = None, training: Any = None, evaluation: Any = None, **sections: Any) -> str:
    """A study of twelve updates: two spectral radii and two seeds, or three seeds of a cell that has no radius."""
    settings = {"cell": "rnn", "hidden_size": 7, **(model or {})}
    starts: dict[str, Any] = {"seeds": 3}
    if settings["cell"] in ("rnn", "lstm", "gru"):
        settings = {"init": "gaussian", **settings}
        starts = {"sweep": {"model.spectral_radius": [0.8, 1.3]}, "seeds": [3, 11]}
    return study_text(
        task={"sequence_length": T},
        model=settings,
        training={"max_updates": 12, "batch_size": 5, "clip_norm": 1.0, **(training or {})},
        evaluation={"every": 4, "sequences": 20, **(evaluation or {})},
        **{**starts, **sections},
    )


@pytest.fixture
def runs_of(plan_of) -> Callable[..., tuple[Run, ...]]:
    return lambda **changes: plan_of(text_of(**changes)).runs


@pytest.mark.parametrize(
    ("cell", "engine", "H", "B"),
    [
        *sampled(
            ((*each, 7, 5) for each in CELL_ENGINES),
            [
                *((name, "compiled", 7, 5) for name in ("rnn", "lstm", "lru", "window")),
                *((name, "torch", 7, 5) for name in ("rnn", "skip")),
            ],
        ),
        *sampled(((*each, 19, 16) for each in CELL_ENGINES if each[1] == "compiled"), [("gru", "compiled", 19, 16)]),
    ],
)
def test_a_run_alone_is_bit_for_bit_the_run_in_any_pack(runs_of, cell: str, engine: str, H: int, B: int) -> None:
    runs = runs_of(model={"cell": cell, "hidden_size": H}, training={"max_updates": 6, "batch_size": B})
    for record in assert_packs_change_nothing(runs, engine).values():
        assert record.run["engine"] == engine
        assert np.isfinite(record.run["final_loss"])


@pytest.mark.parametrize("optimizer", KEYWORDS)
def test_a_run_is_the_same_alone_and_in_any_pack_with_every_optimizer(runs_of, optimizer: str) -> None:
    training = {"max_updates": 6, "optimizer": optimizer, "learning_rate": 0.01}
    assert_packs_change_nothing(runs_of(training=training), "compiled")


@pytest.mark.parametrize(
    ("optimizer", "engine"),
    [
        *sampled(
            ((name, engine) for name in ("sgd", "rmsprop", "adam") for engine in ("torch", "compiled")),
            [("rmsprop", "torch"), ("adam", "compiled")],
        ),
        ({"name": "nadam", "weight_decay": 0.01}, "compiled"),
        ({"name": "adam", "amsgrad": True}, "compiled"),
    ],
    ids=str,
)
def test_a_replica_that_leaves_its_pack_changes_none_of_the_others(runs_of, optimizer: object, engine: str) -> None:
    # T = 6 is soon solved by some replicas and not by others, so packs shrink while they train
    training = {"max_updates": 80, "batch_size": 32, "learning_rate": 0.01, "optimizer": optimizer}
    runs = runs_of(T=6, model={"hidden_size": 10}, training=training)
    together = assert_packs_change_nothing(runs, engine)
    if optimizer != "sgd":
        assert len({record.run["updates"] for record in together.values()}) > 1


def test_a_solved_run_ends_at_the_evaluation_that_solved_it(runs_of) -> None:
    training = {"max_updates": 200, "batch_size": 32, "learning_rate": 0.01}
    for record in trained(runs_of(T=6, model={"hidden_size": 16}, training=training)).values():
        assert record.run["outcome"] == "solved"
        assert record.run["solved_at"] == record.run["updates"] == record.rows["curves"][-1]["update"]
        assert record.rows["curves"][-1]["accuracy"] >= 0.99
        assert all(row["accuracy"] < 0.99 for row in record.rows["curves"][:-1])
        assert record.rows["gradients"][-1]["update"] == record.run["updates"]


def test_an_exploding_run_is_a_result_and_its_pack_goes_on(runs_of) -> None:
    runs = runs_of(
        T=100,
        model={"init": "identity", "nonlinearity": "relu"},
        training={"clip_norm": None, "max_updates": 10, "optimizer": "sgd", "learning_rate": 0.1},
        sweep={"model.spectral_radius": [0.5, 1e9]},
    )
    outcomes = [record.run["outcome"] for record in trained(runs).values()]
    assert sorted(outcomes) == ["diverged", "diverged", "unsolved", "unsolved"]


@pytest.mark.parametrize(
    ("updates", "recorded", "evaluated"), [(0, [0], [0]), (11, [0, 1, 2, 4, 8, 11], [0, 4, 8, 11])]
)
def test_the_default_schedule_is_geometric_with_the_first_and_the_last_update(
    runs_of, updates: int, recorded: list[int], evaluated: list[int]
) -> None:
    for record in trained(runs_of(training={"max_updates": updates})).values():
        assert [row["update"] for row in record.rows["gradients"]] == recorded
        assert [row["update"] for row in record.rows["curves"]] == evaluated
        assert record.run["updates"] == updates


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_adjoints_before_the_window_are_exact_zeros_in_the_records(runs_of, engine: str) -> None:
    for record in trained(runs_of(training={"bptt_window": 4}), engine).values():
        for row in record.rows["gradients"]:
            assert np.isneginf(row["log10_adjoint"][:-4]).all()
            assert np.isfinite(row["log10_adjoint"][-4:]).all()


@pytest.mark.parametrize(
    ("cell", "engine"),
    sampled(CELL_ENGINES, [(name, "compiled") for name in ("rnn", "lstm", "lru", "deltanet", "skip")]),
)
def test_adjoints_as_trained_agree_with_those_in_float64(runs_of, cell: str, engine: str) -> None:
    single, double = (
        trained(
            runs_of(
                model={"cell": cell, **SMALL.get(cell, {})},
                training={"max_updates": 6},
                record={"precision": precision},
            ),
            engine,
        )
        for precision in ("as_trained", "float64")
    )
    names = ("log10_adjoint", "log10_adjoint_cell") if CELLS[cell](cell=cell).cell_state else ("log10_adjoint",)
    for a, b in zip(single.values(), double.values(), strict=True):
        for x, y in zip(a.rows["gradients"], b.rows["gradients"], strict=True):
            for name in names:
                np.testing.assert_allclose(x[name], y[name], atol=1e-4)


def test_clipping_scales_each_replicas_gradient_alone_to_the_longest_allowed() -> None:
    start = [{"W": np.zeros((2, 2)), "b": np.zeros(2)}] * 3
    pack = Replicas.start(start, Training(optimizer="sgd", learning_rate=1.0), "cpu")
    gradients = {"W": torch.tensor([[[3.0, 0], [0, 0]], [[0.3, 0], [0, 0]], [[0, 0], [0, 0]]]), "b": torch.zeros(3, 2)}
    gradients["b"][0, 1] = 4.0
    for name, p in pack.parameters.items():
        p.grad = gradients[name].clone()
    norms = pack.gradient_norms()
    torch.testing.assert_close(norms, torch.tensor([5.0, 0.3, 0.0], dtype=torch.float64))
    pack.clip(norms, 1.0)
    torch.testing.assert_close(pack.gradient_norms(), torch.tensor([1.0, 0.3, 0.0], dtype=torch.float64))
    torch.testing.assert_close(pack.parameters["W"].grad[0, 0, 0], torch.tensor(0.6))
    pack.optimizer.step(1.0)
    torch.testing.assert_close(pack.parameters["b"].detach()[0], torch.tensor([0.0, -0.8]))


def test_a_clipped_run_moves_no_further_than_the_clip_allows(runs_of) -> None:
    tight, loose = (
        trained(runs_of(training={"max_updates": 1, "clip_norm": c, "optimizer": "sgd", "learning_rate": 1.0}))
        for c in (1e-6, 1e3)
    )
    for a, b in zip(tight.values(), loose.values(), strict=True):
        assert a.rows["curves"][0]["gradient_norm"] == b.rows["curves"][0]["gradient_norm"]
        assert (a.rows["curves"][0]["clipped"], b.rows["curves"][0]["clipped"]) == (True, False)
        moved = [abs(r.rows["curves"][1]["sigma_max"] - r.rows["curves"][0]["sigma_max"]) for r in (a, b)]
        assert moved[0] <= 1e-6 < moved[1]  # |σ₁(W + Δ) − σ₁(W)| ≤ ‖Δ‖


def test_the_final_accuracy_is_of_2048_sequences_from_a_stream_of_its_own(runs_of, monkeypatch) -> None:
    from harness.tasks import task

    keys = []
    monkeypatch.setattr(task, "generator", lambda *key: keys.append(key) or generator(*key))
    [record] = trained(runs_of()[:1]).values()
    assert keys.count((3, "final", 0)) == 1
    assert {key[1] for key in keys} == {"train", "evaluate", "final"}
    assert task.Task.final_sequences == 2048
    assert (record.run["final_accuracy"] * 2048) % 1 == 0


def test_runs_that_differ_in_initial_weights_or_seed_alone_share_a_pack(runs_of) -> None:
    assert len({pack_key(run.point) for run in runs_of()}) == 1


def test_a_seed_has_the_same_data_in_every_cell_of_the_grid(runs_of) -> None:
    from harness.experiments.training.batches import draw

    runs = runs_of()
    inputs, targets = draw(runs[0].sections.task, [run.seed for run in runs], "train", 3, 5, "cpu")
    for i, run in enumerate(runs):
        for j, other in enumerate(runs):
            assert (run.seed == other.seed) == bool((inputs[:, i] == inputs[:, j]).all())
            assert run.seed != other.seed or bool((targets[i] == targets[j]).all())


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_pinned_run_does_not_change_its_numbers(runs_of, engine: str) -> None:
    # if this fails, stored results of the same id are no longer reproduced: raise NUMERICS_VERSION
    runs = runs_of(model={"cell": "lstm"}, training={"dtype": "float64"}, evaluation={"sequences": 150})
    record = trained(runs, engine)[runs[0].run_id]
    assert NUMERICS_VERSION == 2
    assert record.rows["curves"][-1]["loss"] == pytest.approx(PINNED_LOSS, rel=1e-9)
    assert record.run["final_loss"] == pytest.approx(PINNED_FINAL, rel=1e-9)
    assert record.rows["gradients"][-1]["log10_adjoint"][0] == pytest.approx(PINNED_ADJOINT, rel=1e-9)


@pytest.mark.parametrize(("cell", "parts"), [("lstm", ("", "_cell")), ("rnn", ("",))])
def test_slopes_are_those_of_the_first_record_from_the_last_step_to_the_first(runs_of, cell: str, parts) -> None:
    for record in trained(runs_of(model={"cell": cell}, training={"max_updates": 0})).values():
        first = record.rows["gradients"][0]
        for part in parts:
            levels = first[f"log10_adjoint{part}"]
            assert record.run[f"initial_adjoint{part}_slope"] == (levels[0] - levels[-1]) / 12
        assert (record.run["initial_adjoint_cell_slope"] is None) == (cell == "rnn")


def test_a_network_whose_final_loss_is_not_finite_has_diverged(plan_of) -> None:
    """Units with u > 1 grow along a carried series."""
    text = study_text(
        task={"name": "echo"},
        model={"cell": "indrnn"},
        training={"max_updates": 6, "bptt_window": 2, "learning_rate": 0.01},
        evaluation={"every": 3, "sequences": 20},
        seeds=[2, 3],
    )
    large, lost = trained(plan_of(text).runs, "compiled").values()
    assert (large.run["outcome"], lost.run["outcome"]) == ("unsolved", "diverged")
    assert large.run["final_loss"] > 1e20
    assert np.isnan(lost.run["final_loss"])
