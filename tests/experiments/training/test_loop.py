"""A run is the same run alone, in any pack, and at any place in it; it ends as it should; it records what it says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from harness.experiments.setup import Setup
from harness.experiments.training.loop import train
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Training
from harness.registry import read
from harness.rng import generator
from harness.schema import Record
from harness.study.plan import NUMERICS_VERSION, Run, pack_key, plan

STUDY = """\
name: law
claim: A run is itself.
task: {{name: temporal_order, sequence_length: {T}}}
model: {{cell: {cell}, hidden_size: {H}, init: gaussian}}
training:
  {{max_updates: {updates}, batch_size: {B}, clip_norm: {clip}, optimizer: {optimizer}, learning_rate: {lr},
    bptt_window: {window}}}
evaluation: {{every: 4, sequences: 20}}
record: {{precision: {precision}}}
sweep: {{model.spectral_radius: [0.8, 1.3]}}
seeds: [3, 11]
"""
PINNED_LOSS, PINNED_FINAL = 1.3738442794199417, 1.3979859580179246  # an LSTM in float64
PINNED_ADJOINT = -3.94323577330321
DEFAULTS = {
    "T": 13,
    "cell": "rnn",
    "H": 7,
    "B": 5,
    "updates": 12,
    "clip": 1.0,
    "optimizer": "rmsprop",
    "lr": 1e-3,
    "window": "null",
    "precision": "as_trained",
}


def runs_of(study_file, **changes) -> tuple[Run, ...]:
    return plan(read(study_file(STUDY.format(**{**DEFAULTS, **changes})))).runs


def trained(runs: Sequence[Run], engine: str = "torch") -> dict[str, Record]:
    return {record.run_id: record for record in train(runs, Setup(engine))}


def numbers(record: Record) -> list[bytes]:
    """Everything of a record but its timing, to the bit."""
    cells = [repr(sorted((k, v) for k, v in record.run.items() if k != "seconds")).encode()]
    for row in [row for rows in record.rows.values() for row in rows]:
        cells += [
            key.encode() + (v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode()) for key, v in row.items()
        ]
    return cells


@pytest.mark.parametrize("engine", ["torch", "numba"])
@pytest.mark.parametrize(("H", "B"), [(7, 5), (19, 16)])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_run_alone_is_bit_for_bit_the_run_in_any_pack(study_file, cell: str, H: int, B: int, engine: str) -> None:
    runs = runs_of(study_file, cell=cell, H=H, B=B)
    together, reversed_pack = trained(runs, engine), trained(runs[::-1], engine)
    for run in runs:
        alone = trained([run], engine)[run.run_id]
        assert numbers(alone) == numbers(together[run.run_id]) == numbers(reversed_pack[run.run_id])


@pytest.mark.parametrize("engine", ["torch", "numba"])
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_a_replica_that_leaves_takes_nothing_from_those_that_stay(study_file, optimizer: str, engine: str) -> None:
    # T = 6 is soon solved by some replicas and not by others, so packs shrink while they train
    runs = runs_of(study_file, T=6, H=10, B=32, updates=80, lr=0.01, optimizer=optimizer)
    together = trained(runs, engine)
    for run in runs:
        assert numbers(trained([run], engine)[run.run_id]) == numbers(together[run.run_id])
    if optimizer != "sgd":
        assert len({record.run["updates"] for record in together.values()}) > 1


def test_a_solved_run_ends_at_the_evaluation_that_solved_it(study_file) -> None:
    for record in trained(runs_of(study_file, T=6, H=16, B=32, updates=200, lr=0.01)).values():
        assert record.run["outcome"] == "solved"
        assert record.run["solved_at"] == record.run["updates"] == record.rows["curves"][-1]["update"]
        assert record.rows["curves"][-1]["accuracy"] >= 0.99
        assert all(row["accuracy"] < 0.99 for row in record.rows["curves"][:-1])
        assert record.rows["gradients"][-1]["update"] == record.run["updates"]


def test_an_exploding_run_is_a_result_and_its_pack_goes_on(study_file) -> None:
    text = STUDY.format(**{**DEFAULTS, "T": 100, "clip": "null", "updates": 10, "optimizer": "sgd", "lr": 0.1})
    text = text.replace("init: gaussian", "init: identity, nonlinearity: relu").replace("[0.8, 1.3]", "[0.5, 1e9]")
    outcomes = [record.run["outcome"] for record in trained(plan(read(study_file(text))).runs).values()]
    assert sorted(outcomes) == ["diverged", "diverged", "unsolved", "unsolved"]


def test_a_budget_of_zero_records_the_initial_network(study_file) -> None:
    for record in trained(runs_of(study_file, updates=0)).values():
        assert [row["update"] for row in record.rows["curves"]] == [0]
        assert [row["update"] for row in record.rows["gradients"]] == [0]
        assert record.run["updates"] == 0


def test_the_default_schedule_is_geometric_with_the_first_and_the_last(study_file) -> None:
    for record in trained(runs_of(study_file, updates=11)).values():
        assert [row["update"] for row in record.rows["gradients"]] == [0, 1, 2, 4, 8, 11]
        assert [row["update"] for row in record.rows["curves"]] == [0, 4, 8, 11]


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_adjoints_before_the_window_are_exact_zeros_in_the_records(study_file, engine: str) -> None:
    for record in trained(runs_of(study_file, window=4), engine).values():
        for row in record.rows["gradients"]:
            assert np.isneginf(row["log10_adjoint"][:-4]).all()
            assert np.isfinite(row["log10_adjoint"][-4:]).all()


@pytest.mark.parametrize("engine", ["torch", "numba"])
def test_both_precisions_agree_where_float32_can_see(study_file, engine: str) -> None:
    as_trained, exact = (
        trained(runs_of(study_file, precision=p, cell="lstm"), engine) for p in ("as_trained", "float64")
    )
    for a, b in zip(as_trained.values(), exact.values(), strict=True):
        for x, y in zip(a.rows["gradients"], b.rows["gradients"], strict=True):
            for key in ("log10_adjoint", "log10_adjoint_cell"):
                np.testing.assert_allclose(x[key], y[key], atol=1e-4)


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
    pack.optimizer.step()
    torch.testing.assert_close(pack.parameters["b"].detach()[0], torch.tensor([0.0, -0.8]))


def test_a_clipped_run_moves_no_further_than_the_clip_allows(study_file) -> None:
    (tight, loose) = (trained(runs_of(study_file, clip=c, optimizer="sgd", updates=1, lr=1.0)) for c in (1e-6, 1e3))
    for a, b in zip(tight.values(), loose.values(), strict=True):
        assert a.rows["curves"][0]["gradient_norm"] == b.rows["curves"][0]["gradient_norm"]
        assert (a.rows["curves"][0]["clipped"], b.rows["curves"][0]["clipped"]) == (True, False)
        moved = [abs(r.rows["curves"][1]["sigma_max"] - r.rows["curves"][0]["sigma_max"]) for r in (a, b)]
        assert moved[0] <= 1e-6 < moved[1]  # |σ₁(W + Δ) − σ₁(W)| ≤ ‖Δ‖


def test_the_final_accuracy_is_of_2048_sequences_from_a_stream_of_its_own(study_file, monkeypatch) -> None:
    from harness.tasks import task

    asked = []
    monkeypatch.setattr(task, "generator", lambda *key: asked.append(key) or generator(*key))
    record = next(iter(trained(runs_of(study_file)[:1]).values()))
    assert asked.count((3, "final", 0)) == 1
    assert {key[1] for key in asked} == {"train", "evaluate", "final"}
    assert task.Task.final_sequences == 2048
    assert (record.run["final_accuracy"] * 2048) % 1 == 0


def test_runs_that_differ_in_initial_weights_or_seed_alone_share_a_pack(study_file) -> None:
    assert len({pack_key(run.point) for run in runs_of(study_file)}) == 1


def test_seeds_see_the_same_data_in_every_cell_of_the_grid(study_file) -> None:
    from harness.experiments.training.batches import draw

    runs = runs_of(study_file)
    inputs, targets = draw(runs[0].sections.task, [run.seed for run in runs], "train", 3, 5, "cpu")
    for i, run in enumerate(runs):
        for j, other in enumerate(runs):
            assert (run.seed == other.seed) == bool((inputs[:, i] == inputs[:, j]).all())
            assert run.seed != other.seed or bool((targets[i] == targets[j]).all())


def test_a_pinned_run_does_not_change_its_numbers(study_file) -> None:
    # if this fails, every stored result of the same id says something else now: raise NUMERICS_VERSION
    text = STUDY.format(**{**DEFAULTS, "cell": "lstm"}).replace("clip_norm", "dtype: float64, clip_norm")
    text = text.replace("sequences: 20", "sequences: 150")
    for engine in ("torch", "numba"):
        record = next(iter(trained(plan(read(study_file(text))).runs, engine).values()))
        assert NUMERICS_VERSION == 1
        assert record.rows["curves"][-1]["loss"] == pytest.approx(PINNED_LOSS, rel=1e-9)
        assert record.run["final_loss"] == pytest.approx(PINNED_FINAL, rel=1e-9)
        assert record.rows["gradients"][-1]["log10_adjoint"][0] == pytest.approx(PINNED_ADJOINT, rel=1e-9)


def test_slopes_are_those_of_the_first_record_from_the_last_step_to_the_first(study_file) -> None:
    for cell, parts in (("lstm", ("", "_cell")), ("rnn", ("",))):
        for record in trained(runs_of(study_file, cell=cell, updates=0)).values():
            first = record.rows["gradients"][0]
            for part in parts:
                levels = first[f"log10_adjoint{part}"]
                assert record.run[f"initial_adjoint{part}_slope"] == (levels[0] - levels[-1]) / 12
            assert (record.run["initial_adjoint_cell_slope"] is None) == (cell == "rnn")


def test_a_network_whose_final_loss_is_no_number_has_diverged(study_file) -> None:
    text = (
        "name: grows\nclaim: Units with u > 1 grow along a carried series.\ntask: {name: echo}\n"
        "model: {cell: indrnn, hidden_size: 5}\nevaluation: {every: 3, sequences: 20}\nseeds: [2, 3]\n"
        "training: {max_updates: 6, batch_size: 4, bptt_window: 2, learning_rate: 0.01}\n"
    )
    large, lost = trained(plan(read(study_file(text))).runs, "numba").values()
    assert (large.run["outcome"], lost.run["outcome"]) == ("unsolved", "diverged")
    assert large.run["final_loss"] > 1e20
    assert np.isnan(lost.run["final_loss"])
