"""Texts on a figure: what a study's words say, and nothing that matplotlib would read as a formula or a command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.errors.text import printable
from harness.figures import appearance
from harness.study import labels
from harness.study.canonical_json import parsed
from harness.study.matching import canonical


def literal(text: str) -> str:
    """A text as it is: `$` opens no formula, and a control or a mark of direction is written out."""
    return printable(text).replace("$", r"\$")


def plain(column: str, value: object) -> str:
    """A value as a caption has it: a null by what it means among the points of this figure, a mapping in words."""
    known, meaning = canonical(value), appearance.current().nulls.get(column)
    if known is None and meaning:
        return meaning
    settings = parsed(known) if isinstance(known, str) else None
    return in_words(settings) if isinstance(settings, dict) and settings else labels.value(column, value)


def in_words(settings: Mapping[str, Any]) -> str:
    """A mapping as one says it: 'sgd, momentum 0.9, nesterov', 'adamw, weight decay 0.1, betas 0.9, 0.98'.

    The name comes first, and lists last, as commas are between their values too.
    """
    name = [str(settings["name"])] if "name" in settings else []
    others = sorted((key for key in settings if key != "name"), key=lambda key: isinstance(settings[key], list))
    return ", ".join([*name, *(_said(labels.words(key), settings[key]) for key in others)])


def _said(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return key if value else f"no {key}"
    if isinstance(value, list):
        return f"{key} {', '.join(map(_part, value))}" if value else f"{key} []"
    return f"{key} {_part(value)}"


def _part(value: Any) -> str:
    """A value within a mapping."""
    if isinstance(value, dict):
        return f"({in_words(value)})"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return labels.number(value)
    return value if isinstance(value, str) else json.dumps(value)


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
