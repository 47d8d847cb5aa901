"""Registrations in words, and which of a study's seeds its verdicts and figures show."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.study.freezes import Freeze
from harness.study.held_out import Registration
from harness.study.plan import Plan
from harness.study.registered import expectation_texts
from harness.study.seeding import compact
from harness.study.spec import StudySpec
from harness.verdicts.verdict import Verdict, overall


def shown_plan(plan: Plan, done: Collection[str]) -> Plan:
    """The runs that verdicts and figures are about: the judged ones, and before there is any those of calibration.

    Args:
        plan: of all seeds.
        done: ids of runs that have a result.
    """
    study = plan.study
    if not study.calibration:
        return plan
    judged = frozenset(study.judged)
    begun = any(run.run_id in done for run in plan.runs if run.seed in judged)
    return plan.only(study.judged if begun else study.calibration)


def seeds_sentence(shown: StudySpec, study: StudySpec) -> str:
    """Which seeds a report shows; empty where a study has no calibration seeds.

    Args:
        shown: the study with the seeds that are shown alone.
        study: with all of them.
    """
    if not study.calibration:
        return ""
    if shown.calibrates:
        return f"Calibration seeds {compact(shown.calibration)}: they decide nothing, and no judged run is there yet."
    return f"Judged seeds {compact(shown.judged)}; the calibration seeds {compact(study.calibration)} are not shown."


def conclusion(verdicts: Sequence[Verdict], shown: StudySpec, registration: Registration | None) -> str:
    """All verdicts in one sentence, which says where they are none, exploratory, or come after amendments.

    Args:
        verdicts: of all expectations.
        shown: the study with the seeds that they rest on alone.
        registration: of the study; None: as if nothing were known of it.
    """
    sentence = overall(verdicts)
    if registration is None or not verdicts:
        return sentence
    if shown.calibrates:
        return f"On calibration seeds: {sentence}"
    if registration.exploratory:
        return f"Exploratory: {sentence}"
    after = registration.after()
    return f"{sentence.removesuffix('.')}, {after}." if after else sentence


def registration_sentences(shown: StudySpec, registration: Registration | None) -> list[str]:
    """The seeds that verdicts rest on, and how the study is registered; none where there is nothing to say."""
    if registration is None:
        return []
    seeds = seeds_sentence(shown, registration.study)
    if shown.calibrates:
        return [seeds, f"To go on, {registration.next_step()}."]
    return [*filter(None, [seeds, registration.sentence()]), *registration.notes()]


def registration_word(verdicts: Sequence[Verdict], registration: Registration | None) -> str:
    """Registered, amended (2), exploratory or not registered; of point estimates that they are such, whatever else."""
    if any(verdict.ground == "estimate" for verdict in verdicts):
        return "point estimate"
    if registration is None:
        return "not registered"
    count = len(registration.amendments)
    return f"amended ({count})" if registration.state == "amended" else registration.state


def frozen_text(freeze: Freeze, study: StudySpec) -> str:
    """A freeze as `python -m harness.freeze` prints it."""
    commit = f"commit {freeze.commit[:12]}{' (dirty)' if freeze.dirty else ''}" if freeze.commit else "no commit"
    content = freeze.content
    seeds = ", ".join(f"{purpose} {seeds}" for purpose, seeds in content["seeds"].items())
    judged = f"; {freeze.judged_runs} judged runs have a result already" if freeze.judged_runs else ""
    return "\n".join([
        f"{study.name}: {freeze.digest}, {freeze.date}, {commit}{judged}",
        *([f"note: {freeze.note}"] if freeze.note else []),
        f"  claim (beside, not hashed): {' '.join(freeze.claim.split())}",
        f"  seeds: {seeds}",
        f"  grid: {content['points']} points, {content['grid']}",
        *(f"  expect: {text}" for text in expectation_texts(content)),
    ])  # fmt: skip
