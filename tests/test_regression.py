"""Shipped studies in full, judged by their own expectations and against the committed baselines. Long.

`tox -e regression` computes a sample of them that takes an hour at most by predicted cost, chosen by a seed that it
prints; REGRESSION_SEED=… chooses the same again, and `tox -e regression -- --full` computes all. On another kind of
CPU, or with other versions, runs are equal statistically and not bit for bit: what is asserted is the comparison. Each
metric of each study is a comparison of its own: hence a level of .999.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from regression_sample import BUDGET, SEED, predicted, sample

from harness import cli, sweep
from harness.registry import read
from harness.report import comparison_text
from harness.store import baseline, winners
from harness.store.winners import resolved
from harness.study.held_out import registration
from harness.study.plan import Plan, plan
from harness.verdicts.comparison import compare
from harness.verdicts.judging import judge_baseline, judge_folder
from harness.verdicts.pairing import comparable_runs

TOP = Path(__file__).parents[1]
# Those of real data need packages that bring them: tests/data/test_sources.py has them, `tox -e real`.
STUDY_FOLDER = TOP / "studies"
STUDIES = sorted(path for path in STUDY_FOLDER.rglob("*.yaml") if path.parent.name != "real")
LEVEL = 0.999


REFERENCE = TOP / "results" / "reference"
BASELINES = sorted(path.parent.relative_to(REFERENCE) for path in REFERENCE.rglob(baseline.FILE))


def reference(path: Path) -> Path:
    return REFERENCE / path.relative_to(TOP / "studies").with_suffix("")


def failing(path: Path, planned: Plan) -> set[str]:
    """Expectations of a study that the committed results fail; its page says why they stay."""
    if not (reference(path) / baseline.FILE).exists():
        return set()
    return {verdict.text for verdict in judge_baseline(planned, reference(path)).verdicts if verdict.state == "fails"}


def test_an_expectation_that_the_committed_results_fail_is_no_regression() -> None:
    path = TOP / "studies" / "smoke.yaml"
    planned = plan(read(path))
    assert failing(path, planned) == set()
    first = planned.study.expect[0].model_copy(update={"at_least": None, "at_most": -1.0})
    impossible = replace(planned, study=replace(planned.study, expect=(first, *planned.study.expect[1:])))
    assert len(failing(path, impossible)) == 1


@pytest.mark.parametrize("name", BASELINES, ids=str)
def test_a_baseline_is_small_and_has_the_runs_of_its_study(name: Path) -> None:
    study = read(TOP / "studies" / name.with_suffix(".yaml"))
    whole = resolved(plan(study), REFERENCE / name)
    ids = {run.run_id for run in whole.only(study.judged).runs}
    there = set(baseline.read(REFERENCE / name)["run_id"].to_pylist())
    assert (REFERENCE / name / baseline.FILE).stat().st_size < max(30_000, 103 * len(there))  # bytes
    assert ids <= there <= {run.run_id for run in whole.runs}
    # a sweep runs the judged seeds alone, and only what tunes has winners that ran on calibration seeds, too
    assert there == ids or (REFERENCE / name / winners.FILE).exists()


# what does not hold stays, and its page says so
UNDECIDED = {
    Path("fair"), Path("lecture/dates"), Path("lecture/directions"), Path("lecture/paths"), Path("lecture/phrases"),
    Path("lecture/programs"), Path("papers/a5"), Path("papers/attention-decay"), Path("papers/cliff"),
    Path("papers/critical-gain"), Path("papers/learnable-lag"), Path("papers/lyapunov"), Path("papers/memory-mixing"),
    Path("papers/parity-end"), Path("papers/state-tracking"), Path("papers/trainability"),
}  # fmt: skip


@pytest.mark.parametrize("name", BASELINES, ids=str)
def test_the_committed_results_of_a_study_have_the_verdict_that_its_page_states(name: Path) -> None:
    study = read(TOP / "studies" / name.with_suffix(".yaml"))
    stated = "undecided" if name in UNDECIDED else "holds" if study.expect else "none"
    judged = judge_baseline(plan(study), REFERENCE / name)
    assert judged.state == stated, judged.text()


@pytest.mark.parametrize("name", BASELINES, ids=str)
def test_a_baseline_of_held_out_seeds_is_of_the_study_as_it_was_frozen(name: Path) -> None:
    study = read(TOP / "studies" / name.with_suffix(".yaml"))
    assert not study.calibration or registration(study).valid


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_is_a_function_of_the_seed_and_fits_into_its_budget(seed: int) -> None:
    costs = {Path(f"{i}.yaml"): 40.0 * (i + 1) for i in range(30)}  # 5 hours together; the longest has 20 minutes
    chosen = sample(costs, seed)
    assert chosen == sample(dict(reversed(costs.items())), seed) != sample(costs, seed + 1)
    assert sum(costs[path] for path in chosen) <= BUDGET
    assert all(sum(costs[each] for each in chosen) + costs[path] > BUDGET for path in costs.keys() - set(chosen))


def test_a_study_longer_than_the_budget_is_in_no_sample_and_every_other_one_in_some() -> None:
    costs = {Path("long.yaml"): BUDGET + 1, **{Path(f"{i}.yaml"): BUDGET / 3 for i in range(6)}}
    drawn = [sample(costs, seed) for seed in range(40)]
    assert {path for each in drawn for path in each} == costs.keys() - {Path("long.yaml")}
    assert {len(each) for each in drawn} == {3}


def test_the_predicted_cost_of_a_study_is_that_of_its_runs() -> None:
    planned = plan(read(TOP / "studies" / "smoke.yaml"))
    assert predicted(TOP / "studies" / "smoke.yaml") > sum(planned.costs(planned.runs).values()) / 1000


@pytest.fixture(scope="session")
def chosen(request: pytest.FixtureRequest) -> frozenset[Path]:
    """The studies of this round."""
    if request.config.getoption("--full"):
        return frozenset(STUDIES)
    costs = {path: predicted(path) for path in STUDIES}
    selected = sample(costs, SEED)
    names = ", ".join(path.relative_to(TOP / "studies").with_suffix("").as_posix() for path in selected)
    minutes = sum(costs[path] for path in selected) / 60
    shown = request.config.pluginmanager.get_plugin("terminalreporter")
    if shown is not None:
        shown.write_line(
            f"REGRESSION_SEED={SEED}: {len(selected)} of {len(STUDIES)} studies, about {minutes:.0f} min: {names}"
        )
    return frozenset(selected)


@pytest.mark.long
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.relative_to(STUDY_FOLDER).with_suffix("").as_posix())
def test_no_further_expectation_of_a_shipped_study_fails_and_no_metric_has_become_worse(
    path: Path, tmp_path: Path, chosen: frozenset[Path]
) -> None:
    if path not in chosen:
        pytest.skip(f"not in the sample of REGRESSION_SEED={SEED}; --full computes all")
    code = sweep.main([str(path), "-o", str(tmp_path), "--no-progress"])
    assert code in (cli.DONE, cli.UNDECIDED, cli.EXPECTATION_FAILED)
    study = read(path)
    planned = plan(study)
    now = {
        verdict.text for verdict in judge_folder(planned, tmp_path / study.name).verdicts if verdict.state == "fails"
    }
    assert now <= failing(path, planned)
    if not (reference(path) / baseline.FILE).exists():
        return  # a new study is judged by its expectations until it has a baseline
    first, second = (comparable_runs(folder) for folder in (reference(path), tmp_path / study.name))
    for metric in sorted({expectation.metric for expectation in study.expect}):
        result = compare(first, second, metric=metric, level=LEVEL)
        assert result.state == "no regression", comparison_text.text(result, (str(reference(path)), study.name))
