"""Which points of a grid a condition selects, and what a figure or a verdict then does not tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.study.matching import Value, canonical, matches
from harness.study.spec import Point

NOT_SETTINGS = ("seed", "outcome")  # columns that a condition may name and a point does not have


def pooled(points: Iterable[Point], where: Mapping[str, Any], used: Iterable[str]) -> list[str]:
    """The columns that differ between points which a figure or a verdict does not tell apart."""
    groups: dict[tuple[Value, ...], dict[str, set[str]]] = {}
    for point in points:
        row = point.columns()
        if matches(row, of_settings(where)):
            seen = groups.setdefault(tuple(canonical(row.get(name)) for name in used), {})
            for name, value in row.items():
                seen.setdefault(name, set()).add(repr(value))
    return sorted({name for seen in groups.values() for name, value in seen.items() if len(value) > 1})


def of_settings(where: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a condition that a point can meet."""
    return {name: expected for name, expected in where.items() if name not in NOT_SETTINGS}
