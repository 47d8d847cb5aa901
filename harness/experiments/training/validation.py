"""Which settings of a training study go together: task, cell, training options, records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import floor, log

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from harness.cells.cell import Cell
from harness.cells.layers import output_width
from harness.cells.rnn import RNN
from harness.cells.sizes import matched_width
from harness.cells.whole_sequence import WholeSequence
from harness.experiments.training.method_rules import check_method
from harness.experiments.training.schedules import check_schedule, shortest
from harness.experiments.training.settings import Recording, Training, TrainingSections
from harness.experiments.training.whole_sequence_rules import check_whole_sequence
from harness.study.grid import explain
from harness.study.section import wrong
from harness.tasks import TASKS
from harness.tasks.task import Task
from harness.tasks.words import Words

OF_LAYERS = frozenset({"parameter_gradients", "unit_gradients"})  # probes that measure networks of several layers
LUCK = 0.05  # that guessing passes an evaluation, at most


def complete(sections: TrainingSections) -> TrainingSections:
    """The sections, with the width that `match` asks for, and a schedule's keywords where they say what holds without.

    Raises:
        PydanticCustomError: a setting has no meaning for this task, or this cell.
    """
    cell, task, training, evaluation = sections.model, sections.task, sections.training, sections.evaluation
    task.check_batches(training.batch_size, evaluation.sequences, evaluation.every, training.max_updates)
    check_evaluation(sections.evaluation.sequences, task)
    check_learning_rate(training)
    check_lengths(sections.evaluation.lengths, task)
    check_clipping(training)
    schedule = shortest(training.schedule, training.max_updates)
    if schedule != training.schedule:
        sections = replace(sections, training=training.model_copy(update={"schedule": schedule}))
    check_vectors(cell, task)
    sections = check_method(sections)
    training = sections.training
    if isinstance(cell, WholeSequence):
        check_whole_sequence(sections)
        check_recording(sections.record, training, task)
    else:
        check_truncation(training, task)
        check_recording(sections.record, training, task)
        check_start(cell, task)
        check_options(training, cell, task)
        check_layers(sections)
        check_zoneout(sections)
        check_h_detach(sections)
        check_varying(sections)
    if cell.match == "recurrent_parameters" and not cell.recurrent_weights:
        raise wrong("model.match", f"'{cell.cell}' has no recurrent weights; match: parameters")
    if cell.match is None:
        return sections
    return replace(sections, model=cell.model_copy(update={"hidden_size": matched_width(cell, task)}))


def check_evaluation(sequences: int, task: Task) -> None:
    """Refuse evaluations that a network which guesses would pass: `task.least_sequences`."""
    least = least_sequences(task)
    if sequences < least:
        raise wrong(
            "evaluation.sequences",
            f"'{task.name}' needs at least {least}: on {sequences}, guessing (chance {task.chance:.3g}) is all right "
            f"with probability {task.chance ** (sequences * task.answers):.2g}, and the run would count as solved",
        )


def least_sequences(task: Task) -> int:
    """How few sequences an evaluation may have, so that the task's rule of success can be read from it.

    Two, since the accuracy on one is no rate; and so many that guessing gets all of them right at an evaluation with
    probability below `LUCK`. Where there is a loss at every step, or a sequence is the answer, one sequence has many.
    """
    if task.shape != "sequence_to_vector":
        return 1
    if not 0 < task.chance < 1:
        return 2
    return max(2, floor(log(LUCK) / log(task.chance) / task.answers) + 1)


def check_learning_rate(training: Training) -> None:
    """Refuse a schedule that the budget cuts off, or that the optimizer has no use for."""
    check_schedule(training.schedule, training.learning_rate, training.max_updates)
    if training.optimizer_name == "rprop" and training.schedule != "constant":
        raise wrong("training.schedule", "has no meaning with rprop, which takes the learning rate for its first step")


def check_clipping(training: Training) -> None:
    """Refuse two ways to clip at once."""
    if training.clip_norm is not None and training.clip_value is not None:
        raise wrong("training.clip_value", "clip_norm is set as well; take one of the two")


def check_lengths(lengths: Sequence[int], task: Task) -> None:
    """Refuse lengths that this task does not have, or at which the trained network could not be used."""
    for length in lengths:
        try:
            other = task.at_length(length)
        except NotImplementedError:
            able = ", ".join(sorted(name for name, kind in TASKS.items() if kind.length_setting))
            raise wrong(
                "evaluation.lengths", f"'{task.name}' cannot be judged at other lengths; these tasks can: {able}"
            ) from None
        except ValidationError as error:
            reasons = "; ".join(f"task.{key}: {reason}" for key, reason in explain(error, type(task)))
            raise wrong("evaluation.lengths", f"at {length}, {reasons}") from None
        except PydanticCustomError as error:
            context = error.context or {}
            raise wrong("evaluation.lengths", f"task.{context.get('key')}: {context.get('message')}") from None
        for name in ("input_size", "output_size", "answers"):
            own, changed = getattr(task, name), getattr(other, name)
            if own != changed:
                raise wrong(
                    "evaluation.lengths",
                    f"at {length}, '{task.name}' has {name} {changed}; the network is trained for {own}",
                )


def check_vectors(cell: Cell, task: Task) -> None:
    """Refuse a network that has no use for the task's table of word vectors."""
    if not isinstance(task, Words):
        return
    if isinstance(cell, WholeSequence):
        raise wrong("task.name", f"'words' has a table of vectors of its own, which {cell.subject} would not read")
    width = output_width(cell)
    if task.tied and task.embedding != width:
        raise wrong("task.tied", f"needs task.embedding: {width}, the width that is read out; it is {task.embedding}")


