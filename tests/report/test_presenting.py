"""What a report does with a folder whose runs are not those of the study as it is now."""

from collections.abc import Callable
from pathlib import Path

import pytest
from results_folders import quiet_sweep
from study_texts import study_text

from harness.errors import NoResultsError
from harness.registry import read
from harness.report.presenting import present
from harness.study.plan import plan


def test_figures_and_report_of_other_settings_stay(study_file: Callable[..., Path], tmp_path: Path) -> None:
    path = study_file(study_text(figures=[{"kind": "learning"}]))
    swept = plan(read(path, ["training.max_updates=1"]))
    quiet_sweep(swept, tmp_path, retries=0)
    present(swept, tmp_path, ("png",))
    files = {file: file.read_bytes() for file in [*tmp_path.glob("figures/*"), tmp_path / "report.html"]}
    assert len(files) > 2
    with pytest.raises(NoResultsError, match=r"none of these \d+ runs is done, while \d+ of other settings are"):
        present(plan(read(path)), tmp_path, ("png",))
    assert {file: file.read_bytes() for file in files} == files
