"""The seeds of a study: one list, or calibration seeds and judged seeds, which share none.

Thresholds, tuning and figures for looking belong to the calibration seeds; verdicts to the judged ones alone. With
one list all seeds are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MOST_SEEDS = 100_000
LAST = 2**63 - 1  # the largest whole number of the seed's column
FORMS = f"a count from 1 to {MOST_SEEDS:,}, {{first: 1000, count: 20}}, or a list of different whole numbers"
JUDGED = "{first: 1000, count: 20}, or a list of different whole numbers"

KeyPath = tuple[str | int, ...]
Report = Callable[[KeyPath, str], None]


@dataclass(frozen=True)
class Seeds:
    """The seeds whose runs are judged, and those on which thresholds may be chosen before."""

    judged: tuple[int, ...]
    calibration: tuple[int, ...] = ()

    @property
    def planned(self) -> tuple[int, ...]:
        """All of them, calibration first."""
        return self.calibration + self.judged


def seeds_of(value: Any, report: Report) -> Seeds:
    """Read `seeds:`; what is wrong is reported with the keys that lead to it.

    Args:
        value: a count n (seeds 0 … n − 1), {first, count}, a list, or {calibration, judged} of these; the judged seeds
            of such a pair begin at a stated seed.
        report: receives the path below the study, and a sentence.
    """
    path: KeyPath = ("seeds",)
    if not isinstance(value, dict) or not value.keys() & {"calibration", "judged"}:
        return Seeds(listed(value, path, report))
    for key in value.keys() - {"calibration", "judged"}:
        report((*path, key), f"seeds: {key}: no such key; there are calibration and judged")
    for key in ("calibration", "judged"):
        if key not in value:
            report(
                path,
                f"seeds: {key}: must be given beside the other: {{calibration: 5, judged: {{first: 1000, count: 20}}}}",
            )
            return Seeds((0,))
    if isinstance(value["judged"], int):
        report((*path, "judged"), f"seeds: judged: must be {JUDGED}, not {value['judged']!r}; a count begins at 0")
        return Seeds((0,))
    calibration = listed(value["calibration"], (*path, "calibration"), report)
    judged = listed(value["judged"], (*path, "judged"), report)
    check_disjoint(judged, calibration, value["judged"], (*path, "judged"), report)
    return Seeds(judged, calibration)


def check_disjoint(
    judged: Sequence[int], calibration: Sequence[int], written: Any, path: KeyPath, report: Report
) -> None:
    """Report the seeds that two purposes share, at the first of them where the judged seeds are a list."""
    others = frozenset(calibration)
    both = [seed for seed in judged if seed in others]
    if not both:
        return
    place = (*path, written.index(both[0])) if isinstance(written, list) else path
    one = len(both) == 1
    report(
        place,
        f"{'.'.join(map(str, path)).replace('.', ': ')}: {compact(both)} {'is a' if one else 'are'} calibration "
        f"seed{'' if one else 's'} of this study, too; no seed may serve both",
    )


def compact(seeds: Sequence[int]) -> str:
    """Seeds as text, runs of neighbours by their ends: '0–4, 7'."""
    ordered = sorted(seeds)
    parts: list[list[int]] = [ordered[:1]]
    for before, seed in pairwise(ordered):
        if seed == before + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts if part)


def listed(value: Any, path: KeyPath, report: Report) -> tuple[int, ...]:
    """Seeds of one purpose: a count, {first, count} or a list; (0,) where what is written is reported."""
    name = ": ".join(map(str, path))
    if _is_whole(value) and 1 <= value <= MOST_SEEDS:
        return tuple(range(value))
    if isinstance(value, dict):
        return _range(value, path, report)
    if isinstance(value, list) and value and all(map(_is_whole, value)):
        if len(set(value)) < len(value):
            report(path, f"{name}: a seed is there twice: {value}")
        if not all(0 <= seed <= LAST for seed in value):
            report(path, f"{name}: a seed is a whole number from 0 to 2⁶³ − 1")
        return tuple(value)
    report(path, f"{name}: must be {FORMS}, not {value!r}")
    return (0,)


def _range(value: dict[str, Any], path: KeyPath, report: Report) -> tuple[int, ...]:
    name, known = ": ".join(map(str, path)), ("first", "count")
    for key in value.keys() - set(known):
        others = " or calibration and judged" if len(path) == 1 else ""
        report((*path, key), f"{name}: {key}: no such key; there are first and count{others}")
    first, count = value.get("first"), value.get("count")
    if not isinstance(first, int) or isinstance(first, bool) or not 0 <= first <= LAST - MOST_SEEDS:
        report((*path, "first"), f"{name}: first: must be a whole number from 0, not {first!r}")
    elif not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_SEEDS:
        report((*path, "count"), f"{name}: count: must be a whole number from 1 to {MOST_SEEDS:,}, not {count!r}")
    else:
        return tuple(range(first, first + count))
    return (0,)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
