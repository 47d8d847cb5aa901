"""What `--json` prints: one document for machines, of plain numbers and words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.store.journal import Journal
from harness.study.plan import Plan
from harness.verdicts.expectations import Verdict, interval_text, overall
from harness.verdicts.metrics import Measured, metric_named

if TYPE_CHECKING:
    from harness.report.presenting import JudgedStudy

JsonDocument = Mapping[str, Any]


def standing(verdicts: Sequence[Verdict]) -> str:
    """All verdicts in one word: fails, incomplete or holds; none where nothing was asked."""
    states = {verdict.state for verdict in verdicts}
    return next((state for state in ("fails", "incomplete", "holds") if state in states), "none")


def status_document(plan: Plan, journal: Journal) -> JsonDocument:
    """What of a plan is done, missing, failed and orphaned, and why; the keys stand in docs/concepts.md."""
    from harness.execution.sweeping import SweepOptions, costs, counts, todo

    faulty = journal.faulty(sorted(journal.done() & plan.ids))
    failures = {run_id: note for run_id, note in journal.failures().items() if run_id in plan.ids}
    have = counts(plan, journal, faulty)
    runs = todo(plan, SweepOptions(), journal.done() - faulty.keys(), frozenset(failures))
    return {
        "study": plan.study.name,
        "folder": str(journal.folder),
        "planned": len(plan.runs),
        **{name: have[name] for name in ("done", "missing", "failed", "orphaned")},
        "core_seconds_left": round(sum(costs(plan, runs).values()), 3),
        "failures": [{"run_id": run_id, "reason": note["error"]} for run_id, note in failures.items()],
        "damaged": [{"run_id": run_id, "reason": why} for run_id, why in faulty.items()],
        "set_aside": list(journal.damaged()),
    }


def verdict_document(judged: JudgedStudy) -> JsonDocument:
    """The claim, and what the runs say to each expectation; the keys stand in docs/concepts.md."""
    study, outcomes = judged.plan.study, judged.frames.runs["outcome"].value_counts()
    return {
        "study": study.name,
        "claim": study.claim,
        "state": standing(judged.verdicts),
        "sentence": overall(judged.verdicts),
        "planned": len(judged.plan.runs),
        "outcomes": {str(name): int(count) for name, count in outcomes.items()},
        "expectations": [
            {
                "text": verdict.text,
                "state": verdict.state,
                "reason": verdict.reason,
                "metric": verdict.metric,
                "measured": list(_groups(verdict)),
            }
            for verdict in judged.verdicts
        ],
    }


def _groups(verdict: Verdict) -> list[JsonDocument]:
    groups = zip(verdict.names, (verdict.measured, verdict.other), strict=True)
    return [_group(verdict.metric, name, group) for name, group in groups if group is not None]


def _group(metric: str, name: str, group: Measured) -> JsonDocument:
    return {
        "group": name,
        "value": _number(group.value),
        "low": _number(group.low),
        "high": _number(group.high),
        "text": metric_named(metric).text(group.value),
        "interval": interval_text(metric_named(metric), group),
        "runs": group.runs,
        "seeds": group.seeds,
    }


def _number(value: float) -> float | None:
    """JSON knows no infinity and no NaN: `text` says which it was."""
    return float(value) if math.isfinite(value) else None


def printed(document: JsonDocument) -> str:
    """A document as text; what is no ASCII is escaped, so that any terminal and any pipe takes it."""
    return json.dumps(document, indent=1, allow_nan=False)
