"""Laws of every task: what fixes a batch, what its parts share, and which numbers it may hold."""

from pathlib import Path

import numpy as np
import pytest

from harness.tasks import TASKS
from harness.tasks.task import PADDING, UNSCORED, Task

WALKS = Path(__file__).parents[2] / "studies" / "walks.csv"
SETTINGS = {
    "adding": [{"sequence_length": 40, "variant": variant} for variant in ("sum", "halved", "original")],
    "captions": [{}],
    "characters": [{}],
    "associative_recall": [{}],
    "copying": [{"delay": 5}],
    "dates": [{}],
    "digit_names": [{}],
    "dyck": [{"sequence_length": 40}, {"sequence_length": 30, "brackets": 1, "depth": 9}],
    "echo": [{"lag": 7, "series_length": 60}],
    "file": [
        {"path": WALKS, "id": "walk", "time": "t", "inputs": ["x", "y"], "target": "label"},
        {"path": WALKS, "id": "walk", "inputs": ["x"], "target": "y", "predict": "number", "scored": "every_step"},
    ],
    "group_word_problem": [{"sequence_length": 30}, {"sequence_length": 30, "group": "a5"}],
    "majority": [{"sequence_length": 40}],
    "memorisation": [{"bits": 20, "delay": 5}],
    "modular_counting": [{"sequence_length": 40, "modulus": 5}],
    "multiplication": [{"sequence_length": 40, "variant": variant} for variant in ("scaled", "original")],
    "parity": [{"sequence_length": 40}, {"sequence_length": {"low": 30, "high": 40}, "scored": "end"}],
    "permutation": [{"sequence_length": 30}],
    "phrases": [{}],
    "pixels": [{}, {"permuted": True}, {"read": "rows"}, {"read": "rows_and_columns"}],
    "programs": [{"digits": 4, "operations": 3}],
    "temporal_order": [{"sequence_length": 50}],
    "words": [{}],
    "written_programs": [{"digits": 2, "operations": 2}, {"digits": 3, "operations": 2, "reversed": True}],
    "xor": [{"sequence_length": 40}],
}
EXAMPLES = [TASKS[name](name=name, **settings) for name, forms in SETTINGS.items() for settings in forms]
STORED = (
    "characters",
    "dates",
    "digit_names",
    "file",
    "phrases",
    "pixels",
    "words",
)  # drawn from a fixed body of data: a sequence may come again

each_task = pytest.mark.parametrize("task", EXAMPLES, ids=repr)


# Of `dataset` there is one where its packages are: tests/data/test_sources.py.
def test_there_is_an_example_of_every_task_by_the_name_it_gives_itself() -> None:
    assert {task.name: type(task) for task in EXAMPLES} == {
        name: task for name, task in TASKS.items() if name != "dataset"
    }


@each_task
def test_a_batch_is_fixed_by_seed_part_and_index(task: Task) -> None:
    first, again = (task.batch(3, "train", 7, 40) for _ in range(2))
    assert np.array_equal(first.inputs, again.inputs)
    assert np.array_equal(first.targets, again.targets)
    for seed, part, index in ((4, "train", 7), (3, "train", 8), (3, "evaluate", 7), (3, "final", 7)):
        assert not np.array_equal(task.batch(seed, part, index, 40).inputs, first.inputs)


@pytest.mark.parametrize("task", [task for task in EXAMPLES if task.name not in STORED], ids=repr)
def test_no_two_drawn_batches_share_a_sequence(task: Task) -> None:
    keys = [(3, "train", 7), (4, "train", 7), (3, "evaluate", 7), (3, "final", 7), (3, "train", 8)]
    batches = [task.batch(*key, 60) for key in keys]
    assert len({batch.inputs[:, b].tobytes() for batch in batches for b in range(60)}) == 5 * 60


@each_task
def test_inputs_are_rows_of_the_stated_width_and_targets_are_answers_of_the_stated_size(task: Task) -> None:
    batch = task.batch(0, "train", 0, 40)
    if batch.inputs.ndim == 2:
        assert batch.inputs.min() >= PADDING
        assert batch.inputs.max() < task.symbols_read
    else:
        assert batch.inputs.shape[2] == task.input_size
        assert np.isfinite(batch.inputs).all()
    assert batch.inputs.shape[1] == batch.targets.shape[-1] == 40
    if task.readout == "numbers":
        assert np.isfinite(batch.targets).all()
    else:
        assert batch.targets.min() >= UNSCORED
        assert batch.targets.max() < max(task.output_size, 2)  # one output of a bit, two values
