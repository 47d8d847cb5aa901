"""The Python API: a study read, planned, run and looked at, and the same numbers as the commands'."""

from __future__ import annotations

import doctest
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from study_texts import study_text

import harness
from harness import api, sweep
from harness.api import results, study
from harness.errors import HarnessError, ResultsError

TOP = Path(__file__).parents[2]
FIRST = study_text(
    name="first",
    claim="An <untrained> network guesses.",
    sweep="{model.cell: [rnn, lstm]}",
    seeds=2,
    figures="[{kind: success, x: cell, hue: null}, {name: fading, kind: decay, hue: cell}]",
    expect="[{metric: success_rate, at_most: 0.7}]",
)
SETTINGS = {
    "name": "first", "claim": "A mapping is a study too.",
    "task": {"name": "temporal_order", "sequence_length": np.int64(12)}, "model": {"cell": "rnn", "hidden_size": 5},
    "training": {"max_updates": 2, "batch_size": 4}, "evaluation": {"every": 2, "sequences": 16},
    "sweep": {"model.cell": ("rnn", "lstm")}, "seeds": range(2),
}  # fmt: skip
HEAVY = "{'torch', 'numpy', 'pandas', 'matplotlib', 'pyarrow', 'pydantic', 'joblib', 'llvmlite'}"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with studies/first.yaml and its results, computed by the command, in results/first."""
    top = tmp_path_factory.mktemp("place")
    (top / "studies").mkdir()
    (top / "studies" / "first.yaml").write_text(FIRST)
    command = [str(top / "studies" / "first.yaml"), "-o", str(top / "results"), "-j", "1", "-q", "--engine", "torch"]
    assert sweep.main(command) == 0
    return top


@pytest.fixture
def here(place: Path, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return place


def script(text: str, cwd: Path, **env: str) -> subprocess.CompletedProcess:
    """A plain script in a process of its own."""
    (cwd / "script.py").write_text(text)
    inherited = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"}
    environment = {**inherited, "PYTHONPATH": str(TOP), **env}
    return subprocess.run(
        [sys.executable, "script.py"], cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )


def test_importing_harness_loads_nothing_heavy() -> None:
    code = f"import sys, harness; dir(harness); sys.exit(len({HEAVY} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_planning_and_looking_load_no_torch(here: Path) -> None:
    code = (
        "import sys, harness\n"
        "harness.Study.from_yaml('studies/first.yaml').plan().runs\n"
        "harness.load('results/first').figure('success')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert script(code, here).returncode == 0


def test_every_public_name_is_there_and_typed() -> None:
    assert set(harness.__all__) <= set(dir(harness))
    assert {getattr(harness, name).__name__ for name in harness.__all__} == set(harness.__all__)
    assert (TOP / "harness" / "py.typed").exists()
    assert api.Study is harness.Study
    with pytest.raises(AttributeError, match="no attribute 'Studi'"):
        harness.Studi  # noqa: B018


@pytest.mark.parametrize("module", [study, results], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_are_true(module, here: Path) -> None:
    outcome = doctest.testmod(module, extraglobs={"harness": harness}, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_a_study_has_the_same_plan_from_a_file_a_text_and_a_mapping(here: Path) -> None:
    studies = [
        harness.Study.from_yaml("studies/first.yaml"),
        harness.Study.from_text(FIRST),
        harness.Study.from_dict(SETTINGS),
    ]
    first, *others = [study.plan().planned.ids for study in studies]
    assert len(first) == 4
    assert all(ids == first for ids in others)
    assert {str(study.folder) for study in studies} == {"results/first"}


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "training.max_updates": 3,
            "model.hidden_size": [4, np.int64(6)],
            "seeds": range(3),
            "training.clip_norm": None,
        },
        ["training.max_updates=3", "model.hidden_size=[4, 6]", "seeds=3", "training.clip_norm=null"],
    ],
    ids=["mapping", "texts"],
)
def test_overrides_are_those_of_the_command_line(here: Path, overrides) -> None:
    study = harness.Study.from_yaml("studies/first.yaml", overrides)
    assert study.spec.axes() == ("cell", "hidden_size")
    assert {point.columns()["max_updates"] for point in study.spec.points} == {3}
    assert study.spec.seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: harness.Study.from_text(FIRST.replace("cell: rnn", "cell: rn")),
            "<text>:4:15: model.cell: no cell 'rn'",
        ),
        (lambda: harness.Study.from_dict({**SETTINGS, "model": {"cell": "rn"}}), "<dict>: model.cell: no cell 'rn'"),
        (lambda: harness.Study.from_yaml("studies/none.yaml"), "no such study; beside it: first.yaml"),
        (lambda: harness.Study.from_yaml("studies/first.yaml", "seeds=3"), "not one text: ['seeds=3']"),
        (lambda: harness.Study.from_yaml("studies/first.yaml", {"seeds": object()}), "is not a setting"),
    ],
    ids=["text", "dict", "file", "one text", "no setting"],
)
def test_errors_report_their_place(here: Path, call, message: str) -> None:
    with pytest.raises(HarnessError) as caught:
        call()
    assert message in str(caught.value)


def test_results_are_the_tables_of_the_folder(here: Path) -> None:
    import pandas as pd

    loaded = harness.load("results/first")
    table = pd.read_parquet("results/first/runs.parquet")
    pd.testing.assert_frame_equal(loaded.runs, table)
    assert len(loaded.curves) == 4 * 2
    wide, long = loaded.gradients(), loaded.gradients(long=True)
    assert len(long) == sum(map(len, wide["log10_adjoint"]))
    assert (long["t"] + long["lag"] == 12).all()
    assert long.loc[long["t"] == 12, "log10_adjoint"].tolist() == [row[-1] for row in wide["log10_adjoint"]]
    assert loaded.gradients(long=True, columns=["hidden_size"]).columns[0] == "hidden_size"
    assert loaded.failures == {}


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda loaded: loaded.gradients(long=True, columns=["sed"]), "columns: no column 'sed'; did you mean 'seed'?"),
        (lambda loaded: loaded.table("states"), "the study asks for it with record.states"),
        (lambda loaded: loaded.figure("sucess"), "no figure 'sucess'; did you mean 'success'?"),
        (
            lambda loaded: loaded.figure("success", hui="cell"),
            "figure 'success': hui: no such setting; did you mean 'hue'?",
        ),
        (lambda loaded: loaded.figure("success", x="cel"), "figure 'success': no column 'cel'; did you mean 'cell'?"),
        (lambda loaded: loaded.figure("success", where={"cell": "gru"}), "no point of the grid has cell=gru"),
    ],
    ids=["column", "table", "kind", "setting", "x", "where"],
)
def test_an_unknown_name_is_reported_with_the_nearest(here: Path, look, message: str) -> None:
    loaded = harness.load("results/first")
    with pytest.raises(HarnessError) as caught:
        look(loaded)
    assert message in str(caught.value)


def test_a_figure_is_the_studys_own_or_any_kind(here: Path) -> None:
    from matplotlib.figure import Figure

    loaded = harness.load("results/first")
    own, changed, other = loaded.figure("fading"), loaded.figure("fading", col="seed"), loaded.figure("learning")
    assert isinstance(own, Figure)
    assert [ax.get_title() for ax in own.axes] == ["cell = rnn", "cell = lstm"]
    assert [ax.get_title() for ax in changed.axes] == ["seed = 0", "seed = 1"]
    assert isinstance(other, Figure)
    rates = [line.get_ydata() for line in loaded.figure("success").axes[0].lines]
    assert all(np.array_equal(rate[np.isfinite(rate)], np.zeros(2)) for rate in rates[:1])


def test_representations_are_short_and_escaped(here: Path) -> None:
    study = harness.Study.from_yaml("studies/first.yaml")
    plan, loaded = study.plan(), harness.load("results/first")
    for each in (study, loaded):
        assert "An <untrained> network guesses." in repr(each)
        assert "An &lt;untrained&gt; network guesses." in each._repr_html_()
    for each in (study, plan, loaded, loaded.verdicts):
        page = each._repr_html_()
        assert "<untrained>" not in page
        assert page.count("<table>") == page.count("</table>") == 1
        assert len(page) < 5000
    assert "4 runs: 4 done, 0 missing, 0 failed" in repr(plan)
    few = harness.Study.from_yaml("studies/first.yaml", {"seeds": 1}).plan()
    assert "1 seed is too few" in few.warnings[0]
    assert "1 seed is too few" in few._repr_html_()
    assert "seeds: 1; perfect results hold with 2 seeds at the fewest" in repr(few)
    assert plan.warnings == ()
    assert "✓ success_rate of all runs &lt;= 0.7" in loaded.verdicts._repr_html_().replace("</td><td>", " ")
    assert repr(loaded.verdicts).endswith("The expectation holds.")
    assert "4 of 4 runs (4 unsolved)" in repr(loaded)


def test_a_long_grid_is_cut_where_it_is_shown() -> None:
    study = harness.Study.from_dict({**SETTINGS, "sweep": {"model.hidden_size": list(range(1, 101))}})
    assert "… (100 in all)" in study._repr_html_()
    assert "… and 60 more" in study.plan()._repr_html_()


def test_verdicts_do_not_hold_while_runs_are_missing(here: Path) -> None:
    more = harness.Study.from_yaml("studies/first.yaml", {"seeds": 3}).results()
    assert not more.verdicts.hold
    assert more.verdicts[0].state == "incomplete"
    assert "4 of 6 runs" in repr(more)


@pytest.mark.usefixtures("drawn_once")
def test_a_report_is_written_on_request(tmp_path: Path, here: Path) -> None:
    study = harness.Study.from_text(FIRST, {"model.cell": "rnn", "seeds": 1})
    first = study.run(n_jobs=1, folder=tmp_path / "own", engine="torch", progress=False)
    assert not (tmp_path / "own" / "report.html").exists()
    assert first.report() == tmp_path / "own" / "report.html"
    assert "Overridden with -S model.cell=" in first.report().read_text()
    again = harness.load(tmp_path / "own")
    assert again.study.overrides == study.spec.overrides
    assert again.verdicts.hold == first.verdicts.hold


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_jobs": 0}, "a number of jobs is 1 to 1024"),
        ({"device": "gpu"}, "a torch device is cpu"),
        ({"engine": "compild"}, "did you mean 'compiled'?"),
        ({"where": {"cel": "rnn"}}, "where: no column 'cel'; did you mean 'cell'?"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_that_the_command_line_refuses_are_refused(tmp_path: Path, arguments, message: str) -> None:
    with pytest.raises(HarnessError) as caught:
        harness.Study.from_text(FIRST).run(folder=tmp_path / "none", **arguments)
    assert message in str(caught.value)
    assert not (tmp_path / "none").exists()


def test_a_folder_without_results_or_with_an_invalid_study_is_reported(tmp_path: Path, here: Path) -> None:
    with pytest.raises(ResultsError, match="no results here yet"):
        harness.load(tmp_path)
    (tmp_path / "store.json").write_text((here / "results" / "first" / "store.json").read_text())
    with pytest.raises(ResultsError, match=r"plan.json: cannot be read"):
        harness.load(tmp_path)
    plan = (here / "results" / "first" / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(plan.replace("cell: rnn", "cell: rn"))
    with pytest.raises(ResultsError, match="the study that it holds is not valid any more"):
        harness.load(tmp_path)


NUMBERS = ["run_id", "update", "loss", "accuracy", "gradient_norm"]
SCRIPT = """\
import harness
study = harness.Study.from_yaml("studies/first.yaml")
results = study.run(n_jobs={jobs}, folder="{folder}", engine="torch")
print(results.verdicts.hold, len(results.runs))
"""


@pytest.mark.parametrize(
    ("before", "jobs"),
    [
        pytest.param(
            "import harness\nharness.prepare()\nimport torch\n",
            1,
            id="prepared before torch is loaded",
            marks=pytest.mark.long,
        ),
        pytest.param("import torch\n", 2, id="two jobs after torch was loaded"),
    ],
)
def test_a_plain_script_gets_the_commands_numbers_bit_for_bit(here: Path, before: str, jobs: int) -> None:
    """Without a guard around the main module: loky's workers do not import it, nor the torch that it loaded."""
    folder = f"own-{len(before)}"
    done = script(before + SCRIPT.format(jobs=jobs, folder=folder), here)
    assert done.stdout == "True 4\n", done.stderr
    assert harness.load(folder).curves[NUMBERS].equals(harness.load("results/first").curves[NUMBERS])


