"""Plug-ins: what an installed package brings by entry points, in this process and in workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from results_folders import table_rows
from study_texts import check_text, study_text
from trained_runs import trained

from harness import cli, sweep
from harness.errors import StudyError
from harness.figures import kind, panels
from harness.registry import load_registry, read
from harness.statistics import frames
from harness.study import labels
from harness.study.json_schema import study_schema
from harness.study.plan import plan

TOP = Path(__file__).parents[2]
EXAMPLE = TOP / "tests" / "plugin_example"
STUDY = study_text(
    name="own",
    task={"name": "first_symbol", "sequence_length": 3},
    model={"hidden_size": 12, "leak": 0.9},
    training={"max_updates": 300, "batch_size": 32, "learning_rate": 0.01},
    evaluation={"every": 50, "sequences": 64},
    sweep={"model.cell": ["rnn", "leaky"]},
    record={"probes": ["state_speed"]},
    figures=[{"kind": "slope"}, {"kind": "profile", "quantity": "state_speed"}],
    expect=[{"metric": "success_rate", "at_least": 0.3}, {"metric": "most_updates", "at_most": 300}],
)
COIN = check_text(
    "coin",
    name="coin",
    coin={"tosses": 400},
    sweep={"coin.bias": [0.2, 0.5]},
    seeds=3,
    figures=[{"kind": "profile", "quantity": "share_of_heads", "hue": "coin_bias"}],
    expect=[{"metric": "success_rate", "at_least": 0.4}],
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch) -> Callable[..., Path]:
    """Puts a made-up distribution on the path: entry points by group, and modules by name."""

    def install(name: str, points: dict[str, dict[str, str]], **modules: str) -> Path:
        place = tmp_path / f"site-{name}"
        info = place / f"{name.replace('-', '_')}-0.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        lines = [line for group, own in points.items() for line in (f"[{group}]", *map(" = ".join, own.items()))]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for module, text in modules.items():
            (place / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(place))
        return place

    return install


@pytest.fixture
def example(installed, monkeypatch) -> Path:
    """The example package, as if it were installed."""
    for module in [name for name in sys.modules if name.startswith("harness_example")]:
        monkeypatch.delitem(sys.modules, module)
    points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    place = installed("harness-example", points)
    (place / "harness_example").symlink_to(EXAMPLE / "harness_example")
    return place


def module(cell: str = "mine", body: str = "") -> str:
    return f"""\
from typing import Literal
from harness.cells.rnn import RNN
from harness.study.spec import setting

