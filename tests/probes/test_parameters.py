"""Gradients of parameters: those of training, to the bit, and the update that training makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from probed import batch, network, probed, update
from study_texts import study_text
from trained_runs import assert_packs_change_nothing, bits, trained

from harness.probes.parameters import BINS, EDGES, histogram, length
from harness.probes.profiles import profiles_of
from harness.schema import Record
from harness.study.plan import Run

PROBE = "parameter_gradients"
OPTIMIZERS = ["sgd", "rmsprop", "adam"]
CLIP = 0.05
Settings = Mapping[str, Any]


@pytest.fixture
def runs_of(plan_of) -> Callable[..., tuple[Run, ...]]:
    """Runs of three updates, each recorded, each clipped; `training` and `record` add to their sections."""

    def runs(training: Settings | None = None, record: Settings | None = None, **sections: Any) -> tuple[Run, ...]:
        default = {
            "task": {"sequence_length": 13},
            "model": {"cell": "lstm", "hidden_size": 7},
            "evaluation": {"every": 1, "sequences": 20},
        }
        own = {
            "training": {"max_updates": 3, "batch_size": 5, "clip_norm": CLIP, **(training or {})},
            "record": {"adjoints": {"every": 1}, "probes": [PROBE], "weights": True, **(record or {})},
        }
        planned: tuple[Run, ...] = plan_of(study_text(**{**default, **own, **sections})).runs
        return planned

    return runs


def recorded(record: Record, number: int, quantity: str) -> dict[str, Any]:
    """A quantity of every parameter at an update."""
    rows = [row for row in record.rows["profiles"] if row["update"] == number]
    parts = [(*str(row["quantity"]).split(" of "), row["measured"]) for row in rows]
    return {name: values for kind, name, values in parts if kind == quantity}


def share(record: Record, number: int) -> dict[str, float]:
    return {name: values[0] for name, values in recorded(record, number, "update_share").items()}


def norms(record: Record, number: int) -> dict[str, float]:
    return {name: 10 ** values[0] for name, values in recorded(record, number, "log10_gradient_norm").items()}


def weights(record: Record) -> dict[str, np.ndarray]:
    return {row["name"]: np.asarray(row["values"]) for row in record.rows["weights"]}


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_share_is_that_of_the_step_that_training_makes(runs_of, optimizer: str, engine: str) -> None:
    """A run that ends at an update records the step that one with a larger budget makes there."""
    for number in (0, 2):
        training = {"optimizer": optimizer, "learning_rate": 0.01}
        [shorter, *_] = trained(runs_of({**training, "max_updates": number}), engine).values()
        [longer, *_] = trained(runs_of({**training, "max_updates": number + 1}), engine).values()
        before, after = weights(shorter), weights(longer)
        expected = {name: length(after[name] - before[name]) / length(before[name]) for name in before}
        assert share(shorter, number) == share(longer, number) == expected
        assert min(expected.values()) > 0


@pytest.mark.parametrize(("clip", "bound"), [({"clip_norm": CLIP}, CLIP), ({"clip_norm": 1e9}, 1e9)])
def test_gradient_descent_moves_a_parameter_by_its_share_of_the_clipped_gradient(runs_of, clip, bound: float) -> None:
    """‖Δp‖/‖p‖ = η min(1, c/‖g‖) ‖g_p‖/‖p‖."""
    rate = 0.5
    training = {"optimizer": "sgd", "learning_rate": rate, "max_updates": 2, "dtype": "float64", **clip}
    for record in trained(runs_of(training)).values():
        own, p = norms(record, 2), weights(record)
        assert record.rows["curves"][-1]["clipped"] == (bound == CLIP)
        factor = rate * min(1.0, bound / length(np.array(list(own.values()))))
        for name, value in share(record, 2).items():
            assert value == pytest.approx(factor * own[name] / length(p[name]), rel=1e-12)


def test_entries_are_clipped_one_by_one_with_clip_value(runs_of) -> None:
    training = {"optimizer": "sgd", "learning_rate": 0.5, "clip_norm": None, "clip_value": 1e-9, "max_updates": 0}
    [record, *_] = trained(runs_of({**training, "dtype": "float64"})).values()
    p = weights(record)
    nonzero = {name: 1 - values[0] for name, values in recorded(record, 0, "gradient_histogram").items()}
    for name, value in share(record, 0).items():  # an entry moves by η c, or not at all
        expected = 0.5e-9 * np.sqrt(nonzero[name] * p[name].size) / length(p[name])
        assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("extra", [{}, {"orthogonal": 0.1}], ids=["loss", "penalised"])
def test_the_norms_together_are_that_of_the_curves(runs_of, extra: Mapping[str, float]) -> None:
    for record in trained(runs_of(extra), "compiled").values():
        assert [row["update"] for row in record.rows["curves"]] == [0, 1, 2, 3]
        for row in record.rows["curves"]:
            together = length(np.array(list(norms(record, row["update"]).values())))
            assert together == pytest.approx(row["gradient_norm"], rel=1e-12)


@pytest.mark.parametrize("engine", ["torch", "compiled"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_probes_change_no_number_of_a_run(runs_of, optimizer: str, engine: str) -> None:
    training = {"optimizer": optimizer, "learning_rate": 0.01}
    probes = [PROBE, "unit_gradients"]
    without = trained(runs_of(training, {"probes": []}), engine).values()
    for bare, record in zip(without, trained(runs_of(training, {"probes": probes}), engine).values(), strict=True):
        rest = {name: rows for name, rows in record.rows.items() if name != "profiles"}
        assert len(rest) < len(record.rows)
        assert bits(replace(record, rows=rest)) == bits(bare)


@pytest.mark.parametrize("engine", ["torch", "compiled"])
def test_a_run_alone_has_the_profiles_that_it_has_in_a_pack(runs_of, engine: str) -> None:
    runs = runs_of({"optimizer": "adam"}, {"probes": [PROBE, "unit_gradients"]}, seeds=3)
    for record in assert_packs_change_nothing(runs, engine).values():
        assert len(record.rows["profiles"]) == 4 * (3 * 6 + 7)  # records, of 6 parameters and 7 units


def test_every_parameter_is_there_by_its_name_a_decoders_too(runs_of) -> None:
    sections = {"task": {"name": "digit_names"}, "model": {"cell": "gru", "hidden_size": 5}}
    [record, *_] = trained(runs_of({"max_updates": 1}, **sections)).values()
    assert "W′" in weights(record)
    for quantity in ("log10_gradient_norm", "update_share", "gradient_histogram"):
        assert recorded(record, 1, quantity).keys() == weights(record).keys()


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_a_norm_neither_underflows_nor_overflows(scale: float) -> None:
    model, parameters = network("rnn", task_sequence_length=6, hidden_size=3)
    data = batch(model, 3)
    coming = update(model, parameters, data)
    scaled = replace(coming, gradients={name: g * scale for name, g in coming.gradients.items()})
    [rows] = profiles_of([PROBE], model, parameters, data, None, lambda: scaled)
    for row in rows:
        quantity, name = row.quantity.split(" of ")
        if quantity == "log10_gradient_norm":
            norm = np.log10(float(coming.gradients[name].norm()))
            assert row.measured[0] == pytest.approx(norm + np.log10(scale), abs=1e-12)


def test_a_parameter_without_gradient_has_minus_infinity_and_one_of_zeros_an_infinite_share() -> None:
    model, parameters = network("rnn", task_sequence_length=6, hidden_size=3)
    parameters["b_x"] = 0 * parameters["b_x"]
    parameters["U"], data = 0 * parameters["U"], batch(model, 3)
    coming = update(model, parameters, data)
    for values in (coming.gradients, coming.steps):
        values["U"].zero_()
    [profiles] = profiles_of([PROBE], model, parameters, data, None, lambda: coming)
    rows = {row.quantity: row.measured for row in profiles}
    assert rows["log10_gradient_norm of U"] == -np.inf
    assert rows["gradient_histogram of U"][0] == 1
    assert np.isnan(rows["update_share of U"])  # 0/0
    assert rows["update_share of b_x"] == np.inf


def test_a_histogram_is_shares_by_half_decades_with_zeros_below_and_what_is_too_large_above() -> None:
    entries = np.array([0.0, 1e-46, 1.0, 1.0, -3.0, 4.0, 1e-3, 10**4.9, 1e5, -np.inf])
    shares = dict(zip(BINS.tolist(), histogram(entries).tolist(), strict=True))
    filled = {at: round(10 * share) for at, share in shares.items() if share}
    # √10 = 3.16 divides the decade; an edge belongs to the bin above it
    assert filled == {-45.25: 2, -2.75: 1, 0.25: 3, 0.75: 1, 4.75: 1, 5.25: 2}
    assert len(BINS) == len(EDGES) + 1
    assert np.diff(BINS) == pytest.approx(0.5)
    assert np.log10(np.finfo(np.float32).smallest_subnormal) > EDGES[0]  # below are zeros alone, of float32
    assert np.isnan(histogram(np.array([1.0, np.nan]))).all()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "mingru", "orthogonal"])
def test_histograms_are_those_of_numpy_and_add_up_to_one(cell: str) -> None:
    model, parameters = network(cell, task_sequence_length=9, hidden_size=5)
    data = batch(model, 3)
    gradients = update(model, parameters, data).gradients
    [profiles] = probed(PROBE, model, parameters, data)
    for name, gradient in gradients.items():
        at, shares = profiles[f"gradient_histogram of {name}"]
        entries = np.abs(gradient.numpy().ravel())
        counts = np.histogram(entries, np.concatenate([[0], 10.0**EDGES, [np.inf]]))[0]
        np.testing.assert_array_equal(at, BINS)
        np.testing.assert_allclose(shares, counts / entries.size, rtol=1e-15)
        assert shares.sum() == pytest.approx(1, abs=1e-12)
