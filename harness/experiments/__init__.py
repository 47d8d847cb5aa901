"""What is done with the settings: one file an experiment, one entry in this table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.cells.elementwise import Elementwise
from harness.cells.sizes import matched_width
from harness.errors import nearest
from harness.experiments import (
    cliff,
    curse_of_memory,
    gate_surgery,
    influence_balancing,
    jacobian_bound,
    linear_decay,
    random_network,
)
from harness.experiments.schedule import recorded_updates
from harness.probes import PROBES
from harness.study.spec import Choice, Evaluation, Experiment, Recording, Training, wrong
from harness.tasks import TASKS


def training_cost(sections: Mapping[str, Any]) -> float:
    """Predicted seconds of one run at its full budget: measured once, one thread (docs/performance.md).

    A fixed part per update, and one per element of (T, B, G·H). A pass forward is a third of an update; a window
    shortens the way back alone, unless the state is carried: then it is all there is to an update. Ω and flossing go
    through the steps one by one. A probe takes as long as some fifty updates, singular values of Jacobians hundreds.
    """
    cell, task, training, evaluation = sections["model"], sections["task"], sections["training"], sections["evaluation"]
    width = len(cell.gates) * cell.hidden_size
    window = min(training.bptt_window or task.length, task.length)
    steps = window if task.carried else (task.length + 2 * window) / 3
    judged = task.length * evaluation.sequences / evaluation.every / 3
    penalties = task.length * (4e-5 * (training.omega is not None) + 1e-3 * (training.flossing is not None))
    update = 1e-4 + penalties + (steps * training.batch_size + judged) * width * seconds_per_number(cell)
    record = sections["record"]
    recorded = sum(at <= training.max_updates for at in recorded_updates(record.adjoints, training.max_updates))
    probes = sum(4e-6 if name == "jacobian_singular_values" else 4e-7 for name in record.probes)
    return float(training.max_updates * update + recorded * task.length * training.batch_size * width * probes)


def seconds_per_number(cell: Cell) -> float:
    """Seconds of an update for an element of (T, B, G·H).

    Matrix products (H multiplications, three passes) and elementwise work in a fused kernel, elementwise work alone, or
    the steps of the torch engine one by one.
    """
    if cell.fused:
        return 3 * cell.hidden_size / 2.5e10 + 2.5e-9
    return 1.2e-8 if isinstance(cell, Elementwise) else 6e-8


def training_memory(sections: Mapping[str, Any]) -> float:
    """Predicted bytes of one run: what the way forward keeps for the way back, per step and sequence.

    The states, and per gate block a handful of intermediate results (the fused kernels keep one, torch's graph about
    five).
    """
    cell, task, training = sections["model"], sections["task"], sections["training"]
    kept = cell.hidden_size * (len(cell.states) + 5 * len(cell.gates))
    steps = min(training.bptt_window or task.length, task.length) if task.carried else task.length
    return float(steps * training.batch_size * kept * np.dtype(training.dtype).itemsize)


def complete(sections: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sections that go together, with the width that `match` asks for.

    Raises:
        PydanticCustomError: a setting has no meaning for this task, or this cell.
    """
    cell, task, training, record = sections["model"], sections["task"], sections["training"], sections["record"]
    decoding = task.shape in ("vector_to_sequence", "sequence_to_vector_to_sequence")
    if training.bptt_stride is not None and not task.carried:
        raise wrong("training.bptt_stride", f"has a meaning only where the state is carried on, not for '{task.name}'")
    if training.bptt_stride is not None and training.bptt_stride > (training.bptt_window or task.length):
        raise wrong("training.bptt_stride", "is longer than bptt_window, so that some steps would never be trained on")
    if training.bptt_window is not None and decoding:
        raise wrong("training.bptt_window", f"'{task.name}' is trained by full BPTT; leave the window out")
    if record.codes and task.shape != "sequence_to_vector_to_sequence":
        raise wrong("record.codes", f"'{task.name}' has no code: it is no encoder–decoder's task")
    if record.states and task.shape == "vector_to_sequence":
        raise wrong("record.states", f"'{task.name}' has no input sequence to keep states along")
    for name in record.probes:
        if name not in PROBES:
            raise wrong("record.probes", f"no probe '{name}'{nearest(name, PROBES)}")
    if len(set(record.probes)) < len(record.probes):
        raise wrong("record.probes", "names a probe twice")
    if record.probes and decoding:
        raise wrong("record.probes", f"probes follow one recurrence from input to loss; '{task.name}' has a decoder")
    if cell.init == "lecture" and (cell.cell not in ("rnn", "lstm") or cell.biases != 2 or decoding):
        raise wrong("model.init", "the lecture's own draw is that of an rnn or lstm with two biases and a readout")
    options_fit(sections)
    if cell.match == "recurrent_parameters" and not cell.recurrent_weights:
        raise wrong("model.match", f"'{cell.cell}' has no recurrent weights; match: parameters")
    if cell.match is not None:
        cell = cell.model_copy(update={"hidden_size": matched_width(cell, task)})
    return {**sections, "model": cell}


