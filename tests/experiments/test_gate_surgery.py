"""Each switch has exactly its effect, for any weights; with gates at σ(±s) up to an error that falls as e⁻ˢ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import started
from study_texts import check_text

from harness.cells.lstm import LSTM
from harness.errors import StudyError
from harness.experiments.gate_surgery import Operated, Surgery, operate, surgeries
from harness.experiments.setup import Setup
from harness.registry import read
from harness.rng import generator
from harness.theory.switches import SWITCHES

FIRST, LAST, T, D = 5, 9, 14, 6


def text_of(model: Mapping[str, Any], surgery: Mapping[str, Any]) -> str:
    return check_text(
        "gate_surgery",
        model={"cell": "lstm", "hidden_size": 3, **model},
        surgery={"switch": "keep", "batch_size": 2, **surgery},
        sweep={"surgery.switch": [*SWITCHES]},
    )


def operated(switch: str, seed: int, size: float = 1.0, strength: float | None = None, hidden: int = 4) -> Operated:
    cell = LSTM(cell="lstm", hidden_size=hidden)
    drawn = started(cell, [seed], input_size=D, length=T)
    parameters = {name: size * value.detach() for name, value in drawn.items()}
    tokens = torch.as_tensor(generator(seed, "symbols").integers(D, size=(T, 1, 3)))
    surgery = Surgery(switch=switch, strength=strength, sequence_length=T, first=FIRST, last=LAST)
    return operate(cell, parameters, tokens, surgery)


networks = {"seed": st.integers(0, 10_000), "size": st.floats(0.01, 30.0)}


@settings(max_examples=15, deadline=None, derandomize=True)
@given(**networks)
def test_each_switch_has_exactly_its_effect_for_any_weights(seed: int, size: float) -> None:
    during = slice(FIRST - 1, LAST)
    parts = {name: operated(name, seed, size).parts for name in SWITCHES}
    assert (parts["silence"]["h"][during] == 0).all()
    assert torch.equal(parts["show"]["h"][during], parts["show"]["c"][during].tanh())
    assert torch.equal(parts["keep"]["c"][during], parts["keep"]["c"][FIRST - 2].expand(LAST - FIRST + 1, 1, 3, 4))
    assert (parts["reset"]["c"][during] == 0).all()
    assert torch.equal(parts["write"]["c"][during], parts["write"]["g"][during])
    assert all(operated(name, seed, size).error == 0 for name in SWITCHES)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(**networks)
def test_before_the_switch_all_networks_are_the_same(seed: int, size: float) -> None:
    own = operated("none", seed, size).parts
    for switch in SWITCHES:
        for name, values in operated(switch, seed, size).parts.items():
            assert torch.equal(values[: FIRST - 1], own[name][: FIRST - 1])


@pytest.mark.parametrize("switch", [name for name in SWITCHES if name != "none"])
@pytest.mark.parametrize("seed", range(3))
def test_the_deviation_of_soft_gates_falls_as_e_to_the_minus_s(switch: str, seed: int) -> None:
    errors = np.array([operated(switch, seed, 2.0, strength).error for strength in (10.0, 12.0, 15.0)])
    np.testing.assert_allclose(np.diff(np.log(errors)), [-2.0, -3.0], atol=0.01)
    # a step is off by at most σ(−s)(|c| + |g|), and |c| ≤ t after t steps
    assert errors[0] <= (LAST - FIRST + 1) * np.exp(-10.0) * (LAST + 1)


def test_at_strength_zero_every_gate_that_is_set_is_one_half() -> None:
    parts = operated("keep", 0, strength=0.0).parts
    assert (parts["i"][FIRST - 1 : LAST] == 0.5).all()
    assert (parts["f"][FIRST - 1 : LAST] == 0.5).all()


def test_a_study_of_switches_records_errors_and_states(plan_of) -> None:
    runs = plan_of(text_of({}, {})).runs
    records = list(surgeries(runs, Setup("torch")))
    assert [record.run_id for record in records] == [run.run_id for run in runs]
    for run, record in zip(runs, records, strict=True):
        switch = run.columns()["switch"]
        assert record.run["outcome"] == "solved"
        assert record.run["switch_error"] == (None if switch == "none" else 0.0)
        assert len(record.rows["states"]) == 2 * 3 * 6  # sequences, units, parts
        assert all(len(row["values"]) == len(row["symbols"]) == 24 for row in record.rows["states"])


def test_a_run_is_the_same_alone(plan_of) -> None:
    runs = plan_of(text_of({}, {})).runs
    together = {record.run_id: record.rows for record in surgeries(runs, Setup("torch"))}
    [alone] = surgeries(runs[5:6], Setup("torch"))
    assert alone.rows == together[alone.run_id]


@pytest.mark.parametrize(
    ("model", "surgery", "message"),
    [
        ({"cell": "gru"}, {}, "'gru' is no LSTM"),
        ({"match": "parameters"}, {}, "where there is a task"),
        ({}, {"first": 9, "last": 8}, "from first to sequence_length"),
        ({}, {"last": 25}, "from first to sequence_length"),
    ],
    ids=str,
)
def test_a_network_without_switches_is_refused(study_file, model: dict, surgery: dict, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read(study_file(text_of(model, surgery)))
