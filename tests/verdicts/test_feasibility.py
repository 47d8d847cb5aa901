"""Checks before a run: faults of expectations."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from synthetic_results import SyntheticResults, simulate

from harness.study.pooling import pooled
from harness.study.spec import Expectation
from harness.verdicts.feasibility import expectation_faults


def faults(**settings: Any) -> list[str]:
    study = simulate(expect=(Expectation(**{"metric": "success_rate", **settings}),)).study
    return [fault for _, fault in expectation_faults(study)]


def test_a_sound_study_has_no_faults(synthetic: SyntheticResults) -> None:
    assert expectation_faults(synthetic.study) == []


@pytest.mark.parametrize(("settings", "words"), [
    ({"metric": "succes_rate", "at_least": 0.5}, "did you mean 'success_rate'"),
    ({"where": {"sequence_lenght": 20}, "at_least": 0.5}, "did you mean 'sequence_length'"),
    ({"per": ("cel",), "at_least": 0.5}, "did you mean 'cell'"),
    ({"contrast": {"sel": ("lstm", "rnn")}}, "no column 'sel'"),
    ({}, "says nothing"),
    ({"at_least": 0.5, "apart": True}, "apart belongs to a contrast"),
    ({"at_least": 0.9, "at_most": 0.1}, "lies above"),
    ({"contrast": {"cell": ("lstm", "rnn")}, "at_least": 0.5}, "and no bound"),
    ({"contrast": {"cell": ("lstm", "rnn"), "hidden_size": (1, 2)}}, "one column"),
    ({"where": {"sequence_length": 30}, "at_least": 0.5}, "no point of the grid has sequence_length=30"),
    ({"where": {"cell": "rnn", "forget_bias": 1.0}, "at_least": 0.5}, "no point of the grid has cell=rnn, forget_bias"),
    ({"contrast": {"cell": ("lstm", "gru")}}, "no point of the grid has cell=gru"),
])  # fmt: skip
def test_faults_are_named(settings: dict[str, Any], words: str) -> None:
    (fault,) = faults(**settings)
    assert words in fault


def test_a_fault_has_the_index_of_its_expectation() -> None:
    good, bad = (Expectation(metric="success_rate", where={"cell": cell}, at_least=0.5) for cell in ("rnn", "gru"))
    assert [index for index, _ in expectation_faults(simulate(expect=(good, bad)).study)] == [1]


def test_overrides_may_leave_an_expectation_without_runs() -> None:
    expectation = Expectation(metric="success_rate", where={"cell": "gru"}, at_least=0.5)
    assert expectation_faults(simulate(expect=(expectation,), overrides=("model.cell=rnn",)).study) == []


def test_seeds_may_be_named_in_a_condition() -> None:
    assert faults(where={"seed": [0, 1]}, at_least=0.5) == []


def test_pooled_settings_are_those_that_differ_within_a_group(synthetic: SyntheticResults) -> None:
    points = synthetic.study.points
    assert pooled(points, {"bptt_window": None}, ("cell", "sequence_length")) == ["spectral_radius"]
    assert pooled(points, {"bptt_window": None}, ("cell", "sequence_length", "spectral_radius")) == []


def test_reading_a_study_loads_nothing_heavy() -> None:
    heavy = "{'pandas', 'scipy', 'matplotlib', 'seaborn', 'torch'}"
    modules = "harness.verdicts.expectations, harness.verdicts.prospects, harness.figures.feasibility, harness.figures"
    code = f"import sys, {modules}; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
