"""A study short enough for kills in the ordinary tests, and its tables from a sweep that nothing disturbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import Rows, study
from results_folders import quiet_sweep, table_rows

from harness.registry import read
from harness.study.plan import plan


@pytest.fixture(scope="session")
def short_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "chaos.yaml"
    path.write_text(study(updates=100, seeds=2))
    return path


@pytest.fixture(scope="session")
def reference(short_study: Path) -> Rows:
    folder = short_study.parent / "reference"
    assert quiet_sweep(plan(read(short_study)), folder, engine="compiled").missing == 0
    return table_rows(folder)
