"""Verdicts as a document of plain numbers and words, for `--json`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.study.seeding import compact
from harness.verdicts.judging import JudgedStudy
from harness.verdicts.metrics import Measured, metric_named
from harness.verdicts.verdict import Verdict, interval_text, worst

JsonDocument = Mapping[str, Any]


def standing(verdicts: Sequence[Verdict]) -> str:
    """All verdicts in one word: fails, incomplete, undecided or holds; none where the study expects nothing."""
    return worst(verdicts) or "none"


def verdict_document(judged: JudgedStudy) -> JsonDocument:
    """The claim, and the verdict on each expectation; docs/concepts.md lists the keys."""
    study, outcomes = judged.plan.study, judged.frames.runs["outcome"].value_counts()
    return {
        "study": study.name,
        "claim": study.claim,
        "state": judged.state,
        "sentence": judged.conclusion,
        "registration": _registration(judged),
        "planned": judged.plan.judged_count,
        "outcomes": {str(name): int(count) for name, count in outcomes.items()},
        "expectations": [
            {
                "text": verdict.text,
                "state": verdict.state,
                "reason": verdict.reason,
                "warning": verdict.warning,
                "metric": verdict.metric,
                "judged_on": verdict.ground,
                "confidence": verdict.confidence,
                "p": _number(verdict.p),
                "enough_seeds": verdict.enough_seeds,
                "measured": list(_groups(verdict)),
            }
            for verdict in judged.verdicts
        ],
    }


def _registration(judged: JudgedStudy) -> JsonDocument:
    """How the study is registered, and the seeds that its verdicts rest on."""
    study, registration = judged.plan.study, judged.registration
    last = registration.last if registration else None
    return {
        "state": registration.state if registration else "not registered",
        "seeds": "calibration" if judged.calibrating else "judged",
        "which": compact(study.seeds),
        "frozen": last.date if last else None,
        "commit": last.commit if last else None,
        "amendments": list(registration.amendments) if registration else [],
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
    """JSON has no infinity and no NaN; the key `text` says which it was."""
    return float(value) if math.isfinite(value) else None
