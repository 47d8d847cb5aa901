"""What of a training study goes together with a gradient that is taken forward in time."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from harness.cells.whole_sequence import WholeSequence
from harness.experiments.training.settings import TrainingSections
from harness.gradients.methods import KEYWORDS, name_of
from harness.study.keywords import split
from harness.study.section import wrong
from harness.tasks.words import Words

LARGEST = 2**31  # numbers of an influence matrix: 8 GiB


def check_method(sections: TrainingSections) -> TrainingSections:
    """The sections, with tbptt as what it is: bptt with a window.

    Raises:
        PydanticCustomError: a setting has no meaning beside this way to the gradient.
    """
    task, cell, training = sections.task, sections.model, sections.training
    method = name_of(training.method)
    if method == "tbptt":
        if training.bptt_window is None:
            raise wrong("training.method", "'tbptt' is bptt within a window: set training.bptt_window")
        return replace(sections, training=training.model_copy(update={"method": "bptt"}))
    if not training.goes_forward:
        return sections
    forward = f"'{method}' goes forward, step by step"
    if isinstance(cell, WholeSequence):
        raise wrong("training.method", f"{forward}, and {cell.subject} shows no step to differentiate; take bptt")
    for refused, reason in (
        (task.decodes, f"'{task.name}' has a decoder, and one recurrence is followed"),
        (isinstance(task, Words), "'words' has a table of vectors before the recurrence"),
        (task.varies, "sequences have lengths of their own"),
        (cell.layers > 1 or cell.bidirectional, "the network has several layers or directions"),
        (bool(cell.h_detach), "h_detach stops gradients that go back"),
        (bool(cell.dropout or cell.zoneout), "dropout and zoneout draw another network at every step"),
        (training.autocasts, "it is written for float32 and float64, not for dtype: bfloat16"),
        (training.omega is not None or training.flossing is not None, "omega and flossing go back through time"),
        (training.bptt_stride is not None, "a bptt_stride is of chunks that overlap"),
    ):
        if refused:
            raise wrong("training.method", f"{forward}, and {reason}; take bptt")
    if training.bptt_window is not None and not task.carried:
        hint = "; its own stretches are {name: pes, unroll: …}" if method == "pes" else ""
        raise wrong("training.bptt_window", f"cuts a way back, and '{method}' goes forward{hint}; leave it out")
    across = "in a normalised recurrence" if cell.gains() else cell.crossing and f"through {cell.crossing}"
    if method == "snap1" and across:
        reason = f"{across} a unit's own parameters act on all units at once; take rtrl"
        raise wrong("training.method", f"'snap1' has no meaning: {reason}")
    if method == "pes" and task.carried:
        K, unroll = training.window(task.length), split(training.method, KEYWORDS)[1]["unroll"]
        if unroll > K:
            raise wrong("training.method", f"unroll: {unroll} is longer than an update's {K} steps (bptt_window)")
    numbers = influence_numbers(sections)
    if numbers > LARGEST:
        smaller = "a smaller hidden_size or batch_size"
        raise wrong(
            "training.method",
            f"'{method}' would carry {numbers:.2g} numbers (sequences × state × parameters); take "
            + (smaller if across else f"snap1, or {smaller}"),
        )
    return sections


def influence_numbers(sections: TrainingSections) -> int:
    """How many numbers stand for ∂s_t/∂θ of a batch."""
    task, cell, training = sections.task, sections.model, sections.training
    size = sum(map(prod, (cell.shapes(cell.hidden_size, task.input_size) | cell.gains()).values()))
    name, keywords = split(training.method, KEYWORDS)
    if name == "rtrl" and not cell.local:
        return training.batch_size * sum(cell.widths) * size
    if name == "pes":
        return int(keywords["particles"]) * size
    per_unit = len(cell.states) * (2 if name == "rtrl" else 1)
    return training.batch_size * size * int(keywords.get("draws", per_unit))
