"""A trained network judged at other lengths: on which sequences, with which result, and what it leaves unchanged."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from pydantic_core import PydanticCustomError
from study_texts import study_text
from trained_runs import assert_packs_change_nothing, bits, trained

from harness.errors import StudyError
from harness.experiments.training import planning
from harness.experiments.training.settings import TrainingSections
from harness.experiments.training.validation import check_lengths
from harness.models import MODELS
from harness.models.model import AT_ONCE, Model
from harness.registry import read
from harness.rng import generator
from harness.schema import Record
from harness.study.plan import Run
from harness.study.spec import setting
from harness.tasks import TASKS, task
from harness.tasks.task import Batch, Shape, Task

ORDER = {"name": "temporal_order", "sequence_length": 12}
COPYING = {"name": "copying", "delay": 4}
ECHO = {"name": "echo", "lag": 2, "series_length": 12}
ENGINES = ("torch", "compiled")


@pytest.fixture(autouse=True)
def few_sequences(monkeypatch) -> None:
    """Two whole parts and a rest, in place of 2048."""
    for kind in TASKS.values():
        monkeypatch.setattr(kind, "final_sequences", 2 * AT_ONCE + 9)


def text_of(lengths: Any, task: Any = ORDER, **sections: Any) -> str:
    training = {"max_updates": 3, "batch_size": 5, **sections.pop("training", {})}
    evaluation = {"every": 2, "sequences": 20, "lengths": lengths}
    return study_text(task=task, training=training, evaluation=evaluation, **sections)


def table(record: Record) -> dict[int, Any]:
    """The rows of the table of evaluations by length."""
    return {row["length"]: row for row in record.rows["evaluations"]}


def network(run: Run, record: Record, engine: str, length: int) -> tuple[Model, dict[str, torch.Tensor]]:
    """The model of a run at a length, and its trained parameters."""
    sections = run.sections.typed(TrainingSections)
    dtype = getattr(torch, sections.training.dtype)
    parameters = {
        row["name"]: torch.as_tensor(np.reshape(row["values"], (1, *row["shape"])), dtype=dtype)
        for row in record.rows["weights"]
    }
    return MODELS[sections.task.shape](sections.task.at_length(length), sections.model, None, engine), parameters


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("of", "lengths"), [(ORDER, [12, 30]), (COPYING, [4, 9]), (ECHO, [12, 31])])
def test_a_length_is_judged_as_a_fresh_batch_of_that_length_is(plan_of, of, lengths, dtype, engine) -> None:
    """The length in training is no exception: exactly what judging a fresh stream there gives."""
    [run] = plan_of(text_of(lengths, of, training={"dtype": dtype}, record={"weights": True}, seeds=[7])).runs
    record = trained([run], engine)[run.run_id]
    assert [*table(record)] == lengths
    for length, row in table(record).items():
        model, parameters = network(run, record, engine, length)
        sizes = [AT_ONCE, AT_ONCE, 9]
        batches = [model.task.batch(7, "length", length * 2**32 + k, size) for k, size in enumerate(sizes)]
        inputs = torch.as_tensor(np.concatenate([batch.inputs for batch in batches], axis=1))[:, None]
        targets = torch.as_tensor(np.concatenate([batch.targets for batch in batches], axis=-1)).unsqueeze(-2)
        loss, accuracy = model.judge(parameters, inputs, targets)
        assert (row["loss"], row["accuracy"], row["sequences"]) == (loss.item(), accuracy.item(), sum(sizes))
        assert (row["chance"], row["memoryless_loss"]) == (model.task.chance, model.task.memoryless_loss)
        assert row["trained_length"] == lengths[0]


def adder(self: Model, cell: object, seed: int, *, keep: float = 40.0) -> dict[str, Any]:
    """An LSTM of one unit that adds what is marked: i = σ(80 m − 40), g ≈ ε x, f = σ(keep), o = 1, ŷ = h/ε."""
    small, off = 1e-3, np.zeros
    return {
        "W": off((4, 1)), "U": np.array([[0.0, 80.0], [0.0, 0.0], [small, 0.0], [0.0, 0.0]]),
        "b_x": np.array([-40.0, keep, 0.0, 40.0]), "b_h": off(4), "V": np.array([[1 / small]]), "b_y": off(1),
    }  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("variant", ["sum", "halved"])
def test_a_network_that_adds_is_right_at_every_length(plan_of, monkeypatch, variant: str, engine: str) -> None:
    def halved(*arguments: Any) -> dict[str, Any]:
        weights = adder(*arguments)
        return {**weights, "V": weights["V"] * (0.5 if variant == "halved" else 1.0)}

    monkeypatch.setattr(Model, "initialise", halved)
    adding = {"name": "adding", "variant": variant, "sequence_length": 20}
    exact = {"max_updates": 0, "dtype": "float64"}
    lengths = [10, 20, 90, 250]
    text = text_of(lengths, adding, model={"cell": "lstm", "hidden_size": 1}, training=exact, seeds=[1])
    [record] = trained(plan_of(text).runs, engine).values()
    assert {length: row["accuracy"] for length, row in table(record).items()} == dict.fromkeys(lengths, 1.0)
    assert all(row["loss"] < 1e-10 for row in table(record).values())


def test_a_network_that_forgets_a_tenth_a_step_is_right_at_no_length_but_the_shortest(plan_of, monkeypatch) -> None:
    keep = np.log(0.9 / 0.1)
    monkeypatch.setattr(Model, "initialise", lambda *arguments: adder(*arguments, keep=keep))
    model, exact = {"cell": "lstm", "hidden_size": 1}, {"max_updates": 0, "dtype": "float64"}
    text = text_of([2, 20, 200], {"name": "adding", "sequence_length": 20}, model=model, training=exact, seeds=[1])
    [record] = trained(plan_of(text).runs, "compiled").values()
    rows = table(record)
    # T = 2: ŷ = .9 x₁ + x₂, off by x₁/10; T = 200: nothing of x₁ is left
    assert rows[2]["loss"] == pytest.approx(0.01 / 3, rel=0.2)
    assert rows[200]["loss"] == pytest.approx(1.0, rel=0.2)  # E[(x₁ + x₂)²] = 7/6, less what the last numbers save
    assert rows[2]["accuracy"] > 0.75 > 0.25 > rows[20]["accuracy"] > rows[200]["accuracy"]


STARTS: dict[str, Any] = {"model": {"init": "gaussian"}, "sweep": {"model.spectral_radius": [0.8, 1.3]}}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_alone_is_bit_for_bit_the_run_in_any_pack(plan_of, engine: str) -> None:
    records = assert_packs_change_nothing(plan_of(text_of([25, 12], **STARTS)).runs, engine)
    losses = [row["loss"] for record in records.values() for row in record.rows["evaluations"]]
    assert len(set(losses)) == 2 * len(records) == 8


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("of", [COPYING, ECHO])
def test_a_network_with_an_answer_a_step_is_judged_alone_as_in_a_pack(plan_of, of, engine: str) -> None:
    runs = plan_of(text_of([25, 12], of, training={"max_updates": 0}, **STARTS)).runs
    together = trained(runs, engine)
    for run in runs:
        alone = trained([run], engine)[run.run_id]
        assert table(alone) == table(together[run.run_id])


def test_the_rest_of_a_run_is_not_affected(plan_of) -> None:
    without, with_lengths = ([*trained(plan_of(text_of(lengths)).runs).values()] for lengths in ([], [12, 24]))
    for plain, judged in zip(without, with_lengths, strict=True):
        assert "evaluations" not in plain.rows
        rest = {name: rows for name, rows in judged.rows.items() if name != "evaluations"}
        assert bits(plain) == bits(Record(plain.run_id, judged.run, rest))


def test_every_length_has_a_stream_of_its_own_and_is_drawn_in_parts(plan_of, monkeypatch) -> None:
    keys, sizes = [], []
    sample = TASKS["temporal_order"].sample
    monkeypatch.setattr(task, "generator", lambda *key: keys.append(key) or generator(*key))
    monkeypatch.setattr(
        TASKS["temporal_order"], "sample", lambda self, draw, size: sizes.append(size) or sample(self, draw, size)
    )
    [run] = plan_of(text_of([12, 24], seeds=[5])).runs
    trained([run])
    own = [(key, size) for key, size in zip(keys, sizes, strict=True) if key[1] == "length"]
    assert own == [
        ((5, "length", length * 2**32 + k), size) for length in (12, 24) for k, size in enumerate([64, 64, 9])
    ]


def test_a_network_that_is_not_finite_is_judged_too(plan_of) -> None:
    exploding = {"init": "gaussian", "nonlinearity": "relu", "spectral_radius": 1e9}
    text = text_of([12, 60], {**ORDER, "sequence_length": 60}, model=exploding, seeds=1)
    [record] = trained(plan_of(text).runs).values()
    assert record.run["outcome"] == "diverged"
    assert not np.isfinite(table(record)[60]["loss"])


def ids(plan_of: Any, lengths: Any) -> list[str]:
    return [run.run_id for run in plan_of(text_of(lengths)).runs]


def test_an_empty_list_is_the_default_and_the_order_of_lengths_is_none_of_the_settings(plan_of) -> None:
    without = study_text(training={"max_updates": 3, "batch_size": 5}, evaluation={"every": 2, "sequences": 20})
    assert ids(plan_of, []) == [run.run_id for run in plan_of(without).runs]
    assert ids(plan_of, [24, 12]) == ids(plan_of, [12, 24]) != ids(plan_of, [])


def test_a_list_of_lengths_is_one_value_of_a_sweep_and_of_an_override(plan_of) -> None:
    swept = plan_of(text_of([], sweep={"evaluation.lengths": [[12], [12, 24]]}, seeds=1))
    assert [run.sections["evaluation"].lengths for run in swept.runs] == [(12,), (12, 24)]
    [overridden] = plan_of(text_of([12], seeds=1), "evaluation.lengths=[24, 48]").runs
    assert overridden.sections["evaluation"].lengths == (24, 48)


def test_the_predicted_cost_grows_by_the_steps_that_are_judged(plan_of, monkeypatch) -> None:
    monkeypatch.setattr(planning, "narrow", lambda: False)

    def cost(lengths: list[int]) -> float:
        [run] = plan_of(text_of(lengths, seeds=1)).runs
        return planning.seconds(run.sections.typed(TrainingSections))

    own = cost([])
    once = cost([100]) - own
    assert once == pytest.approx(100 * (2 * AT_ONCE + 9) / 3 * planning.seconds_per_step(_cell(plan_of), AT_ONCE))
    assert cost([50, 200]) - own == pytest.approx(2.5 * once)
    monkeypatch.setattr(planning, "narrow", lambda: True)
    assert cost([]) == pytest.approx(planning.NARROW * own)


def _cell(plan_of: Any) -> Any:
    return plan_of(text_of([])).runs[0].sections["model"]


@pytest.mark.parametrize(
    ("of", "lengths", "message"),
    [
        (ORDER, [12, 5], "at 5, task.sequence_length: 5 is too short for 2 symbols; at least 6"),
        ({"name": "adding", "variant": "original"}, [9], "at 9, task.sequence_length: is too short for two marks here"),
        ({"name": "echo", "lag": 7}, [7], "at 7, task.lag: no echo is heard within a series of 7 steps"),
        ({"name": "temporal_order", "level": "easy"}, [9], "task.level: 'easy' has lengths of its own"),
        ({"name": "dates"}, [9], "'dates' cannot be judged at other lengths; these tasks can: adding, assoc"),
        (ORDER, [0], "input should be greater than or equal to 1, not 0"),
        (ORDER, [12.5], "input should be a valid integer"),
        (ORDER, [24, 12, 24], "names 24 twice"),
        (ORDER, 24, "must be a list, such as [24]"),
    ],
)  # fmt: skip
def test_lengths_that_a_task_does_not_have_are_refused_while_a_study_is_read(study_file, of, lengths, message) -> None:
    path = study_file(text_of(lengths, of))
    with pytest.raises(StudyError) as caught:
        read(path)
    [problem] = caught.value.problems
    assert problem.message.startswith(f"evaluation.lengths: {message}")
    line = path.read_text().splitlines()[problem.place.line - 1]
    assert line[: problem.place.column - 1].endswith("lengths: ")


class Clock(Task):
    """A task whose input has a unit for every step."""

    shape: ClassVar[Shape] = "sequence_to_vector"
    length_setting: ClassVar[str] = "sequence_length"

    name: Literal["clock"] = setting("clock", "which task", column="task")
    sequence_length: int = setting(5, "T")

    @property
    def length(self) -> int:
        return self.sequence_length

    @property
    def input_size(self) -> int:
        return self.sequence_length

    @property
    def output_size(self) -> int:
        return 2

    def sample(self, generator: np.random.Generator, batch: int) -> Batch:
        raise NotImplementedError


def test_a_length_at_which_the_network_has_no_weights_for_the_inputs_is_refused() -> None:
    check_lengths((5,), Clock())
    with pytest.raises(PydanticCustomError, match="at 8, 'clock' has input_size 8; the network is trained for 5"):
        check_lengths((5, 8), Clock())
