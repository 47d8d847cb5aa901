"""What the documentation shows is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from harness.records import TABLES
from harness.streams import generator

DOCS = Path(__file__).parents[1] / "docs"
EXTENDING = (DOCS / "extending.md").read_text()
TASK, CELL = re.findall(r"```python\n(.+?)```", EXTENDING, re.DOTALL)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_is_documented_with_unit_and_meaning(table) -> None:
    text = (DOCS / "tables.md").read_text()
    for column in table.columns:
        assert f"| `{column.name}` | {column.type} | {column.unit} | {column.meaning} |" in text


def test_the_example_task_is_a_task(monkeypatch, study_file) -> None:
    from harness.catalogue import read
    from harness.experiments.setup import Setup
    from harness.experiments.training import train
    from harness.study.plan import plan
    from harness.tasks import TASKS

    space: dict = {}
    exec(compile(TASK, "extending.md", "exec", dont_inherit=True), space)
    monkeypatch.setitem(TASKS, "first_symbol", space["FirstSymbol"])
    batch = TASKS["first_symbol"](name="first_symbol").sample(generator(0, "test"), 7)
    assert np.array_equal(batch.targets, batch.inputs[0])
    text = """\
name: own
claim: Three steps are no distance.
task: {name: first_symbol, sequence_length: 3}
model: {cell: rnn, hidden_size: 12}
training: {max_updates: 400, learning_rate: 0.01}
evaluation: {every: 50, sequences: 64}
"""
    [record] = train(plan(read(study_file(text))).runs, Setup("torch"))
    assert record.run["outcome"] == "solved"
    assert record.run["chance"] == 0.25


def test_the_example_cell_is_a_cell_with_the_adjoints_of_its_linear_regime() -> None:
    import torch

    from harness.scan import scan
    from harness.tape import Tape

    space: dict = {"__name__": "leaky"}
    exec(compile(CELL.replace("if TYPE_CHECKING:", "if True:"), "extending.md", "exec", dont_inherit=True), space)
    cell = space["Leaky"](cell="leaky", hidden_size=3, leak=0.25, biases=1)
    zero = {"W": torch.zeros(1, 3, 3), "U": torch.zeros(1, 3, 2), "b_x": torch.zeros(1, 3)}
    parameters = {name: value.requires_grad_() for name, value in zero.items()}
    tape = Tape()
    h, _ = scan(cell, parameters, torch.zeros(40, 1, 2, dtype=torch.long), (torch.zeros(1, 2, 3),), tape=tape)
    (h.sum() / 2).backward()
    assert tape.log10_adjoint is not None
    # W = 0: only the leak carries, and the adjoint falls by 1 − α a step
    np.testing.assert_allclose(np.diff(tape.log10_adjoint[:, 0]), -np.log10(0.75), atol=1e-6)
