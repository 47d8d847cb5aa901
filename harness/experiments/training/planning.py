"""What a training run will cost, in seconds and bytes, and what its user should know of it; planned without torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from pathlib import Path

import numpy as np

from harness.cells.attention import Attention
from harness.cells.cell import Cell
from harness.cells.layers import layers_of
from harness.cells.lstm import LSTM
from harness.cells.module import Module
from harness.experiments.training.method_rules import influence_numbers
from harness.experiments.training.recorded import recorded_updates
from harness.experiments.training.settings import TrainingSections
from harness.gradients.methods import name_of

TORCH_LOOP = 20  # times as long as compiled, about
# Times as long on a processor without AVX-512 as on the one with it that the seconds were measured on: runs of spectral
# that spent their budget took 3.7 (GRU), 3.8 (LSTM) and 4.3 times (tanh RNN) on one with AVX2.
NARROW = 3.9
# Of a probe at a recorded update, per step, sequence and row of the gates. One that is not here, a plug-in's included,
# is taken to cost what most do: a few passes of the torch engine.
PROBE_SECONDS = {"jacobian_singular_values": 4e-6, "parameter_gradients": 8e-9}


def seconds(sections: TrainingSections) -> float:
    """Predicted seconds of one run at its full budget: measured once, one thread, in packs of four to sixteen.

    A fixed part per update and recurrence, and one per step and sequence, which is twenty times as long where torch
    computes step by step. A pass forward is a third of an update; a window shortens the way back alone, unless the
    state is carried: then it is all there is to an update. With a loss at every step torch's readout and softmax are
    as large a part. Ω and flossing go through the steps one by one. A probe takes as long as some fifty updates,
    singular values of Jacobians hundreds, the gradients of parameters one. All of it was measured on a processor with
    AVX-512, and takes `NARROW` times as long on an x86 processor that has none.
    """
    task, training, evaluation = sections.task, sections.training, sections.evaluation
    # Of a module nothing is known before it is imported: it is taken to cost what an LSTM of the default width does.
    cell = LSTM(cell="lstm") if isinstance(sections.model, Module) else sections.model
    width = sum(len(d.cell.gates) * d.cell.hidden_size for layer in layers_of(cell, 1) for d in layer)
    window = training.window(task.length)
    steps = window if task.carried else (task.length + 2 * window) / 3
    evaluated = task.length * evaluation.sequences / evaluation.every / 3
    penalties = task.length * (1.8e-5 * (training.omega is not None) + 1e-3 * (training.flossing is not None))
    readout = 0.0 if task.shape == "sequence_to_vector" else 1e-7 + 3.5e-8 * task.output_size
    step = seconds_per_step(cell, task.length) * (TORCH_LOOP if training.autocasts else 1) + readout
    recurrences = sum(map(len, layers_of(cell, 1)))
    update = 2.5e-4 * recurrences + penalties + (steps * training.batch_size + evaluated) * step
    judged = task.length + sum(task.at_length(length).length for length in evaluation.lengths)
    final = judged * task.final_sequences / 3 * step
    record = sections.record
    recorded = sum(at <= training.max_updates for at in recorded_updates(record.adjoints, training.max_updates))
    probes = sum(PROBE_SECONDS.get(name, 4e-7) for name in record.probes)
    whole = training.max_updates * update + final + recorded * task.length * training.batch_size * width * probes
    forward = training.max_updates * forward_seconds(sections) if training.goes_forward else 0.0
    return float(whole * (NARROW if narrow() else 1) + forward)


def forward_seconds(sections: TrainingSections) -> float:
    """Predicted seconds of an update's gradient that is taken forward in time: torch's calls at every step, and the
    numbers that stand for ∂s_t/∂θ. Measured with AVX2, 16 to 64 units of five cells, 8 and 32 sequences.
    """
    steps = sections.training.window(sections.task.length) if sections.task.carried else sections.task.length
    return steps * (4e-3 + 2e-8 * influence_numbers(sections))


@cache
def narrow() -> bool:
    """Whether this is an x86 processor without AVX-512; False where the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith("flags")), None)
    return flags is not None and "avx512f" not in flags


