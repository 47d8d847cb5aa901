"""What of a training study has no meaning for a network without steps, and what has it in its place."""

from __future__ import annotations

from harness.cells.whole_sequence import WholeSequence
from harness.experiments.training.settings import TrainingSections
from harness.study.section import wrong

PROBES = ("parameter_gradients",)  # that need no equations


def check_whole_sequence(sections: TrainingSections) -> None:
    """Refuse what is written for the step of a cell, which a module does not show and attention does not have.

    Raises:
        PydanticCustomError: a setting has no meaning for this network.
    """
    cell, task, training, record = sections.model, sections.task, sections.training, sections.record
    assert isinstance(cell, WholeSequence)
    subject = cell.subject
    if task.decodes or task.carried:
        reason = "its state is carried from update to update" if task.carried else "it has a decoder"
        raise wrong("model.cell", f"{subject} takes a whole sequence, and '{task.name}' is another: {reason}")
    for key, reason in cell.without.items():
        if getattr(training, key) is not None:
            raise wrong(f"training.{key}", f"has no meaning for {subject}: {reason}")
    if record.states:
        raise wrong("record.states", f"keeps states and gates of a cell's equations, which {subject} does not show")
    for probe in record.probes:
        if probe not in PROBES:
            raise wrong("record.probes", f"'{probe}' follows a cell's equations; of {subject}: {', '.join(PROBES)}")
