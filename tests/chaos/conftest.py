"""A study short enough for kills in the ordinary tests, and its tables from a sweep that nothing disturbs."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import Rows, study, uninterrupted


@pytest.fixture(scope="session")
def short_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "chaos.yaml"
    path.write_text(study(updates=100))
    return path


@pytest.fixture(scope="session")
def reference(short_study: Path) -> Rows:
    return uninterrupted(short_study, short_study.parent / "reference")
