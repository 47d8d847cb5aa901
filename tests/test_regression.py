"""The shipped studies in full: each is judged by its own expectations. Long; `tox -e regression`."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import doors, sweep

pytestmark = pytest.mark.long

STUDIES = sorted((Path(__file__).parents[1] / "studies").rglob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_what_a_shipped_study_claims_holds(path: Path, tmp_path: Path) -> None:
    assert sweep.main([str(path), "-o", str(tmp_path), "--no-progress"]) == doors.DONE
