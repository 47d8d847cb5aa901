"""A network from a factory: trained, recorded, stopped and resumed as the harness's own; refused where it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from factory_studies import SOURCE, module_study
from trained_runs import bits, trained

from harness.errors import StudyError
from harness.experiments.setup import Setup
from harness.experiments.training.checkpoint import Checkpointing
from harness.experiments.training.loop import train
from harness.experiments.training.settings import TrainingSections
from harness.models import model_of
from harness.models.sequence_to_vector import SequenceToVector
from harness.registry import read
from harness.schema import Record
from harness.store.checkpoints import Checkpoints
from harness.study.code import CodeError
from harness.study.plan import Run, packs, plan

UPDATES = 8
TRAINING = {"max_updates": UPDATES, "batch_size": 5, "clip_norm": 1.0, "optimizer": "adam", "learning_rate": 0.01}
EVALUATION = {"every": 4, "sequences": 20}


@pytest.fixture
def runs_of(tmp_path: Path) -> Callable[..., tuple[Run, ...]]:
    """The runs of a study with a factory of `factory_studies.SOURCE`."""

    def runs(function: str = "lstm", settings: object = None, **sections) -> tuple[Run, ...]:
        sections["training"] = TRAINING | sections.get("training", {})
        sections["evaluation"] = EVALUATION | sections.get("evaluation", {})
        sections.setdefault("record", {"adjoints": {"every": 3}, "weights": True})
        return plan(read(module_study(tmp_path, function, settings, seeds=[3], **sections))).runs

    return runs


def record_of(runs: Sequence[Run]) -> Record:
    [record] = trained(runs).values()
    return record


def initial(run: Run) -> dict[str, np.ndarray]:
    """A module's parameters as its factory builds them, and the readout's."""
    own = run.sections.typed(TrainingSections)
    return model_of(own.task, own.model, code=run.point.code).initialise(own.model, run.seed)


NAMES = {"W": "weight_hh", "U": "weight_ih", "b_x": "bias_ih", "b_h": "bias_hh"}


RANGE = {"name": "temporal_order", "sequence_length": {"low": 10, "high": 20}}


@pytest.mark.parametrize(("function", "layers", "task"), [("lstm", 1, {}), ("lstm", 2, {}), ("packed", 2, RANGE)])
def test_torchs_lstm_is_the_harnesss_when_it_begins_with_the_same_weights(
    runs_of, plan_of, monkeypatch, function, layers, task
) -> None:
    more = {"task": task} if task else {}
    [run] = runs_of(function, {"layers": layers}, training={"dtype": "float64"}, **more)
    module = record_of([run])
    weights = initial(run)
    same = {
        name + (f".{layer}" if layer > 1 else ""): weights[f"recurrent.{theirs}_l{layer - 1}"]
        for layer in range(1, layers + 1)
        for name, theirs in NAMES.items()
    }
    same |= {name: weights[name] for name in ("V", "b_y")}
    monkeypatch.setattr(SequenceToVector, "initialise", lambda self, cell, seed: same)
    text = Path(run.point.code[0].place.partition(":")[0]).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("model:")]
    cell = record_of(plan_of("\n".join([*lines, f"model: {{cell: lstm, hidden_size: 7, layers: {layers}}}"])).runs)
    for name in ("loss", "accuracy", "gradient_norm"):
        own, theirs = ([row[name] for row in record.rows["curves"]] for record in (module, cell))
        assert own == pytest.approx(theirs, rel=1e-10, abs=1e-12)
    places = [[(row["update"], row["layer"], row["direction"]) for row in r.rows["gradients"]] for r in (module, cell)]
    assert places[0] == places[1]
    for own, theirs in zip(module.rows["gradients"], cell.rows["gradients"], strict=True):
        for name in ("log10_adjoint", "log10_immediate", "log10_adjoint_cell"):
            np.testing.assert_allclose(own[name], theirs[name], rtol=0, atol=1e-9)
    assert module.run["final_loss"] == pytest.approx(cell.run["final_loss"], rel=1e-10)


@pytest.fixture
def store(tmp_path: Path, monkeypatch) -> Checkpoints:
    """A checkpoint after every update."""
    init = Checkpointing.__init__
    monkeypatch.setattr(Checkpointing, "__init__", lambda self, store, by: init(self, store, by, every=0.0))
    return Checkpoints(tmp_path / "checkpoints")


class StoppedError(Exception):
    """A kill, for a test."""


CASES = [
    ("lstm", {"layers": 2, "dropout": 0.3}, {}),
    ("normalised", {}, {}),
    ("scalar", {}, {}),
    ("classifier", {}, {"output": "logits"}),
]


@pytest.mark.parametrize(("function", "settings", "more"), CASES, ids=[case[0] for case in CASES])
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(runs_of, store, function, settings, more) -> None:
    runs = runs_of(function, settings, **more)
    whole = record_of(runs)

    def kill(share: float, replicas: int) -> None:
        if share >= 5 / (UPDATES + 1):
            raise StoppedError

    with pytest.raises(StoppedError):
        list(train(runs, Setup("torch", checkpoints=store, listener=kill)))
    resumed_after = []
    listener = lambda share, replicas: resumed_after.append(share)  # noqa: E731
    [resumed] = train(runs, Setup("torch", checkpoints=store, listener=listener))
    assert len(resumed_after) == UPDATES - 5  # it went on, and did not begin anew
    assert bits(resumed) == bits(whole)


@pytest.mark.parametrize("function", ["normalised", "lstm"])
def test_recording_and_judging_change_nothing_of_the_training(runs_of, function) -> None:
    settings = {"layers": 2, "dropout": 0.3} if function == "lstm" else {}
    often = record_of(
        runs_of(function, settings, record={"adjoints": {"every": 1}, "weights": True, "precision": "float64"})
    )
    never = record_of(runs_of(function, settings, record={"adjoints": [0], "weights": True}, evaluation={"every": 1}))
    assert often.rows["weights"] == never.rows["weights"]
    assert often.run["final_loss"] == never.run["final_loss"]


def test_the_users_generator_stands_where_it_stood(runs_of) -> None:
    runs = runs_of("lstm", {"layers": 2, "dropout": 0.3})
    torch.manual_seed(5)
    first = bits(record_of(runs))
    drawn = torch.rand(3)
    torch.manual_seed(6)
    assert bits(record_of(runs)) == first
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)


def test_buffers_follow_training_once_an_update_and_judging_uses_them(runs_of) -> None:
    [run] = runs_of("normalised")
    own = run.sections.typed(TrainingSections)
    model = model_of(own.task, own.model, code=run.point.code)
    parameters = {
        name: torch.as_tensor(value, dtype=torch.float32).unsqueeze(0)
        for name, value in model.initialise(own.model, 3).items()
    }
    assert {"scale", "V"} & parameters.keys() == {"V"}  # what is frozen is not trained
    x, y = torch.randint(0, 6, (12, 1, 5)), torch.zeros(1, 5, dtype=torch.long)
    masks = model.draws([3], 0)
    for _ in range(3):  # the same pass again, as for a record
        again, _ = model.outputs(parameters, x, y, masks=masks)
        judged, _ = model.outputs(parameters, x, y)
    assert int(model.standing()["calls"]) == 0
    model.advance()
    assert int(model.standing()["calls"]) == 1
    assert int(model.standing()["norm.num_batches_tracked"]) == 1
    assert not torch.equal(model.outputs(parameters, x, y)[0], judged)
    assert torch.equal(model.outputs(parameters, x, y, masks=masks)[0], again)
    assert not torch.equal(model.outputs(parameters, x, y, masks=model.draws([3], 1))[0], again)


def test_steps_that_are_computed_again_on_the_way_back_have_the_trained_weights(runs_of) -> None:
    plainly, again = (record_of(runs_of("tied", {"again": again})) for again in (False, True))
    assert plainly.rows["weights"] == again.rows["weights"]
    assert "second.weight" not in {row["name"] for row in again.rows["weights"]}


def test_layers_of_several_modules_are_numbered_through(runs_of) -> None:
    rows = record_of(runs_of("both_ways")).rows["gradients"]
    assert [(row["layer"], row["direction"]) for row in rows if row["update"] == 0] == [
        (1, "forward"), (1, "backward"), (2, "forward"),
    ]  # fmt: skip
    assert {len(row["log10_adjoint"]) for row in rows} == {12}
    assert [row["log10_adjoint_cell"] is None for row in rows][:3] == [False, False, True]


def test_a_network_without_recurrence_has_no_rows_of_gradients(runs_of) -> None:
    record = record_of(runs_of("linear", record={"probes": ["parameter_gradients"]}))
    assert record.rows["gradients"] == []
    assert record.run["initial_adjoint_slope"] is record.run["recurrent_parameters"] is None
    quantities = {row["quantity"] for row in record.rows["profiles"]}
    assert "log10_gradient_norm of weight" in quantities


def test_logits_of_a_module_are_what_the_loss_compares(runs_of) -> None:
    record = record_of(runs_of("classifier", {"hidden_size": 9}, output="logits"))
    assert {row["name"] for row in record.rows["weights"]} >= {"readout.weight", "readout.bias"}
    assert "V" not in {row["name"] for row in record.rows["weights"]}
    along = runs_of("classifier", {"every_step": True}, output="logits", task={"name": "copying", "delay": 4})
    assert record_of(along).run["outcome"] == "unsolved"


def test_it_is_judged_at_other_lengths(runs_of) -> None:
    record = record_of(runs_of("lstm", evaluation={"lengths": [12, 30]}))
    assert [row["length"] for row in record.rows["evaluations"]] == [12, 30]


def test_a_module_that_takes_no_lengths_is_refused_where_there_are_some(runs_of) -> None:
    with pytest.raises(
        CodeError, match=r"forward\(x\) does not take \(x, lengths\); .*pack_padded_sequence takes both"
    ):
        record_of(runs_of("lstm", task=RANGE))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_other_arithmetic_reaches_parameters_and_buffers(runs_of, dtype) -> None:
    record = record_of(runs_of("normalised", training={"dtype": dtype}))
    assert np.isfinite(record.run["final_loss"])


def test_every_run_is_a_pack_of_its_own_and_the_plan_says_so(tmp_path: Path) -> None:
    study = read(module_study(tmp_path, seeds=5))
    assert [len(pack) for pack in packs(plan(study).runs, alone=study.experiment.alone)] == [1] * 5
    assert any("each run is computed alone" in note for note in study.notes())


REFUSED = [
    ({"training": {"omega": 1.0}}, r"training.omega: has no meaning for a module"),
    ({"training": {"bptt_window": 4}}, r"training.bptt_window: .* by detach\(\)"),
    ({"record": {"states": 2}}, r"record.states: keeps states and gates of a cell's equations"),
    ({"record": {"probes": ["unit_gradients"]}}, r"record.probes: 'unit_gradients' follows a cell's equations"),
    (
        {"task": {"name": "echo", "lag": 2, "series_length": 12}},
        r"model.cell: a module takes a whole sequence, and 'echo'",
    ),
    ({"task": {"name": "dates"}}, r"model.cell: a module takes a whole sequence, and 'dates' .* decoder"),
]


@pytest.mark.parametrize(("sections", "message"), REFUSED, ids=[message[:25] for _, message in REFUSED])
def test_what_needs_a_cells_equations_is_refused(runs_of, sections, message) -> None:
    with pytest.raises(StudyError, match=message):
        runs_of("lstm", **sections)


OF_CELLS = (
    "hidden_size: 9", "layers: 2", "init: gaussian", "spectral_radius: 1.0", "dropout: 0.1", "zoneout: 0.1",
    "match: parameters", "normalisation: layer", "residual: add", "forget_bias: 1.0",
)  # fmt: skip


@pytest.mark.parametrize("key", OF_CELLS)
def test_a_cells_setting_is_refused_where_a_module_is_the_model(tmp_path: Path, key: str) -> None:
    model = f"model: {{cell: module, factory: 'own_networks:lstm', {key}}}\n"
    with pytest.raises(
        StudyError, match=rf"own.yaml:\d+:\d+: model.{key.partition(':')[0]}: is a cell's; a module has"
    ):
        read(module_study(tmp_path, model=model))


def test_beside_cells_a_module_takes_none_of_their_settings(tmp_path: Path) -> None:
    model = "model: {factory: 'own_networks:lstm', settings: {layers: 2}, hidden_size: 9, forget_bias: 1.0}\n"
    points = read(module_study(tmp_path, model=model, sweep={"model.cell": ["lstm", "module"]})).points
    lstm, module = (point.columns() for point in points)
    assert (lstm["hidden_size"], module["factory_settings"]) == (9, '{"layers":2}')
    assert "factory" not in lstm
    assert "hidden_size" not in module


BUILD = "def build(input_size, output_size, length):\n    "
FAILING = [
    ("import torch\n" + BUILD + "return torch.nn.LSTM(input_size, 4)\n", "states", r"returned a tuple; .*\(T, B, H\)"),
    (BUILD + "return 3\n", "states", r"returned a int; expected a torch.nn.Module"),
    ("import torch\n" + BUILD + "return torch.nn.Linear\n", "states", r"returned the class Linear; expected"),
    (BUILD + "raise ValueError('no such size')\n", "states", r"failed: ValueError: no such size \(.*networks.py:2\)"),
    ("import torch\n" + BUILD + "return torch.nn.Linear(input_size, 4)\n", "logits", r"expected .*C\) = \(2, 4\)"),
    ("import torch\n" + BUILD + "return torch.nn.Linear(99, 4)\n", "states", r"failed on an input .*\(12, 2, 8\)"),
    ("import torch\n" + BUILD + "return torch.nn.Identity()\n", "states", r"without parameters to train"),
    ("import nothing_of_that_name\n" + BUILD + "pass\n", "states", r"cannot be imported: ModuleNotFoundError"),
    ("import sys\nsys.exit(0)\n" + BUILD + "pass\n", "states", r"cannot be imported: SystemExit"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "output", "message"), FAILING, ids=[each[2][:30] for each in FAILING])
def test_a_factory_that_fails_is_named_with_the_line_of_the_study(tmp_path: Path, source, output, message) -> None:
    runs = plan(read(module_study(tmp_path, "build", source=source, output=output))).runs
    with pytest.raises(CodeError, match=rf"own.yaml:\d+:\d+: model.factory: 'own_networks:build'.*{message}"):
        trained(runs[:1])


PLANNED = [
    ("def buidl(input_size, output_size, length): ...\n", {}, r"has no function 'build'; did you mean 'buidl'"),
    ("def build(input_size, output_size, length, layers=1): ...\n", {"layrs": 2},
     r"model.settings.layrs: 'own_networks:build' \(own_networks.py:1\) takes no 'layrs'; did you mean 'layers'"),
    ("def build(size): ...\n", {}, r"does not take input_size, output_size, length; a factory is called"),
    ("def build(input_size, output_size, length, *, width): ...\n", {}, r"model.settings: width must be given"),
    ("class Base:\n    def __init__(self, i, o): ...\nclass Net(Base): ...\nbuild = Net\n", {},
     r"'own_networks:build' \(own_networks.py:2\) does not take input_size, output_size, length; a factory is called"),
    ("class build:\n    def __init__(self, input_size, output_size, length, width): ...\n", {}, r"width must be given"),
    ("def build(:\n", {}, r"own_networks.py:1: invalid syntax"),
    (SOURCE, {"length": 3}, r"model.settings.length: is the task's, which the harness gives"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "settings", "message"), PLANNED, ids=[each[2][:30] for each in PLANNED])
def test_what_the_source_shows_is_told_when_the_study_is_planned(tmp_path: Path, source, settings, message) -> None:
    with pytest.raises(StudyError, match=rf"own.yaml:\d+:\d+: .*{message}"):
        read(module_study(tmp_path, "build", settings, source=source))


@pytest.mark.parametrize(
    "source",
    [
        "class build(nn.Module):\n    def __init__(self, input_size, output_size, length): ...\n",
        "class build(nn.Module): ...\n",  # inherited from elsewhere
        "@wrapped\nclass build:\n    def __init__(self, i): ...\n",
        "class build:\n    def __new__(cls, *a, **k): ...\n    def __init__(self, i): ...\n",
        "class build:\n    def __init__(self, /, input_size, output_size, length): ...\n",
        "build = other = 3\n",
        "build = build\n",
    ],
)
def test_a_class_is_called_as_a_function_is_and_what_cannot_be_seen_is_not_refused(tmp_path: Path, source: str) -> None:
    assert len(plan(read(module_study(tmp_path, "build", source=source))).runs) > 0


def test_a_module_that_is_not_there_is_told_with_where_it_was_looked_for(tmp_path: Path) -> None:
    model = "model: {cell: module, factory: 'own_network:lstm'}\n"
    place = r"own.yaml:\d+:\d+: model.factory: 'own_network:lstm'"
    with pytest.raises(StudyError, match=rf"{place}: no module .*{tmp_path}.*did you mean 'own_networks'"):
        read(module_study(tmp_path, model=model))
