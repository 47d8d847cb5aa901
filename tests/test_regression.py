"""The shipped studies in full, judged by their own expectations and against the committed baselines. Long.

`tox -e regression`. On another kind of CPU, or with other versions, runs are equal statistically and not bit for bit:
what is asserted is the comparison. Each metric of each study is a comparison of its own: hence a level of .999.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cli, sweep
from harness.registry import read
from harness.report import comparison_text
from harness.store import baseline
from harness.study.plan import plan
from harness.verdicts.comparison import compare
from harness.verdicts.pairing import comparable_runs

TOP = Path(__file__).parents[1]
# Those of real data need packages that bring them: tests/data/test_sources.py has them, `tox -e real`.
STUDIES = sorted(path for path in (TOP / "studies").rglob("*.yaml") if path.parent.name != "real")
LEVEL = 0.999


REFERENCE = TOP / "results" / "reference"
BASELINES = sorted(path.parent.relative_to(REFERENCE) for path in REFERENCE.rglob(baseline.FILE))


def reference(path: Path) -> Path:
    return REFERENCE / path.relative_to(TOP / "studies").with_suffix("")


@pytest.mark.parametrize("name", BASELINES, ids=str)
def test_a_baseline_is_small_and_has_the_runs_of_its_study(name: Path) -> None:
    planned = plan(read(TOP / "studies" / name.with_suffix(".yaml")))
    assert (REFERENCE / name / baseline.FILE).stat().st_size < max(30_000, 100 * len(planned.ids))  # bytes
    assert set(baseline.read(REFERENCE / name)["run_id"].to_pylist()) == planned.ids


@pytest.mark.long
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_expectations_of_a_shipped_study_hold_and_no_metric_has_become_worse(path: Path, tmp_path: Path) -> None:
    code = sweep.main([str(path), "-o", str(tmp_path), "--no-progress"])
    assert code == cli.DONE
    if not (reference(path) / baseline.FILE).exists():
        return  # a new study is judged by its expectations until it has a baseline
    study = read(path)
    first, second = (comparable_runs(folder) for folder in (reference(path), tmp_path / study.name))
    for metric in sorted({expectation.metric for expectation in study.expect}):
        result = compare(first, second, metric=metric, level=LEVEL)
        assert result.state == "no regression", comparison_text.text(result, (str(reference(path)), study.name))
