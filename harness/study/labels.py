"""How columns and their values are written for people: on axes, in legends, panel titles, tables and verdicts.

What a column is called is declared where the column is: a setting in its section (`setting(label=…)`), a measured
column in `harness/schema.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from harness.schema import Column, shown_columns
from harness.study.canonical_json import parsed
from harness.study.matching import canonical, choices, ordered
from harness.study.section import DECLARED, NONE_IS_A_WORD
from harness.study.seeding import compact

NOT_APPLICABLE = "not applicable"  # of a point whose cell or task does not have the setting


def declared(column: str) -> Column | None:
    """The declaration of a column: a setting's, or a measured one's; None for a name that nothing declares."""
    return DECLARED.get(column) or _measured().get(column)


@cache
def _measured() -> Mapping[str, Column]:
    return shown_columns()


def words(column: str) -> str:
    """A column's name in words."""
    return column.replace("_", " ")


def axis(column: str, unit: str = "") -> str:
    """A column on an axis: 'sequence length T (steps)'.

    Args:
        unit: of what is drawn, where it is not the column's own.
    """
    known = declared(column)
    if known is not None and known.label:
        return known.label
    unit = unit or (known.unit if known is not None else "")
    return f"{words(column)} ({unit})" if unit else words(column)


def short(column: str) -> str:
    """A column in a title or a legend: 'T', 'forget bias'."""
    known = declared(column)
    return known.short if known is not None and known.short else words(column)


def null(column: str) -> str:
    """What a null of a column means, where it is a value of the column; else empty."""
    known = declared(column)
    return known.null if known is not None else ""


def unset(column: str) -> str:
    """What a null of a column means in words, whether or not it is a value."""
    known = declared(column)
    words = known.null or known.unset if known is not None else ""
    return words or ("not set" if column in NONE_IS_A_WORD else "none")


def sequential(column: str | None) -> bool:
    """Whether a column's values lie on a scale."""
    known = None if column is None else declared(column)
    return known is not None and known.sequential


def order(column: str | None) -> tuple[str, ...]:
    """Words of a column whose order is not that of the alphabet."""
    known = None if column is None else declared(column)
    return known.order if known is not None else ()


def levels(column: str | None, values: Iterable[object]) -> list[Any]:
    """Distinct values of a column in the order in which they are shown."""
    return ordered(values, order(column))


def value(column: str, value: object) -> str:
    """A value of a column: '50', '0.001', 'lstm'; a null is what it means, or 'none' ('not set' where that is a word).

    A list is '[64, 32]', a mapping with a name 'adamw (betas=[0.9, 0.98], eps=1e-06)'. Two values that differ are
    written differently.
    """
    known = canonical(value)
    if known is None:
        return unset(column)
    return _text(known) if isinstance(known, str) else number(known)


def _text(known: str) -> str:
    """A word as it is; a list or a mapping for people."""
    value = parsed(known)
    if not isinstance(value, dict):
        return known if value is None else json.dumps(value, ensure_ascii=False)
    keywords = ", ".join(
        f"{key}={json.dumps(each, ensure_ascii=False)}" for key, each in value.items() if key != "name"
    )
    return f"{value['name']} ({keywords})" if "name" in value else f"{{{keywords}}}"


def number(value: float) -> str:
    """A number in as few digits as tell it from every other: '50', '0.001', '1e-05', '20240101', '0.9999999'."""
    text = f"{value:.6g}"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 2**53 and float(text) != value):
        return str(int(value))
    return text if float(text) == value else repr(value)


def title(parts: Mapping[str, Any]) -> str:
    """A panel's title: 'cell = lstm, T = 100'."""
    return ", ".join(f"{short(column)} = {value(column, part)}" for column, part in parts.items())


def condition(where: Mapping[str, Any]) -> str:
    """A condition as one reads it in a verdict: 'cell=lstm, sequence_length=50|100, seed=0|1000–1019'."""
    return ", ".join(f"{column}={_alternatives(column, choices(expected))}" for column, expected in where.items())


def _alternatives(column: str, values: Sequence[Any]) -> str:
    if column == "seed" and all(isinstance(each, int) for each in values):
        return compact(values).replace(", ", "|")
    return "|".join(_quoted(value(column, each)) for each in values)


def _quoted(text: str) -> str:
    """A value in quotation marks where it could be read as several, or as the beginning of the next."""
    return repr(text) if any(mark in text for mark in ",=|'\"") else text
