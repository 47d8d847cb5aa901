"""Figures and report of a results folder, and the last screen of a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import NoResultsError, ResultsError
from harness.figures.rendering import figures_folder, render
from harness.report import page
from harness.report.gridtable import MEASURES
from harness.store.files import read_json
from harness.store.journal import Journal
from harness.store.other_versions import other_versions, sentences
from harness.store.ownership import check_owned, check_study
from harness.store.status import Status
from harness.study.plan import Plan
from harness.verdicts.judging import JudgedStudy, judge_folder
from harness.verdicts.metrics import Metric


@dataclass(frozen=True)
class RenderedReport:
    """A results folder whose figures and report have just been written."""

    judged: JudgedStudy
    folder: Path
    figures_folder: Path
    figures: tuple[str, ...]
    notes: tuple[str, ...]

    def screen(self, seconds: float | None = None, computed: int = 0) -> str:
        """The summary that a sweep prints at its end: claim, verdicts, where the files are, how long it took."""
        runs = self.judged.frames.runs
        counts = ", ".join(f"{n} {name}" for name, n in runs["outcome"].value_counts().items())
        missing = self.judged.plan.judged_count - len(runs)
        if missing:
            counts += f", {missing} missing" if counts else f"{missing} missing"
        lines = [
            self.judged.text(),
            "",
            f"runs      {len(runs)} of {self.judged.plan.judged_count} ({counts})",
            *self._tuning(),
            f"report    {self.folder / 'report.html'}",
            f"figures   {self.figures_folder}/ ({', '.join(self.figures) or 'none'})",
            f"tables    {self.folder}/runs.parquet, curves.parquet, gradients.parquet",
        ]
        if seconds is not None:
            lines.append(f"took      {_duration(seconds)} for {computed} run{'s' * (computed != 1)}")
        return "\n".join([*lines, *(f"note      {note}" for note in self.notes)])

    def _tuning(self) -> list[str]:
        """The winners, a line each."""
        tuned = self.judged.tuned
        if not tuned:
            return []
        done, runs = sum(each.done for each in tuned), sum(each.runs for each in tuned)
        winners = [f"          {each.sentence()}" for each in tuned if each.index is not None]
        return [f"tuning    {done} of {runs} runs, {len(winners)} of {len(tuned)} winners chosen", *winners]


def present(
    plan: Plan,
    folder: Path,
    formats: Sequence[str] = ("pdf", "png"),
    style_name: str = "paper",
    measures: Sequence[Metric] = MEASURES,
    jobs: int | None = 1,
) -> RenderedReport:
    """Write figures/ and report.html of a results folder, from its committed runs alone.

    Args:
        plan: whose runs count.
        folder: the results folder.
        formats: of the figures: pdf, png, svg.
        style_name: of the figures: paper, talk, notebook.
        measures: the metrics of the grid's table.
        jobs: processes that draw; None: one for each core.

    Raises:
        ResultsError: the folder has no results, cannot be written, or has those of another study.
    """
    judged = judge_folder(plan, folder)
    check_owned(folder)
    check_study(folder, plan)
    status = Status.of(plan, Journal.open(folder), verify=False)
    if status.orphaned and not status.done and not status.failed:
        others = sentences(other_versions(plan, Journal.open(folder), status.orphaned).values())
        # runs of the same settings, or else of others
        there = [*others] or [f"{len(status.orphaned)} of other settings are{_last_overrides(folder)}."]
        raise NoResultsError(
            f"{folder}: none of these {plan.count} runs is done, while {' '.join(there).removesuffix('.')}, "
            "so their figures and report stay; python -m harness.sweep STUDY computes these"
        )
    try:
        shown = judged.plan.study
        figures, notes = render(shown, judged.frames, folder / "figures", formats, style_name, jobs)
    except OSError as error:
        raise ResultsError(f"{folder / 'figures'}: cannot be written: {error.strerror or error}") from None
    reasons = status.failed
    notes = [*remarks(status), *(each for each in judged.notes if judged.tuned), *notes]
    try:
        page.write(
            folder / "report.html", shown, judged.frames, judged.verdicts, figures, provenance(folder),
            notes, reasons, measures, judged.tuned, judged.registration, len(status.done - judged.plan.ids),
        )  # fmt: skip
    except OSError as error:
        raise ResultsError(f"{folder}: the report cannot be written: {error.strerror or error}") from None
    notes += page.mixed_machines(judged.frames.runs)
    notes += [f"Run {run_id} failed: {reason}." for run_id, reason in reasons.items()]
    drawn = figures_folder(folder / "figures", style_name)
    return RenderedReport(judged, folder, drawn, tuple(figure.name for figure in figures), tuple(notes))


def _last_overrides(folder: Path) -> str:
    """Which settings the last sweep of a folder changed, in words; nothing where it changed none or left no note."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        given = [f"-S {shlex.quote(str(text))}" for text in read_json(folder / "plan.json")["overrides"]]
        return f" (the last sweep had {' '.join(given)})" if given else ""
    return ""


def remarks(status: Status) -> list[str]:
    """What a reader of these results must know before any number: overrides, and runs that are left out."""
    others = other_versions(status.plan, Journal.open(status.folder), status.orphaned)
    return [*(f"Overridden with -S {text}." for text in status.plan.study.overrides), *sentences(others.values())]


def provenance(folder: Path) -> Mapping[str, Any]:
    """On what a folder's results were computed; empty where the file is missing or damaged."""
    try:
        return read_json(folder / "provenance.json")
    except (OSError, ValueError):
        return {}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
