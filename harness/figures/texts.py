"""Texts on a figure: what a study's words say, and nothing that matplotlib would read as a formula or a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors.text import printable
from harness.figures import appearance
from harness.study import labels
from harness.study.matching import canonical


def literal(text: str) -> str:
    """A text as it is: `$` opens no formula, and a control or a mark of direction is written out."""
    return printable(text).replace("$", r"\$")


def plain(column: str, value: object) -> str:
    """A value as a caption has it: a null by what it means among the points of this figure."""
    meaning = appearance.current().nulls.get(column)
    return meaning if canonical(value) is None and meaning else labels.value(column, value)


def value(column: str, value: object) -> str:
    """A value on an axis or in a legend."""
    text = plain(column, value)
    return literal(text if text.strip() else f"“{text}”")  # an entry without a letter would be taken for a gap


def axis(column: str, unit: str = "") -> str:
    """A column on an axis; a loss has the unit of the study's tasks."""
    return literal(loss_named(labels.axis(column, unit)))


def title(parts: Mapping[str, Any]) -> str:
    """A panel's title: 'cell = lstm, T = 100'."""
    return literal(", ".join(f"{labels.short(column)} = {plain(column, part)}" for column, part in parts.items()))


def loss_named(text: str) -> str:
    """A label with the unit that a loss has in this study, where its tasks have one."""
    unit = appearance.current().loss
    return text.replace("(nats, or squared error)", f"({unit})") if unit else text
