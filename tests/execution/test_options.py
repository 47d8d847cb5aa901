"""A sweep's options: refused in the same words by the command line and from Python; and the runs they select."""

from __future__ import annotations

from typing import Any

import pytest

from harness import cli, sweep
from harness.errors import HarnessError
from harness.execution.options import SweepOptions, conditions
from harness.registry import read
from harness.study.plan import plan


@pytest.mark.parametrize(
    ("option", "text", "name", "value", "message"),
    [
        ("-j", "0", "jobs", 0, "a number of jobs is 1 to 1024, or -1 for all cores"),
        ("-j", "1025", "jobs", 1025, "a number of jobs is 1 to 1024, or -1 for all cores"),
        ("--device", "gpu", "device", "gpu", "a torch device is cpu, cuda, cuda:1, mps, …"),
        ("--timeout", "0", "timeout", 0, "a time is more than 0 seconds"),
        ("--timeout", "inf", "timeout", float("inf"), "a time is more than 0 seconds"),
        ("--limit", "-1", "limit", -1, "must be 0 or more"),
        ("--retries", "-1", "retries", -1, "must be 0 or more"),
        ("--shard", "3/2", "shard", (3, 2), "there is no shard 3 of 2; the first is 1/2"),
        ("--shard", "1/2/3", "shard", (1, 2, 3), "a shard is I/N, such as 1/4"),
    ],
)
def test_the_command_line_and_python_refuse_a_value_in_the_same_words(
    study_file: Any, capsys: pytest.CaptureFixture[str], option: str, text: str, name: str, value: Any, message: str
) -> None:
    with pytest.raises(SystemExit) as left:
        sweep.main([str(study_file()), option, text])
    assert left.value.code == cli.USAGE_ERROR
    assert capsys.readouterr().err.endswith(f"argument {option}: {message}\n")
    with pytest.raises(HarnessError) as caught:
        SweepOptions(**{name: value})
    assert str(caught.value).startswith(f"{name}=")
    assert str(caught.value).endswith(f": {message}")


@pytest.mark.parametrize("options", [{"jobs": 2.5}, {"jobs": None}, {"engine": None}, {"retries": True}], ids=str)
def test_a_value_of_another_kind_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(HarnessError, match=next(iter(options))):
        SweepOptions(**options)


def test_the_earlier_name_of_the_compiled_engine_leads_to_its_name() -> None:
    with pytest.raises(HarnessError, match=r"engine='numba': what numba computed .* 'compiled'"):
        SweepOptions(engine="numba")


@pytest.mark.parametrize(
    "options",
    [
        {"jobs": -1, "limit": None, "timeout": None, "engine": "compiled"},
        {"jobs": 1024, "limit": 0, "timeout": 1e-9, "engine": "torch"},
        {"device": "cuda:1", "retries": 0, "shard": (2, 2)},
    ],
    ids=str,
)
def test_a_value_at_the_edge_of_its_range_is_accepted_as_it_is(options: dict[str, Any]) -> None:
    accepted = SweepOptions(**options)
    assert {name: getattr(accepted, name) for name in options} == options


def test_done_and_failed_runs_are_skipped_by_default(study_file: Any) -> None:
    study_plan = plan(read(study_file()))
    first, second, *others = study_plan.runs
    done, failed = frozenset({first.run_id}), frozenset({second.run_id})
    assert SweepOptions().select(study_plan, done, failed) == others
    assert SweepOptions(retry_failed=True).select(study_plan, done, failed) == [second, *others]
    assert SweepOptions(force=True).select(study_plan, done, failed) == [first, second, *others]
    assert SweepOptions(force=True, limit=1).select(study_plan, done, failed) == [first]


def test_a_filter_takes_columns_and_values(study_file: Any) -> None:
    study_plan = plan(read(study_file()))
    options = SweepOptions(where=conditions(["cell=lstm,gru", "seed=1"], study_plan.study))
    chosen = options.select(study_plan, frozenset(), frozenset())
    assert sorted((run.point.columns()["cell"], run.seed) for run in chosen) == [("gru", 1), ("lstm", 1)]


def test_a_condition_names_the_option_that_it_came_from(study_file: Any) -> None:
    study = read(study_file())
    assert conditions(["cell=lstm, gru", "bptt_window=full"], study) == {"cell": ["lstm", "gru"], "bptt_window": [None]}
    with pytest.raises(HarnessError, match="--where: no column 'sell'; did you mean 'cell'"):
        conditions(["sell=rnn"], study, "--where")
    with pytest.raises(HarnessError, match="--filter: cell is there twice"):
        conditions(["cell=rnn", "cell=gru"], study)
