"""The command: exit codes, files, and baselines that are small and lose nothing."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import ONE_PROCESS, exit_code
from study_texts import study_text

from harness import cli, compare, sweep
from harness.schema import SCHEMA_VERSION
from harness.store.baseline import read


def call(*arguments: str | Path) -> int:
    return exit_code(compare, *arguments)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two cells and four seeds."""
    folder = tmp_path_factory.mktemp("compare")
    path = folder / "easy.yaml"
    path.write_text(study_text(name="easy", sweep={"model.cell": ["rnn", "lstm"]}, seeds=4))
    assert exit_code(sweep, path, "-o", folder, *ONE_PROCESS, "-q") == cli.DONE
    return folder / "easy"


def changed(results: Path, folder: Path, rows: slice = slice(None), **columns: object) -> Path:
    """A copy of the table of runs in which some columns hold other values."""
    table = pq.ParquetFile(results / "runs.parquet").read()
    frame = table.to_pandas().iloc[rows]
    for name, value in columns.items():
        frame[name] = value
    folder.mkdir()
    pq.write_table(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False), folder / "runs.parquet")
    return folder


def test_a_baseline_is_identical_to_the_results_it_was_saved_from(results: Path, tmp_path: Path, capsys) -> None:
    baseline = tmp_path / "reference" / "easy"
    assert call(results, "--save", baseline) == cli.DONE
    assert [path.name for path in baseline.iterdir()] == ["runs.parquet"]
    assert (baseline / "runs.parquet").stat().st_size < (results / "runs.parquet").stat().st_size / 2
    capsys.readouterr()
    assert call(baseline, results) == cli.DONE
    assert "Identical: 8 runs, bit for bit" in capsys.readouterr().out
    assert call(results, baseline) == cli.DONE


def test_settings_that_no_run_has_are_read_as_the_columns_they_were(results: Path, tmp_path: Path) -> None:
    assert call(results, "--save", tmp_path / "a") == cli.DONE
    written, whole, saved = pq.read_table(tmp_path / "a" / "runs.parquet"), read(results), read(tmp_path / "a")
    assert len(written.column_names) < len(saved.column_names)
    names = [name for name in whole.column_names if name in saved.column_names]
    assert saved.column_names == names
    assert saved.equals(whole.select(names).cast(saved.schema))
    left_out = set(whole.column_names) - set(names)
    assert all(whole[name].null_count == len(whole) for name in left_out - {"seconds"})


def test_a_baseline_of_a_baseline_is_itself(results: Path, tmp_path: Path) -> None:
    assert call(results, "--save", tmp_path / "a") == cli.DONE
    assert call(tmp_path / "a", "--save", tmp_path / "b") == cli.DONE
    assert (tmp_path / "a" / "runs.parquet").read_bytes() == (tmp_path / "b" / "runs.parquet").read_bytes()


def test_a_regression_is_exit_code_3(results: Path, tmp_path: Path, capsys) -> None:
    solved = changed(results, tmp_path / "solved", outcome="solved")
    assert call(solved, results) == cli.EXPECTATION_FAILED
    assert "Regression:" in capsys.readouterr().out
    assert call(results, solved) == cli.DONE


def test_an_incomplete_sweep_is_exit_code_1(results: Path, tmp_path: Path, capsys) -> None:
    half = changed(results, tmp_path / "half", slice(0, 4))
    assert call(results, half) == cli.RUNS_MISSING
    assert "No verdict: of the runs of A 4 missing in B" in capsys.readouterr().out
    assert call(results, half, "--allow-partial") == cli.DONE


def test_results_of_different_settings_are_exit_code_2(results: Path, tmp_path: Path, capsys) -> None:
    other = changed(results, tmp_path / "other", hidden_size=7)
    assert call(results, other) == cli.USAGE_ERROR
    assert "hidden_size is 5 in A and 7 in B" in capsys.readouterr().err


def test_a_folder_without_a_table_a_broken_one_and_another_schema_are_refused(
    results: Path, tmp_path: Path, capsys
) -> None:
    assert call(results, tmp_path / "nowhere") == cli.USAGE_ERROR
    assert "no runs.parquet here" in capsys.readouterr().err
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "runs.parquet").write_bytes(b"PAR1 and nothing else")
    assert call(results, broken) == cli.USAGE_ERROR
    assert "is no parquet file" in capsys.readouterr().err
    newer = changed(results, tmp_path / "newer")
    table = pq.ParquetFile(newer / "runs.parquet").read()
    marked = table.replace_schema_metadata({"harness_schema": str(SCHEMA_VERSION + 1)})
    pq.write_table(marked, newer / "runs.parquet")
    assert call(results, newer) == cli.USAGE_ERROR
    assert f"schema version {SCHEMA_VERSION + 1}" in capsys.readouterr().err


def test_verdicts_are_printed_and_written_in_every_form(results: Path, tmp_path: Path, capsys) -> None:
    assert call(results, results, "--json") == cli.DONE
    assert json.loads(capsys.readouterr().out)["identical"] is True
    assert call(results, results, "--markdown", "-") == cli.DONE
    assert capsys.readouterr().out.startswith("### ✅ Identical")
    junit, page = tmp_path / "verdict.xml", tmp_path / "verdict.md"
    assert call(results, results, "--junit", junit, "--markdown", page) == cli.DONE
    assert ElementTree.parse(junit).getroot().get("failures") == "0"
    assert page.read_text(encoding="utf-8").startswith("### ✅")
    assert "Identical" in capsys.readouterr().out
    assert call(results, results, "--junit", tmp_path / "no" / "folder.xml") == cli.USAGE_ERROR


@pytest.mark.parametrize(
    "wrong",
    [(), ("b", "--save", "c"), ("b", "--level", "1"), ("b", "--margin", "-1"), ("b", "--json", "--markdown", "-")],
)
def test_wrong_arguments_are_exit_code_2(wrong: tuple[str, ...], capsys) -> None:
    with pytest.raises(SystemExit) as left:
        compare.main(["a", *wrong])
    assert left.value.code == cli.USAGE_ERROR
