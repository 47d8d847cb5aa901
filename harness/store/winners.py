"""winners.json: which candidate was chosen for each combination, from which runs; written once, never chosen again.

A winner is a function of the commits of the first phase alone, so that two shards that choose at the same time write
the same. Whoever reads a results folder takes the winners from here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ResultsError
from harness.store.files import read_json, replace_file
from harness.store.locks import derived_lock
from harness.study.plan import Plan, TunedGroup
from harness.study.spec import Scalar
from harness.study.tuning import Candidate

FILE = "winners.json"


@dataclass(frozen=True)
class Winner:
    """The candidate that was chosen for one combination, and all that were compared.

    Attributes:
        name: of the choice (`tuning.question`).
        by: the metric.
        index: of the chosen candidate.
        scores: of the candidates in their order, the mean of the metric over the tuning seeds; NaN: it has none.
    """

    name: str
    by: str
    index: int
    scores: tuple[float, ...]


def read(folder: Path) -> dict[str, Winner]:
    """The winners of a results folder by the name of the choice; none where the file is missing.

    Raises:
        ResultsError: the file is damaged. A winner that was judged must not be chosen anew unnoticed.
    """
    path = folder / FILE
    try:
        entries = read_json(path)["winners"]
        return {str(entry["name"]): _winner(entry) for entry in entries}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ResultsError(
            f"{path}: cannot be read ({error}); it says which candidates won. Restore it; if it is lost, remove it, "
            "and the next sweep chooses from the same runs"
        ) from None


def resolved(plan: Plan, folder: Path) -> Plan:
    """The plan in which the runs of the winners of a results folder are known; a plan without tuning as it is.

    Raises:
        ResultsError: see `read`.
    """
    if plan.study.tuning is None:
        return plan
    winners = read(folder)
    count = len(plan.study.tuning.candidates)
    return plan.with_winners({
        group.name: winners[group.name].index for group in plan.groups
        if group.name in winners and winners[group.name].index < count
    })  # fmt: skip


def add(plan: Plan, folder: Path, chosen: Sequence[Winner]) -> None:
    """Note winners that are not there yet; those that are stay, whatever else would be chosen now.

    Raises:
        ResultsError: see `read`.
        OSError: the file cannot be written.
    """
    with derived_lock(folder):
        there = read(folder)
        new = [winner for winner in chosen if winner.name not in there]
        if not new:
            return
        path = folder / FILE
        entries = list(read_json(path)["winners"]) if path.exists() else []
        groups = {group.name: group for group in plan.groups}
        candidates = plan.study.tuning.candidates if plan.study.tuning else ()
        entries += [_entry(winner, groups[winner.name], candidates) for winner in new]
        replace_file(path, json.dumps({"winners": sorted(entries, key=_order)}, indent=1, ensure_ascii=False).encode())


def _order(entry: Mapping[str, Any]) -> str:
    """Whoever writes first, the file is the same."""
    return str(entry["name"])


def _entry(winner: Winner, group: TunedGroup, candidates: Iterable[Candidate]) -> dict[str, Any]:
    per: dict[str, Scalar] = dict(group.per)
    compared = [
        {"settings": dict(settings), "score": _number(score), "runs": list(runs)}
        for settings, score, runs in zip(candidates, winner.scores, group.run_ids, strict=True)
    ]
    return {"name": winner.name, "per": per, "by": winner.by, "winner": winner.index, "candidates": compared}


def _number(score: float) -> float | str:
    """JSON has no infinity and no NaN."""
    return score if math.isfinite(score) else str(score)


def _winner(entry: Mapping[str, Any]) -> Winner:
    scores = tuple(float(each["score"]) for each in entry["candidates"])
    index = entry["winner"]
    if type(index) is not int or not 0 <= index < len(scores):
        raise ValueError(f"no candidate {index!r}")
    return Winner(str(entry["name"]), str(entry["by"]), index, scores)
