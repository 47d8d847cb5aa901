"""Plans whose experiment is one of `worker_experiments`, and workers that find it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.registry import read
from harness.study.plan import Plan, plan


@pytest.fixture
def planned(study_file: Callable[..., Path]) -> Callable[..., Plan]:
    """Plans the tiny study for these seeds and cells, with an experiment of `worker_experiments`."""

    def plan_with(entry: str, *overrides: str, seeds: str = "2", cells: str = "[rnn]") -> Plan:
        study = read(study_file(), [f"seeds={seeds}", f"sweep={{model.cell: {cells}}}", *overrides])
        experiment = replace(study.experiment, entry=f"worker_experiments:{entry}", notes=None)
        return plan(replace(study, experiment=experiment))

    return plan_with


@pytest.fixture(autouse=True)
def importable_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)]))