def seconds_per_step(cell: Cell, T: int) -> float:
    """Seconds of an update for one step of one sequence, compiled: matrix products (three passes) and elementwise work.

    What takes the torch loop instead needs some `TORCH_LOOP` times as long. Attention is no loop: beside its products,
    each of T steps has 2·H products with the steps before it, and a softmax over them in each head.
    """
    if isinstance(cell, Attention):
        H = cell.hidden_size
        return 6 * (4 * H * H + H * T) / 1.5e11 + 1.2e-9 * (8 * H + cell.heads * T / 2)
    total = 0.0
    for direction in (direction for layer in layers_of(cell, 1) for direction in layer):
        own, H = direction.cell, direction.cell.hidden_size
        shapes = own.shapes(H, direction.input_size)
        products = sum(prod(shapes[name]) for name in own.recurrent_weights if len(shapes[name]) > 1)
        products += prod(shapes["U"]) if direction.layer > 1 else 0  # x of the first layer is narrow, or tokens
        total += 6 * products / 1.5e11 + 1.2e-9 * len(own.gates) * H
    return total


def bytes_kept(sections: TrainingSections) -> float:
    """Predicted bytes of one run: what the forward pass keeps for the backward pass, per step and sequence.

    The states, and per gate block a handful of intermediate results (compiled cells keep one, torch's graph five).
    """
    cell, task, training = sections.model, sections.task, sections.training
    widths = sum(direction.cell.hidden_size for layer in layers_of(cell, 1) for direction in layer)
    numbers = widths * (len(cell.states) + 5 * len(cell.gates))
    steps = training.window(task.length) if task.carried else task.length
    forward = 2 * influence_numbers(sections) if training.goes_forward else 0  # before a step and after it
    if isinstance(
        cell, Attention
    ):  # x as rows; e, q, k, v and o, by step and by head; h: torch's kernel keeps no T × T
        numbers = task.input_size + 10 * cell.hidden_size
    return float((steps * training.batch_size * numbers + forward) * np.dtype(training.parameter_dtype).itemsize)


def alone(sections: TrainingSections) -> str:
    """Why a run with these sections is not stacked with others; empty where it may be.

    bfloat16: torch computes a batch of products by oneDNN or by its own loops, whichever suits the size of the stack,
    and these add in different orders (torch 2.13, measured for H = 12: 3 of 1,350 products of a replica in a stack of
    three are not those of the replica alone).
    """
    if isinstance(sections.model, Module):
        return "with cell: module each run is computed alone, by a torch.nn.Module of its own, in no pack"
    if sections.training.goes_forward:
        return f"with method: {name_of(sections.training.method)} each run is computed alone"
    if sections.training.autocasts:
        return "with dtype: bfloat16 each run is computed alone, step by step in torch: sums of a stack would differ"
    return ""


def notes(points: Sequence[TrainingSections]) -> list[str]:
    """What may surprise: cells whose h is only read, and cells that take the torch loop though they might be compiled.

    Built-in cells can all be compiled (a test); only for others torch is imported here.
    """
    return [*_only_read(points), *_step_by_step(points)]


def _only_read(points: Sequence[TrainingSections]) -> list[str]:
    names = dict.fromkeys(point.model.cell for point in points if not point.model.carries_h)
    return [
        f"h of {name} is read and acts on no later step: ∂L/∂h_t is zero where the loss does not see h_t; the gradient "
        "of its memory c is in log10_adjoint_cell, and in figures with path: cell"
        for name in names
    ]


def _step_by_step(points: Sequence[TrainingSections]) -> list[str]:
    others = [point for point in points if not type(point.model).__module__.startswith("harness.cells.")]
    if not others:
        return []
    from harness.recurrence.compiler.recurrence import untraceable

    cells = {(point.model, point.task.input_size): None for point in others}
    reasons = {cell.cell: reason for cell, D in cells if (reason := untraceable(cell, D)) is not None}
    return [f"cell {name} is computed step by step in torch, as {reason}" for name, reason in reasons.items()]