class Mine(RNN):
    cell: Literal["{cell}"] = setting(..., "which cell")
{body}
"""


def refusal(path: Path) -> str:
    """The message with which a study is refused, without the path."""
    with pytest.raises(StudyError) as caught:
        read(path)
    return str(caught.value).removeprefix(str(path))


def module_output(example: Path, module: str, *arguments: str) -> str:
    """What `python -m` prints in a process of its own that has the example package on its path."""
    env = {**os.environ, "PYTHONPATH": f"{TOP}:{example}"}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_study_names_a_task_a_cell_and_a_figure_of_another_package(example, study_file) -> None:
    study = read(study_file(STUDY, "own.yaml"))
    assert {point.columns()["cell"] for point in study.points} == {"rnn", "leaky"}
    assert [point.columns().get("leak") for point in study.points] == [None, 0.9]
    assert type(study.figures[0]).__module__ == "harness_example.slope"


def test_a_plug_in_can_be_chosen_on_the_command_line(example, study_file) -> None:
    study = read(study_file(), ["model.cell=leaky", "model.leak=0.5"])
    assert {point.columns()["leak"] for point in study.points} == {0.5}


def test_a_plug_in_that_is_not_named_changes_nothing_and_is_not_imported(study_file, installed, request) -> None:
    path = study_file()
    before = read(path)
    request.getfixturevalue("example")
    installed("bad", {"harness.cells": {"bad": "bad_cell:Bad"}}, bad_cell="raise RuntimeError('at import')")
    after = read(path)
    assert plan(after).ids == plan(before).ids
    assert after.setting_columns() == before.setting_columns()
    assert not {"harness_example.leaky", "bad_cell"} & set(sys.modules)


def test_a_wrong_name_is_reported_with_the_nearest_plug_in(example, study_file) -> None:
    text = STUDY
    for right, wrong in (
        ("leaky", "leeky"),
        ("slope", "slop"),
        ("most_up", "mst_up"),
        ("[state_speed]", "[state_sped]"),
    ):
        text = text.replace(right, wrong)
    message = refusal(study_file(text))
    assert ":8:27: model.cell: no cell 'leeky'; did you mean 'leaky'? (" in message
    assert ":9:18: record.probes: no probe 'state_sped'; did you mean 'state_speed'? (" in message
    assert ":10:18: figures: no kind 'slop'; did you mean 'slope'? (" in message
    assert ":11:58: expect: no metric 'mst_updates'; did you mean 'most_updates'? (" in message


MINE = study_text(model={"cell": "mine"})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('no GPU here')", "cannot be loaded: RuntimeError: no GPU here"),
        ("import not_there_at_all", "cannot be loaded: ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("Other = 1", "cannot be loaded: AttributeError: module 'own_cell' has no attribute 'Mine'"),
        ("Mine = 1", "is no harness.cells.cell.Cell"),
        (module("yours"), "must declare cell: Literal['mine']"),
        (
            module(body="    learning_rate: float = setting(1.0, 'of the cell')"),
            "has a setting 'learning_rate' with the column 'learning_rate', which is a setting of training (double)",
        ),
        (
            module(body="    final_loss: float = setting(1.0, 'of the cell')"),
            "has a setting 'final_loss' with the column 'final_loss', which is measured",
        ),
        (
            module(body="    forget_bias: int = setting(1, 'of the cell')"),
            "has a setting 'forget_bias' with the column 'forget_bias', which is a setting of model (string)",
        ),
    ],
    ids=["raises", "needs", "empty", "no cell", "other name", "another section", "measured", "another type"],
)
def test_a_plug_in_that_cannot_be_used_is_reported_with_place_and_package(installed, study_file, body, message) -> None:
    installed("own-cell", {"harness.cells": {"mine": "own_cell:Mine"}}, own_cell=body)
    sys.modules.pop("own_cell", None)
    text = refusal(study_file(MINE))
    assert text.startswith(":4:15: model.cell: the plug-in 'mine' ")
    assert message in text
    assert "has a setting" in text or "of own-cell 0.1 " in text


def test_a_name_that_two_packages_bring_or_that_is_built_in_is_refused(installed, study_file) -> None:
    installed("rival", {"harness.cells": {"lstm": "rival:Mine", "mine": "rival:Mine"}}, rival=module())
    text = refusal(study_file(study_text(model={"cell": "lstm"})))
    assert text == ":4:15: model.cell: 'lstm' is built in, and rival 0.1 brings a plug-in of that name too; one must go"
    installed("second", {"harness.cells": {"mine": "rival:Mine"}})
    text = refusal(study_file(MINE))
    assert "model.cell: second 0.1 and rival 0.1 each bring a plug-in 'mine'; one must go" in text


def test_the_schema_has_the_plug_ins_that_are_named_and_no_others(example) -> None:
    def schema(*words: str) -> dict:
        return json.loads(module_output(example, "harness.registry", *words))

    assert schema() == study_schema(load_registry())
    own = schema("leaky", "slope")
    assert "leaky" in own["properties"]["model"]["properties"]["cell"]["enum"]
    assert "first_symbol" not in own["properties"]["task"]["properties"]["name"]["enum"]
    assert "Slope" in own["$defs"]


def test_two_workers_sweep_a_study_of_plug_ins(example, tmp_path: Path, study_file) -> None:
    options = ("-o", str(tmp_path / "out"), "-j", "2", "--format", "png")
    printed = module_output(example, "harness.sweep", str(study_file(STUDY, "own.yaml")), *options)
    assert "✓ success_rate" in printed
    assert "✓ most_updates" in printed
    figures = tmp_path / "out" / "own" / "figures"
    assert sorted(path.name for path in figures.glob("[!.]*")) == ["profile.png", "slope.png"]


def test_a_package_brings_an_experiment(example, tmp_path: Path, study_file, capsys) -> None:
    assert sweep.main([str(study_file(COIN, "coin.yaml")), "-o", str(tmp_path / "out"), "-j", "1"]) == cli.DONE
    runs = pd.read_parquet(tmp_path / "out" / "coin" / "runs.parquet")
    assert set(runs["coin_bias"]) == {0.2, 0.5}
    assert (runs["residual"] < 0.15).all()
    assert (tmp_path / "out" / "coin" / "figures" / "profile.png").exists()


OWN_START = """\
from typing import Literal
from harness.cells.cell import Cell, recurrent
from harness.study.section import setting

