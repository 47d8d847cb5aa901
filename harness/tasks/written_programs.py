"""Evaluating small Python programs, the answer written digit by digit.

Zaremba & Sutskever 2014, "Learning to execute", section 3: a program is read character by character, and what it prints
is written likewise. There one LSTM does both; here an encoder and a decoder, between which there is one vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.schema import Column, MetricOptions
from harness.study.spec import setting
from harness.tasks.programs import ProgramTask, evaluated
from harness.tasks.task import Batch, Shape
from harness.tasks.translation import before_end, finished

WRITTEN = "-0123456789"  # a symbol is an index into this; the end comes after the last
SHARE = MetricOptions("iqm", decimals=3, better=1, margin=0.05, limits=(0.0, 1.0))
JUDGED = tuple((digits, operations) for operations in range(1, 4) for digits in range(1, 5))  # up to the lecture's two
MEASURED = {
    "exact_match": ("share of programs whose answer the network, free running, writes whole", "whole answer right"),
    "forced_accuracy": (
        "share of the characters of right answers that the network writes when it is given all before them (teacher "
        "forcing), as Zaremba & Sutskever 2014 count",
        "digits right, teacher forcing",
    ),
}
# The lecture's two programs, written as ours are: without blanks at the beginning of a line and around signs.
LECTURES = (
    "j=8584\nfor x in range(8):j+=920\nb=(1500+j)\nprint((b+7567))",
    "i=8827\nc=(i-5347)\nprint((c+8704) if 2641<8500 else 5308)",
)


def at_difficulty(measure: str, digits: int, operations: int) -> str:
    """The column of a measure at one difficulty."""
    return f"{measure}_d{digits}_o{operations}"


def difficulty_columns() -> tuple[Column, ...]:
    """Of each measure a column for each difficulty, and one for their mean."""
    columns = []
    for measure, (meaning, label) in MEASURED.items():
        columns += [
            Column(
                at_difficulty(measure, digits, operations),
                pa.float64(),
                "",
                f"{meaning}, of programs with literals of {digits} digits at most and {operations} operations; null "
                "unless codes were recorded, or if the task has no such programs",
                label=f"{label}, {digits} digits, {operations} operations",
                metric=SHARE,
            )
            for digits, operations in JUDGED
        ]
        columns.append(
            Column(
                f"{measure}_mean",
                pa.float64(),
                "",
                f"mean of {at_difficulty(measure, 1, 1)} and all the others that the task has",
                label=f"{label}, mean over difficulties",
                metric=SHARE,
            )
        )
    return tuple(columns)


class WrittenPrograms(ProgramTask):
    """Write what a program prints, digit by digit; programs and curricula are those of `programs`.

    The answer is a sign if it is negative and digits, the most significant first or with `reversed` the least, then an
    end symbol. Free running, each step is given the network's own last digit. Right is the whole answer.
    """

    shape: ClassVar[Shape] = "sequence_to_vector_to_sequence"
    measures: ClassVar[tuple[Column, ...]] = (
        Column(
            "digit_accuracy",
            pa.float64(),
            "",
            "share of the characters of right answers that the network writes in their place; null unless codes were "
            "recorded",
            label="digits right",
            metric=SHARE,
        ),
        *difficulty_columns(),
        *(
            Column(
                f"encoder_slope{suffix}",
                pa.float64(),
                "log10 per step",
                f"mean change of log10 of the adjoint's norm over one step back through the encoder's first layer, "
                f"{when}, on programs that training has not seen; null unless codes were recorded",
                label=f"adjoint slope in the encoder {when} (log10 per step)",
                metric=MetricOptions("iqm", decimals=4, better=0, margin=0.05),
            )
            for suffix, when in (("", "after training"), ("_untrained", "before training"))
        ),
        *(
            Column(
                f"lecture_program_{n}",
                pa.int64(),
                "",
                f"what the network says that the lecture's program {n} prints; null unless codes were recorded, if the "
                "program is longer than the task's, or if no number is said",
                label=f"the lecture's program {n}",
            )
            for n in (1, 2)
        ),
    )
    code_measures: ClassVar[str] = "harness.probes.program_answers:code_measures"

    name: Literal["written_programs"] = setting(..., "which task", column="task")
    reversed: bool = setting(
        False, "answers are written from their last digit to their first", column="reversed_answer"
    )

    @property
    def length(self) -> int:
        """Steps of the encoder and of the decoder together."""
        return self.longest_program + self.longest_answer + 1

    @property
    def output_size(self) -> int:
        return len(WRITTEN) + 1

    def answered(self, answer: npt.NDArray[np.number[Any]]) -> str:
        """The number before the end symbol, its most significant digit first."""
        return self._turned(before_end(answer, WRITTEN))

    def _turned(self, text: str) -> str:
        """The other order, where answers are reversed; the sign is written first in both."""
        if not self.reversed:
            return text
        sign = "-" if text.startswith("-") else ""
        return sign + text.removeprefix("-")[::-1]

    def _spelled(self, texts: Sequence[str]) -> Batch:
        inputs = np.stack([self.read(text) for text in texts], axis=1)
        answers = [self._turned(str(evaluated(text))) for text in texts]
        return Batch(inputs, finished(answers, WRITTEN, self.longest_answer))
