"""The notebook runs from top to bottom, and shows what its text says."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import torch

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "watch.ipynb"


def test_the_cells_run_and_show_what_the_text_says() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in cells)  # pictures and numbers are made where it is run
    space: dict[str, Any] = {}
    state = torch.get_rng_state()
    shown = [value for cell in cells if (value := run("".join(cell["source"]), space)) is not None]
    torch.set_rng_state(state)
    frame, heatmap, before, after, decay = shown
    assert len(frame) == 5
    assert len(heatmap.axes) >= len(decay.axes) >= 2  # a panel a direction
    assert (before < -0.1).all()
    assert (after < -0.1).all()
    assert space["loss"](*space["batch"](256)) < 0.05


def run(source: str, space: dict[str, Any]) -> Any:
    """A cell as a notebook runs it: what its last line is worth, if that is an expression."""
    tree = ast.parse(source)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, NOTEBOOK.name, "exec"), space)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), NOTEBOOK.name, "exec"), space)
    return eval(compile(ast.Expression(last.value), NOTEBOOK.name, "eval"), space)
