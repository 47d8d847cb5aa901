"""When a value of a table is the value that a study asked for; plain Python, because studies are read with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

Value = None | float | str


def canonical(value: object) -> Value:
    """One form for what is equal on either side of a table: null, a number, or text.

    A column that mixes numbers and words is stored as text (`forget_bias`: '1.0', 'chrono'), so text that spells a
    number is that number. True is not 1, and NaN, which is how pandas writes a null, is null.
    """
    if value is None or value != value:
        return None
    if isinstance(value, str) or type(value).__name__ in ("bool", "bool_"):
        text = str(value)
        try:
            number = float(text)
        except ValueError:
            return text
        return number if number == number else text
    try:
        return float(value) if isinstance(value, Real) else str(value)
    except OverflowError:  # a whole number beyond 1.8·10³⁰⁸
        return str(value)


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
            return 3, 0.0, ""
        if isinstance(known, float):
            return 1, known, ""
        return (0, first.index(known), "") if known in first else (2, 0.0, known)

    distinct: dict[Value, object] = {}
    for value in values:
        distinct.setdefault(canonical(value), value)
    return sorted(distinct.values(), key=rank)