class Ones(Cell):
    gates = ("h",)
    cell: Literal["ones"] = setting(..., "which cell")
    size: float = setting(1.0, "of every weight", label="weight size s", short="s", replica=True)

    def start(self, seed, *, input_size, output_size, length):
        weights = super().start(seed, input_size=input_size, output_size=output_size, length=length)
        return {name: 0 * value + self.size for name, value in weights.items()}

    def activations(self, parameters, state, z):
        return {"h": (z + recurrent(parameters, state[0])).tanh()}

    def combine(self, state, a):
        return (a["h"],)
"""


def test_a_new_cell_is_one_file_with_its_own_start_and_labels_and_nothing_else_changes(installed, plan_of) -> None:
    alone = plan_of(study_text())
    installed("ones", {"harness.cells": {"ones": "ones_cell:Ones"}}, ones_cell=OWN_START)
    both = plan_of(study_text(model={"size": 0.5}, sweep={"model.cell": ["rnn", "ones"]}))
    assert alone.ids < both.ids
    own = [run for run in both.runs if run.columns()["cell"] == "ones"]
    for record in trained(own).values():
        assert record.run["initial_spectral_radius"] == pytest.approx(5 * 0.5)  # H·s, of a matrix of equal entries
    assert (labels.axis("size"), labels.short("size")) == ("weight size s", "s")


BRANCHING = module(
    body="""\
    def activations(self, parameters, state, z):
        a = super().activations(parameters, state, z)
        return a if a["h"].square().mean() > 0.05 else {"h": 0.5 * a["h"]}
"""
)
STEP_BY_STEP = "cell mine is computed step by step in torch, as "


def test_a_cell_that_cannot_be_compiled_trains_step_by_step_with_the_numbers_of_the_torch_engine(
    installed, study_file, tmp_path: Path, capsys
) -> None:
    installed("branching", {"harness.cells": {"mine": "branching_cell:Mine"}}, branching_cell=BRANCHING)
    study = study_file(
        study_text(
            training={"max_updates": 6, "bptt_window": 3},
            sweep={"model.cell": ["rnn", "mine"], "model.hidden_size": [5, 6]},
            seeds=2,
        )
    )
    printed = {}
    for engine in ("compiled", "torch"):
        options = ("-o", str(tmp_path / engine), "-j", "1", "--engine", engine)
        assert sweep.main([str(study), *options]) == cli.DONE
        printed[engine] = capsys.readouterr().err
    [note] = [line for line in printed["compiled"].splitlines() if "step by step" in line]
    assert note.startswith(f"{STEP_BY_STEP}a sum other than over the units")
    assert "step by step" not in printed["torch"]
    runs = pd.read_parquet(tmp_path / "compiled" / "tiny" / "runs.parquet")
    assert set(zip(runs["cell"], runs["engine"], strict=True)) == {("rnn", "compiled"), ("mine", "torch")}
    mine = {engine: own_rows(tmp_path / engine / "tiny", "mine") for engine in printed}
    assert mine["compiled"] == mine["torch"]
    assert len(mine["torch"]["runs"]) == 4


def own_rows(folder: Path, cell: str) -> dict[str, list[str]]:
    """The rows of the tables that belong to runs of a cell."""
    runs = pd.read_parquet(folder / "runs.parquet")
    own = set(runs["run_id"][runs["cell"] == cell])
    return {
        name: [row for row in rows if row.split(",")[0].strip("'") in own] for name, rows in table_rows(folder).items()
    }


def test_a_cell_of_a_plug_in_that_can_be_compiled_is_and_nothing_is_said_of_it(
    example, study_file, tmp_path: Path, capsys
) -> None:
    study = study_file(study_text(sweep={"model.cell": ["rnn", "leaky"]}))
    assert sweep.main([str(study), "-o", str(tmp_path), "-j", "1"]) == cli.DONE
    assert "step by step" not in capsys.readouterr().err
    assert set(pd.read_parquet(tmp_path / "tiny" / "runs.parquet")["engine"]) == {"compiled"}


OLD_PATHS = """\
from harness.analysis import frames, labels, style
from harness.analysis.figures import panels
from harness.analysis.figures.kind import FigureKind
from harness.analysis.frames import Frames, select
from harness.cells.cell import Cell, State, recurrent
from harness.study.spec import Study, setting
from harness.tasks.task import Batch, Shape, Task
"""


def test_the_earlier_import_paths_of_plug_ins_lead_to_the_same_objects() -> None:
    old: dict = {}
    exec(OLD_PATHS, old)
    assert old["FigureKind"] is kind.FigureKind
    assert old["panels"].panels is panels.panels
    assert old["labels"].axis is labels.axis
    assert old["frames"].select is old["select"] is frames.select
