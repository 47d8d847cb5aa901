"""Draws one sequence of each task with its target: python docs/draw_tasks.py [NAME …] → results/gallery/tasks-*.png.

A one-hot input is a row for each symbol, a real-valued one a row for each channel. Grey is padding (an input row of
zeros) or a step without a target.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from harness.tasks import TASKS
from harness.tasks.task import PADDING, UNSCORED, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GALLERY = Path(__file__).parents[1] / "results" / "gallery"
STUDIES = Path(__file__).parents[1] / "studies"  # to which paths of files are relative
BATCH = 16
SMALL_ALPHABET = 12  # shown whole; of a larger one, only the symbols that occur
STEPS_SHOWN = 30  # of a long series
NARROWEST = 20  # columns of a figure; a shorter sequence leaves the right of it empty
WIDEST_PRINTED = 40  # columns that are wide enough for a number
DPI, PALETTE = 150, 64  # 1050 pixels wide; a palette halves the file
ROW, IMAGE_ROW, FRAME = 0.17, 0.25, 1.3  # inches; FRAME is what titles and axes take
VISIBLE = {" ": "␣", "\n": "↵"}


@dataclass(frozen=True)
class Example:
    """A small instance of a task.

    Args:
        settings: of the task.
        channels: names of real-valued input channels.
        answer: name of a target that is a bit or a number.
        column: which sequence of the batch is drawn.
        text: whether input and target are texts, which the title then spells out.
    """

    settings: Mapping[str, Any]
    channels: Sequence[str] = ()
    answer: str = ""
    column: int = 0
    text: bool = False


EXAMPLES: Mapping[str, Example] = {
    "adding": Example({"sequence_length": 20}, ("number", "mark"), "x₁ + x₂"),
    "associative_recall": Example({"keys": 8}, column=1),
    "captions": Example({}),
    "characters": Example({}, text=True),
    "copying": Example({"delay": 10}),
    "dataset": Example({"source": "gunpoint"}, ("height",)),
    "dates": Example({}, column=3, text=True),
    "digit_names": Example({}, column=6),
    "dyck": Example({"sequence_length": 20}),
    "echo": Example({"series_length": 30}, ("bit",), "bit of t − 3"),
    "file": Example({"path": "walks.csv", "id": "walk", "inputs": ["x", "y"], "target": "label"}, ("x", "y"), column=3),
    "group_word_problem": Example({"sequence_length": 20}),
    "majority": Example({"sequence_length": 20}),
    "memorisation": Example({"delay": 10}),
    "modular_counting": Example({"sequence_length": 20}),
    "multiplication": Example({"sequence_length": 20}, ("number", "mark"), "x₁ · x₂", column=1),
    "parity": Example({"sequence_length": 20}),
    "permutation": Example({"sequence_length": 20}),
    "phrases": Example({}, column=3, text=True),
    "pixels": Example({}, ("pixel",)),
    "programs": Example({}, column=6, text=True),
    "temporal_order": Example({"sequence_length": 20}, column=5),
    "words": Example({}),
    "written_programs": Example({}, column=6, text=True),
    "xor": Example({"sequence_length": 20}, ("bit", "mark"), "x₁ ⊕ x₂"),
}


@dataclass(frozen=True)
class Grid:
    """A heat map: values and texts (rows, steps), row labels; a value that is NaN is drawn grey."""

    values: npt.NDArray[np.float64]
    texts: Sequence[Sequence[str]]
    labels: Sequence[str]
    axis: str
    row: float = ROW


def png(name: str) -> bytes:
    """The picture of a task; the same installation gives the same bytes."""
    from PIL import Image

    from harness.figures import style

    large, small = BytesIO(), BytesIO()
    with style.context():
        draw(name).savefig(large, format="png", dpi=DPI, metadata=dict(style.METADATA["png"]))
    image = Image.open(large).convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    image.save(small, "png", optimize=True)
    return small.getvalue()


def draw(name: str) -> Figure:
    """The input of one training sequence above its target."""
    example = EXAMPLES[name]
    task = TASKS[name].model_validate({"name": name, **example.settings}, context={"folder": STUDIES})
    batch = task.batch(seed=0, part="train", index=0, size=BATCH)
    inputs, target = batch.inputs[:, example.column], batch.targets[..., example.column]
    if task.carried:
        inputs, target = inputs[:STEPS_SHOWN], target[:STEPS_SHOWN]
    if batch.lengths is not None:
        inputs = inputs[-int(batch.lengths[example.column]) :]
    grids = {"input": input_grid(task, inputs, example), "target": target_grid(task, target, example, len(inputs))}
    return figure(grids, title(task, example, inputs, target))


def title(task: Task, example: Example, inputs: npt.NDArray[Any], target: npt.NDArray[Any]) -> str:
    """The task as a study writes it, and what the sequence says if it is a text."""
    settings = ", ".join([f"name: {task.name}", *(f"{key}: {shown(value)}" for key, value in example.settings.items())])
    says = f"“{''.join(task.spelled(inputs))}” → “{task.answered(target)}”".replace("\n", VISIBLE["\n"])
    return f"task: {{{settings}}}" + (f"      {says}" if example.text else "")


def shown(value: Any) -> str:
    """A setting as a study writes it."""
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def input_grid(task: Task, inputs: npt.NDArray[Any], example: Example) -> Grid:
    """One input sequence: tokens (T,) as one-hot rows, real rows (T, D) as channels, a vector (1, 64) as an image."""
    if inputs.ndim == 1:
        return one_hot(inputs, task.input_size, lambda token: task.spelled(np.array([token]))[0], "step t")
    if task.shape == "vector_to_sequence":
        side = isqrt(inputs.size)
        image = inputs.reshape(side, side).astype(float)
        return Grid(image, [[""] * side] * side, [str(i + 1) for i in range(side)], "pixel of the image", IMAGE_ROW)
    padded = np.array([word == "" for word in task.spelled(inputs)])
    values = np.where(padded, np.nan, inputs.T.astype(float))
    return Grid(values, printed(values), example.channels, "step t")


def target_grid(task: Task, target: npt.NDArray[Any], example: Example, steps: int) -> Grid:
    """One target: a row for each class, or one row of bits or numbers; a single answer stands at the last step."""
    axis = "step t of the output" if task.shape.endswith("vector_to_sequence") else "step t"
    if target.ndim == 0:
        target = np.append(np.full(steps - 1, UNSCORED), target)
    elif task.shape == "sequence_to_vector":
        axis = "position in the answer, which is given at once after the last step"
    if task.readout == "classes":
        return one_hot(target, task.output_size, lambda token: class_name(task, token), axis)
    values = np.where(target == UNSCORED, np.nan, target.astype(float))[None]
    return Grid(values, printed(values), [example.answer], axis)


def one_hot(tokens: npt.NDArray[Any], kinds: int, name: Callable[[int], str], axis: str) -> Grid:
    """Tokens (T,) as rows of zeros and ones; −1, a padded step or one without a target, is NaN."""
    assert PADDING == UNSCORED == -1
    rows = list(range(kinds)) if kinds <= SMALL_ALPHABET else sorted(set(tokens.tolist()) - {-1})
    values = np.array([np.where(tokens == -1, np.nan, tokens == row) for row in rows])
    labels = [VISIBLE.get(name(row), name(row)) for row in rows]
    texts = [[label if token == row else "" for token in tokens] for row, label in zip(rows, labels, strict=True)]
    return Grid(values, texts, labels, axis)


def class_name(task: Task, token: int) -> str:
    """A class as the task writes it. Texts lack their end symbol, and the digits of a number their blanks."""
    single = task.shape == "sequence_to_vector" and task.answers == 1
    text = task.answered(np.array(token if single else [token]))
    return text or (" " if task.shape == "sequence_to_vector" else "end")


def printed(values: npt.NDArray[np.float64]) -> list[list[str]]:
    """The values as texts; nothing where the cells are too narrow."""
    if values.shape[1] > WIDEST_PRINTED:
        return [[""] * values.shape[1]] * len(values)
    return [["" if np.isnan(x) else short(x) for x in row] for row in values.tolist()]


def short(x: float) -> str:
    """A bit, or a number of two decimals without the zero before them."""
    return str(int(x)) if x == int(x) else f"{x:.2f}".removeprefix("0")


def figure(grids: Mapping[str, Grid], heading: str) -> Figure:
    """Heat maps one above another, their columns of one width."""
    from matplotlib.figure import Figure

    from harness.figures import style

    heights = [len(grid.labels) * grid.row for grid in grids.values()]
    columns = max(NARROWEST, *(grid.values.shape[1] for grid in grids.values()))
    with style.context():
        drawn = Figure(figsize=(style.DOUBLE, sum(heights) + FRAME), layout="constrained")
        drawn.suptitle(heading, x=0.01, ha="left")
        axes = drawn.subplots(len(grids), 1, height_ratios=heights)
        for ax, (name, grid) in zip(axes, grids.items(), strict=True):
            heat_map(ax, grid, columns)
            ax.set_title(name, loc="left")
            ax.set_xlabel(grid.axis, loc="left")
        if len({grid.axis for grid in grids.values()}) == 1:
            axes[0].set(xticks=[], xlabel="")
    return drawn


def heat_map(ax: Axes, grid: Grid, columns: int) -> None:
    """Zero is white, one dark; a text is white on dark colours."""
    from matplotlib.colors import Normalize

    from harness.figures import style

    rows, T = grid.values.shape
    colours = style.diverging_map().with_extremes(bad=style.ZERO)
    top = max(1.0, float(np.nanmax(np.abs(grid.values))))
    ax.imshow(np.ma.masked_invalid(grid.values), cmap=colours, norm=Normalize(-top, top), aspect="auto")
    for r, line in enumerate(grid.texts):
        for t, text in enumerate(line):
            dark = abs(grid.values[r, t]) > 0.65 * top
            colour = "white" if dark else style.ink()
            ax.text(t, r, text, ha="center", va="center", fontsize=style.SMALLEST, color=colour)
    ax.vlines(np.arange(-0.5, T), -0.5, rows - 0.5, color=style.rule(), linewidth=0.4)
    ax.hlines(np.arange(-0.5, rows), -0.5, T - 0.5, color=style.rule(), linewidth=0.4)
    steps = [t for t in range(T) if T <= 10 or t == 0 or (t + 1) % 5 == 0]
    ax.set_xticks(steps, [str(t + 1) for t in steps])
    ax.set_yticks(range(rows), grid.labels)
    ax.set_xlim(-0.5, columns - 0.5)
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def main(names: Sequence[str]) -> None:
    """Write the pictures of the named tasks, or of all."""
    for name in names or TASKS:
        path = GALLERY / f"tasks-{name}.png"
        path.write_bytes(png(name))
        print(f"{path.relative_to(GALLERY.parents[1])}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