def check_truncation(training: Training, task: Task) -> None:
    """Refuse a window or a stride that this task has no use for."""
    if training.bptt_stride is not None and not task.carried:
        raise wrong("training.bptt_stride", f"has a meaning only where the state is carried on, not for '{task.name}'")
    if training.bptt_stride is not None and training.bptt_stride > training.window(task.length):
        raise wrong("training.bptt_stride", "is longer than bptt_window, so that some steps would never be trained on")
    if training.bptt_window is not None and task.decodes:
        raise wrong("training.bptt_window", f"'{task.name}' is trained by full BPTT; leave the window out")
    if training.truncates(task.length) and task.shape == "sequence_to_sequence" and not task.carried:
        # Cut at h_{T−K} alone, the losses before it would train the readout only: no truncated BPTT of theirs.
        raise wrong(
            "training.bptt_window",
            f"'{task.name}' has a loss at every step of one sequence, and the window is defined where the loss is at "
            "the last step, or where the state is carried on (echo, characters); leave it out",
        )


def check_recording(record: Recording, training: Training, task: Task) -> None:
    """Refuse records that this task has nothing for."""
    if record.codes and not task.has_codes:
        raise wrong(
            "record.codes", f"'{task.name}' has no code: it is no encoder–decoder's task, nor has it vectors of words"
        )
    if record.states and task.shape == "vector_to_sequence":
        raise wrong("record.states", f"'{task.name}' has no input sequence to keep states along")
    if len(set(record.probes)) < len(record.probes):
        raise wrong("record.probes", "names a probe twice")
    if task.decodes and set(record.probes) - {"parameter_gradients"}:
        raise wrong(
            "record.probes",
            f"probes follow one recurrence from input to loss, parameter_gradients apart; '{task.name}' has a decoder",
        )
    if "truncation_bias" in record.probes and task.shape == "sequence_to_sequence":
        if not task.carried:
            raise wrong("record.probes", f"truncation_bias is about bptt_window, which '{task.name}' has no use for")
        if training.bptt_stride not in (None, training.window(task.length)):
            raise wrong("record.probes", "truncation_bias cuts a chunk into windows, which overlap with a bptt_stride")


def check_layers(sections: TrainingSections) -> None:
    """Refuse networks of layers that have no meaning for this task, this cell, or what is asked of them."""
    cell, task, training, record = sections.model, sections.task, sections.training, sections.record
    widths = cell.layer_sizes or (cell.hidden_size,)
    if cell.residual == "add" and len(set(widths)) > 1:
        raise wrong("model.residual", f"adds what layers pass on, and their widths are {', '.join(map(str, widths))}")
    if cell.normalisation != "none" and cell.normalised == "recurrence" and not cell.normalises:
        raise wrong("model.normalisation", f"'{cell.cell}' has no W h to normalise; set model.normalised: between")
    if cell.match is not None and cell.layer_sizes is not None:
        raise wrong("model.match", "reads hidden_size, which layer_sizes stands in place of; leave one of them out")
    if cell.bidirectional and (task.carried or task.decodes):
        reason = "its state is carried on" if task.carried else "its decoder has no later symbols to read"
        raise wrong("model.bidirectional", f"has no meaning for '{task.name}': {reason}")
    if cell.bidirectional and training.truncates(task.length):
        raise wrong("training.bptt_window", "cuts before the last steps, which a backward direction reads first")
    if cell.layers == 1 and not cell.bidirectional:
        return
    if cell.draws_readout:
        raise wrong("model.init", f"'{cell.init}' draws the readout of one layer; with several take another")
    refuse_penalties(training, "a network of one layer and direction")
    if record.states:
        raise wrong("record.states", "is written for a network of one layer and direction")
    for probe in record.probes:
        if probe not in OF_LAYERS:
            known = ", ".join(sorted(OF_LAYERS))
            raise wrong("record.probes", f"'{probe}' follows one recurrence; of several layers: {known}")
    if "unit_gradients" in record.probes and cell.dropout:
        raise wrong("record.probes", "unit_gradients goes through the network without dropout, which training has")


