"""Committed runs that answer a question of the plan, but with other code or other data than are there now."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from harness.store.journal import Journal
from harness.study.identity import differing, files_of
from harness.study.matching import canonical
from harness.study.plan import NUMERICS_VERSION, Plan, Run
from harness.study.section import column_name


def other_versions(plan: Plan, journal: Journal, unplanned: Collection[str]) -> dict[str, str]:
    """Those of some runs that have the settings and the seed of a planned run, but another version.

    Args:
        plan: what is asked.
        journal: of the results folder.
        unplanned: ids of committed runs that are not in the plan.

    Returns:
        run_id → how the version differs: "cell leaky was leaky-cell 0.1 1f3a…, is leaky-cell 0.2 07cc…".

    Raises:
        ResultsError: a commit may not be read.
    """
    files = frozenset(column for run in _one_a_point(plan) for column in _file_columns(run))
    by_names: dict[tuple[str, ...], dict[str, Run]] = {}
    reasons = {}
    for head in journal.heads(unplanned):
        names = tuple(sorted(head["settings"].keys() - files))  # another release may have had other settings
        if names not in by_names:
            by_names[names] = {_values(run.columns(), names): run for run in plan.every}
        run = by_names[names].get(_values(head["settings"], names))
        if run is not None:
            reasons[str(head["run_id"])] = _reason(run, head)
    return reasons


def sentences(reasons: Iterable[str]) -> list[str]:
    """What is said of runs of other versions, a sentence a reason."""
    return [
        f"{count} committed run{'s are' if count > 1 else ' is'} of another version and left out: {reason}."
        for reason, count in sorted(Counter(reasons).items())
    ]


def _reason(run: Run, head: Mapping[str, Any]) -> str:
    numerics, versions = head.get("numerics", 1), head.get("versions")
    of_harness = f"numerics of the harness were {numerics}, are {NUMERICS_VERSION}" * (numerics != NUMERICS_VERSION)
    return "; ".join(filter(None, (of_harness, differing(run.point.versions, versions)))) or "it has another run id"


def _one_a_point(plan: Plan) -> Iterable[Run]:
    return {run.point: run for run in plan.every}.values()


def _file_columns(run: Run) -> set[str]:
    """Columns that name files, which may have moved: they count by their content."""
    return {
        column_name(key, type(section).model_fields[key])
        for section in run.sections.by_name().values()
        for key in files_of(section)
        if key in type(section).model_fields
    }


def _values(settings: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return json.dumps([canonical(settings.get(name)) for name in names])  # lists were once written as Python shows them
