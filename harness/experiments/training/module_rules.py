"""What of a training study has no meaning for a network from a factory, and what has it in its place."""

from __future__ import annotations

from harness.cells.module import Module
from harness.experiments.training.settings import TrainingSections
from harness.study.section import wrong

PROBES = ("parameter_gradients",)  # that need no equations
PENALTIES = {
    "omega": "Ω follows W of an rnn",
    "flossing": "Lyapunov exponents follow a cell's equations",
    "orthogonal": "WᵀW − I is of a cell's recurrent blocks; torch.nn.utils.parametrizations.orthogonal is a module's",
    "bptt_window": "a window cuts a cell's recurrence; a module cuts its own, by detach()",
    "bptt_stride": "a stride is of chunks with a carried state, which a module does not get",
}


def check_module(sections: TrainingSections) -> None:
    """Refuse what is written for the equations of a cell, which a module does not show.

    Raises:
        PydanticCustomError: a setting has no meaning for a module.
    """
    cell, task, training, record = sections.model, sections.task, sections.training, sections.record
    assert isinstance(cell, Module)
    if task.decodes or task.carried:
        reason = "its state is carried from update to update" if task.carried else "it has a decoder"
        raise wrong("model.cell", f"a module takes a whole sequence, and '{task.name}' is another: {reason}")
    for key, reason in PENALTIES.items():
        if getattr(training, key) is not None:
            raise wrong(f"training.{key}", f"has no meaning for a module: {reason}")
    if record.states:
        raise wrong("record.states", "keeps states and gates of a cell's equations, which a module does not show")
    for probe in record.probes:
        if probe not in PROBES:
            raise wrong("record.probes", f"'{probe}' follows a cell's equations; of a module: {', '.join(PROBES)}")