def refuse_penalties(training: Training, setting: str) -> None:
    """Refuse Ω and flossing, which go through one plain recurrence, where there is another."""
    for key in ("omega", "flossing"):
        if getattr(training, key) is not None:
            raise wrong(f"training.{key}", f"is written for {setting}")


def check_zoneout(sections: TrainingSections) -> None:
    """Refuse zoneout for a cell whose units cannot keep their values, and beside what is written without it."""
    cell, task, training = sections.model, sections.task, sections.training
    if not cell.zoneout:
        return
    if not cell.keeps:
        reason = "earlier steps, a matrix, or numbers of one scale"
        raise wrong(
            "model.zoneout", f"no unit of '{cell.cell}' can keep its value: its state has {reason}; leave it out"
        )
    refuse_penalties(training, "a network without zoneout")
    if training.bptt_stride is not None and training.bptt_stride < training.window(task.length):
        raise wrong("training.bptt_stride", "has chunks that overlap, whose steps zoneout would draw twice")


def check_h_detach(sections: TrainingSections) -> None:
    """Refuse h-detach for a cell whose h does more than reach the gates, and beside what is written without it."""
    cell, task, training = sections.model, sections.task, sections.training
    if not cell.h_detach:
        return
    if "c" not in cell.states:
        raise wrong(
            "model.h_detach",
            f"'{cell.cell}' has no memory c beside an h that reaches gates; take lstm, lstm1997 or slstm",
        )
    if cell.zoneout:
        raise wrong("model.h_detach", "is written for a network without zoneout, which passes h on beside the gates")
    refuse_penalties(training, "a gradient that nothing stops")
    if training.bptt_stride is not None and training.bptt_stride < training.window(task.length):
        raise wrong("training.bptt_stride", "has chunks that overlap, whose steps h_detach would draw twice")


def check_varying(sections: TrainingSections) -> None:
    """Refuse what is written for sequences of one length, where a task's have lengths of their own."""
    task, training, record = sections.task, sections.training, sections.record
    if not task.varies:
        return
    if task.decodes or task.carried:
        reason = "its state is carried on" if task.carried else "it has a decoder"
        raise wrong("task.name", f"'{task.name}' has batches with lengths, which have no meaning here: {reason}")
    refuse_penalties(training, "sequences of one length")
    if record.states:
        raise wrong("record.states", "is written for sequences of one length")
    for probe in record.probes:
        if probe != "parameter_gradients":
            raise wrong("record.probes", f"'{probe}' is written for sequences of one length")


def check_start(cell: Cell, task: Task) -> None:
    """Refuse initial weights that are drawn together with a readout that this task does not have."""
    if cell.draws_readout and task.decodes:
        raise wrong("model.init", f"'{cell.init}' draws the readout with the cell, which has no meaning for a decoder")
    if not cell.carries_h and task.decodes:
        raise wrong(
            "model.cell",
            f"h of '{cell.cell}' acts on no later step, and the decoder of '{task.name}' starts from a vector as h; "
            "take a cell whose h is carried on, such as slstm",
        )


def check_options(training: Training, cell: Cell, task: Task) -> None:
    """Refuse training options that have no meaning for this task, or this cell."""
    H = cell.hidden_size
    if training.omega is not None and not (type(cell) is RNN and task.shape == "sequence_to_vector"):
        raise wrong("training.omega", "is written for an rnn whose loss sees the last step alone: sequence to vector")
    if training.flossing is not None and task.decodes:
        raise wrong("training.flossing", f"'{task.name}' has a decoder, whose recurrence it would not see")
    if training.flossing is not None and training.truncates(task.length) and not task.carried:
        raise wrong("training.flossing", "its exponents are those of the whole sequence, which bptt_window cuts")
    if training.flossing is not None and not cell.carries_h:
        raise wrong(
            "training.flossing", f"h of '{cell.cell}' acts on no later step, so that exponents are minus infinity"
        )
    if training.flossing is not None and not cell.recurs:
        raise wrong("training.flossing", f"'{cell.cell}' has no recurrence, hence no exponents")
    if training.flossing is not None and training.flossing_exponents > H * len(cell.states):
        raise wrong("training.flossing_exponents", f"is more than the {H * len(cell.states)} numbers of the state")
    square = [cell.shapes(H, 1)[name][1:] == (H,) for name in cell.recurrent_weights]
    own = type(cell).recurrent_matrices is Cell.recurrent_matrices  # a penalty on what they are computed from is none
    if training.orthogonal is not None and not (square and all(square) and own):
        raise wrong(
            "training.orthogonal", f"'{cell.cell}' has no recurrent blocks of H × H numbers that are trained themselves"
        )