def test_torch_that_was_loaded_first_is_refused_where_it_would_change_the_numbers(here: Path) -> None:
    text = """
import torch, harness
study = harness.Study.from_yaml("studies/first.yaml")
for attempt in range(2):
    try:
        study.run(n_jobs=1, folder="late")
    except harness.HarnessError as error:
        print(error)
    harness.prepare()
"""
    output = script(text, here).stdout
    assert output.count("torch was loaded before its arithmetic could be fixed") == 2
    assert output.count("call harness.prepare() before torch is imported") == 2
    assert not (here / "late").exists()


WALKS = TOP / "studies" / "walks.csv"
OWN = {
    **{key: value for key, value in SETTINGS.items() if key != "sweep"},
    "name": "own",
    "task": {"name": "file", "path": "w.csv", "id": "walk", "time": "t", "inputs": ["x", "y"], "target": "label"},
}


def with_data(folder: Path, monkeypatch, *, file: bool) -> harness.Study:
    """A study of w.csv in a folder that is then the working one."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("w.csv").write_bytes(WALKS.read_bytes())
    Path("own.yaml").write_text(study.yaml_text(OWN))
    return harness.Study.from_yaml("own.yaml") if file else harness.Study.from_dict(OWN)


@pytest.mark.parametrize("file", [True, False], ids=["file", "mapping"])
def test_results_of_own_data_are_loaded_from_anywhere_and_when_both_were_moved(
    tmp_path: Path, monkeypatch, file: bool
) -> None:
    with_data(tmp_path / "a", monkeypatch, file=file).run(n_jobs=1, progress=False)
    monkeypatch.chdir(tmp_path)
    assert len(harness.load("a/results/own").runs) == 2
    os.replace("a", "b")
    assert len(harness.load("b/results/own").runs) == 2
    shutil.copytree("b", "a")
    monkeypatch.chdir("a")
    Path("w.csv").write_text(WALKS.read_text().replace("0,1,", "0,1.5,", 1))  # other data where the old ones were
    assert len(harness.load("../b/results/own").runs) == 2
    os.replace("../b/results/own", tmp_path / "own")
    Path("w.csv").unlink()
    with pytest.raises(ResultsError) as raised:
        harness.load(tmp_path / "own")
    place = f"{tmp_path / 'a' / 'own.yaml'}:" if file else "<dict>:"
    assert f"{place}" in str(raised.value)
    assert f"task.path: {tmp_path / 'a' / 'w.csv'}: cannot be read: No such file" in str(raised.value)
    assert f"was looked for in {tmp_path / 'a'} and in {tmp_path.parent}. With" in str(raised.value)
    assert f"python -m harness.report STUDY -o {tmp_path}" in str(raised.value)
    monkeypatch.chdir("../a")
    Path("w.csv").write_bytes(WALKS.read_bytes())
    assert len(harness.Study.from_yaml("own.yaml").results(tmp_path / "own").runs) == 2


def test_a_mapping_keeps_the_folder_in_which_it_was_made(tmp_path: Path, monkeypatch) -> None:
    study = with_data(tmp_path / "a", monkeypatch, file=False)
    monkeypatch.chdir(tmp_path)
    assert len(study.run(n_jobs=1, progress=False).runs) == 2
    assert len(harness.load("results/own").runs) == 2
