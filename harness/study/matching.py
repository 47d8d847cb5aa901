"""When a value of a table is the value that a study asked for; plain Python, because studies are read with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isinf
from numbers import Integral, Real
from typing import Any

from harness.study.canonical_json import canonical_json, collection

Value = None | int | float | str

WHOLE = re.compile(r"[+-]?\d{1,4000}", re.ASCII)  # Python converts no more digits
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf", re.ASCII | re.IGNORECASE)


def canonical(value: object) -> Value:
    """One form for what is equal on either side of a table: null, a number, or text.

    A whole number stays one: as a float, 2⁵³ + 1 would be 2⁵³, and two seeds one. Python compares and hashes 1 and 1.0
    alike. A column that mixes numbers and words is stored as text (`forget_bias`: '1.0', 'chrono'), so text that spells
    a number is that number; what Python alone reads as one ('1_000') is a word. True is not 1, and NaN, which is how
    pandas writes a null, is null: no setting can be NaN. A list or a mapping, and text that spells one, is canonical
    JSON.
    """
    if value is None or value != value:
        return None
    if isinstance(value, str) or type(value).__name__ in ("bool", "bool_"):
        text = str(value)
        if text[:1] in ("[", "{", "("):
            return collection(text) or text
        if WHOLE.fullmatch(text):
            return int(text)
        number = float(text) if NUMBER.fullmatch(text) else None
        return text if number is None or (isinf(number) and text[-1] not in "fF") else number  # 1e999 is no infinity
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, list | tuple | Mapping):
        return collection(canonical_json(value)) or str(value)  # longer than any setting: as it is
    return float(value) if isinstance(value, Real) else str(value)


def choices(expected: object) -> Sequence[object]:
    """The values that a condition allows: a list means any of them."""
    return tuple(expected) if isinstance(expected, list | tuple) else (expected,)


def same(value: object, expected: object) -> bool:
    """Whether a value is the wanted one, or one of the wanted ones."""
    return canonical(value) in {canonical(choice) for choice in choices(expected)}


def matches(columns: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether one row meets every condition; a column that the row does not have is null."""
    return all(same(columns.get(name), expected) for name, expected in where.items())


def ordered(values: Iterable[object], first: Sequence[str] = ()) -> list[Any]:
    """Distinct values in reading order: those of `first`, numbers upwards, words by alphabet, null last."""

    def rank(value: object) -> tuple[int, float, str]:
        known = canonical(value)
        if known is None:
            return 3, 0, ""
        if isinstance(known, str):
            return (0, first.index(known), "") if known in first else (2, 0, known)
        return 1, known, ""

    distinct: dict[Value, object] = {}
    for value in values:
        distinct.setdefault(canonical(value), value)
    return sorted(distinct.values(), key=rank)