def options_fit(sections: Mapping[str, Any]) -> None:
    """Refuse training options that have no meaning for this task, or this cell.

    Raises:
        PydanticCustomError: there is one.
    """
    cell, task, training = sections["model"], sections["task"], sections["training"]
    H = cell.hidden_size
    if training.clip_norm is not None and training.clip_value is not None:
        raise wrong("training.clip_value", "clip_norm is set as well; take one of the two")
    if training.omega is not None and (cell.cell != "rnn" or task.shape != "sequence_to_vector"):
        raise wrong("training.omega", "is written for an rnn whose loss sees the last step alone: sequence to vector")
    if training.flossing is not None and task.shape not in ("sequence_to_vector", "sequence_to_sequence"):
        raise wrong("training.flossing", f"'{task.name}' has a decoder, whose recurrence it would not see")
    if training.flossing is not None and cell.cell == "window":
        raise wrong("training.flossing", "'window' has no recurrence, hence no exponents")
    if training.flossing is not None and training.flossing_exponents > H * len(cell.states):
        raise wrong("training.flossing_exponents", f"is more than the {H * len(cell.states)} numbers of the state")
    square = [cell.shapes(H, 1)[name][1:] == (H,) for name in cell.recurrent_weights]
    if training.orthogonal is not None and not (square and all(square)):
        raise wrong("training.orthogonal", f"'{cell.cell}' has no recurrent blocks of H × H numbers")
    if getattr(cell, "deviation", None) is not None and "vector_to_sequence" in task.shape:
        raise wrong("model.init", f"'{cell.init}' has no meaning for a decoder")


def compile_kernels(points: Sequence[Mapping[str, Any]]) -> None:
    """Compile, or load from the cache on disk, the fused kernels that these points use, before workers need them."""
    from harness.recurrence.kernels import KERNELS, diagonal, warm_up

    used = set()
    for point in points:
        cell = "diagonal" if isinstance(point["model"], Elementwise) else point["model"].cell
        exact = point["record"].precision == "float64"
        used |= {(cell, point["training"].dtype)} | ({(cell, "float64")} if exact else set())
    for cell, dtype in sorted(used):
        if cell == "diagonal":
            diagonal.warm_up(np.dtype(dtype).type)
        elif cell in KERNELS:
            warm_up(cell, np.dtype(dtype).type)


EXPERIMENTS: dict[str, Experiment] = {
    "training": Experiment(
        "training",
        {
            "task": Choice("name", TASKS),
            "model": Choice("cell", CELLS),
            "training": Training,
            "evaluation": Evaluation,
            "record": Recording,
        },
        entry="harness.experiments.training:train",
        cost=training_cost,
        memory=training_memory,
        complete=complete,
        prepare=compile_kernels,
    ),
    "gate_surgery": Experiment(
        "gate_surgery",
        {"model": Choice("cell", CELLS), "surgery": gate_surgery.Surgery},
        entry="harness.experiments.gate_surgery:surgeries",
        cost=gate_surgery.surgery_cost,
        complete=gate_surgery.has_switches,
    ),
    "influence_balancing": Experiment(
        "influence_balancing",
        {"balancing": influence_balancing.Balancing},
        entry="harness.experiments.influence_balancing:balance",
        cost=influence_balancing.cost,
        complete=influence_balancing.complete,
    ),
    "linear_decay": Experiment(
        "linear_decay",
        {"linear": linear_decay.Linear},
        entry="harness.experiments.linear_decay:decay",
        cost=linear_decay.cost,
    ),
    "jacobian_bound": Experiment(
        "jacobian_bound",
        {"jacobian": jacobian_bound.Bound},
        entry="harness.experiments.jacobian_bound:bound",
        cost=jacobian_bound.cost,
        complete=jacobian_bound.complete,
    ),
    "cliff": Experiment(
        "cliff",
        {"cliff": cliff.Cliff},
        entry="harness.experiments.cliff:climb",
        cost=cliff.cost,
        complete=cliff.complete,
    ),
    "lyapunov": Experiment(
        "lyapunov",
        {"lyapunov": random_network.Chaos},
        entry="harness.experiments.random_network:exponents",
        cost=random_network.cost,
    ),
    "curse_of_memory": Experiment(
        "curse_of_memory",
        {"memory": curse_of_memory.Memory},
        entry="harness.experiments.curse_of_memory:remember",
        cost=curse_of_memory.cost,
        complete=curse_of_memory.complete,
    ),
}
