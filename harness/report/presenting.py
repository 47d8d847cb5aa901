"""From a results folder to what people see: verdicts, figures, the report, and the last screen of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any
from xml.etree import ElementTree

import pandas as pd

from harness.errors import ResultsError
from harness.figures.rendering import render
from harness.report import page
from harness.statistics.frames import Frames
from harness.store import tables
from harness.store.journal import Journal, read_json
from harness.study.plan import Plan
from harness.verdicts.expectations import Verdict, judge, overall
from harness.verdicts.summary import summary

WIDTH = 100


@dataclass(frozen=True)
class JudgedStudy:
    """A study's results and what they say to its expectations."""

    plan: Plan
    frames: Frames
    verdicts: list[Verdict]

    @property
    def broken(self) -> bool:
        return any(verdict.state == "fails" for verdict in self.verdicts)

    @property
    def incomplete(self) -> bool:
        return any(verdict.state == "incomplete" for verdict in self.verdicts)

    def text(self) -> str:
        """The claim, the verdict table, and the verdicts in one sentence."""
        claim = fill(f"{self.plan.study.name}: {self.plan.study.claim}", WIDTH)
        return f"{claim}\n\n{summary(self.verdicts, WIDTH)}\n\n{overall(self.verdicts)}"

    def write_junit(self, path: str) -> None:
        """The verdicts as JUnit XML: a test case each, so that a continuous-integration server lists them.

        Raises:
            ResultsError: the file cannot be written.
        """
        failures = sum(verdict.state == "fails" for verdict in self.verdicts)
        suite = ElementTree.Element(
            "testsuite", name=self.plan.study.name, tests=str(len(self.verdicts)), failures=str(failures)
        )
        for verdict in self.verdicts:
            case = ElementTree.SubElement(suite, "testcase", classname=self.plan.study.name, name=verdict.text)
            said = "; ".join(" ".join(row).strip() for row in verdict.rows())
            if verdict.state == "fails":
                ElementTree.SubElement(case, "failure", message=f"{said} {verdict.reason}".strip())
            elif verdict.state != "holds":
                ElementTree.SubElement(case, "skipped", message=f"{verdict.state}: {verdict.reason}")
        try:
            ElementTree.ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None


@dataclass(frozen=True)
class RenderedReport:
    """A results folder whose figures and report have just been written."""

    judged: JudgedStudy
    folder: Path
    figures: tuple[str, ...]
    notes: tuple[str, ...]

    def screen(self, seconds: float | None = None, computed: int = 0) -> str:
        """The summary that a sweep prints at its end: claim, verdicts, where the files are, how long it took."""
        runs = self.judged.frames.runs
        counts = ", ".join(f"{n} {name}" for name, n in runs["outcome"].value_counts().items())
        missing = len(self.judged.plan.runs) - len(runs)
        if missing:
            counts += f", {missing} missing" if counts else f"{missing} missing"
        lines = [
            self.judged.text(),
            "",
            f"runs      {len(runs)} of {len(self.judged.plan.runs)} ({counts})",
            f"report    {self.folder / 'report.html'}",
            f"figures   {self.folder / 'figures'}/ ({', '.join(self.figures) or 'none'})",
            f"tables    {self.folder}/runs.parquet, curves.parquet, gradients.parquet",
        ]
        if seconds is not None:
            lines.append(f"took      {_duration(seconds)} for {computed} run{'s' * (computed != 1)}")
        return "\n".join([*lines, *(f"note      {note}" for note in self.notes)])


def judge_folder(plan: Plan, folder: Path) -> JudgedStudy:
    """Judge a study's expectations by the commits of a results folder; nothing is written.

    Raises:
        ResultsError: the folder has no results, or those of another schema version.
    """
    journal = Journal.open(folder)
    frames = Frames.from_tables(tables.derive(journal, plan))
    planned = pd.DataFrame([{"run_id": run.run_id, **run.columns()} for run in plan.runs])
    return JudgedStudy(plan, frames, [verdict for e in plan.study.expect for verdict in judge(e, frames.runs, planned)])


def present(
    plan: Plan, folder: Path, formats: Sequence[str] = ("pdf", "png"), style_name: str = "paper"
) -> RenderedReport:
    """Write figures/ and report.html of a results folder, from its committed runs alone.

    Args:
        plan: whose runs count.
        folder: the results folder.
        formats: of the figures: pdf, png, svg.
        style_name: of the figures: paper, talk, notebook.

    Raises:
        ResultsError: the folder has no results, or cannot be written.
    """
    judged = judge_folder(plan, folder)
    overrides = [f"Overridden with -S {text}." for text in plan.study.overrides]
    try:
        if (folder / "figures").is_symlink():  # old figures are removed, but not those of a folder elsewhere
            raise ResultsError(f"{folder / 'figures'}: is a link; figures are written to a folder of their own")
        drawings, notes = render(plan.study, judged.frames, folder / "figures", formats, style_name)
    except OSError as error:
        raise ResultsError(f"{folder / 'figures'}: cannot be written: {error.strerror or error}") from None
    reasons = failure_reasons(plan, folder)
    notes = [*overrides, *notes]
    try:
        page.write(
            folder / "report.html", plan.study, judged.frames, judged.verdicts, drawings, provenance(folder), notes,
            reasons,
        )  # fmt: skip
    except OSError as error:
        raise ResultsError(f"{folder}: the report cannot be written: {error.strerror or error}") from None
    notes += page.mixed_machines(judged.frames.runs)
    notes += [f"Run {run_id} failed: {reason}." for run_id, reason in reasons.items()]
    return RenderedReport(judged, folder, tuple(drawing.name for drawing in drawings), tuple(notes))


def failure_reasons(plan: Plan, folder: Path) -> Mapping[str, str]:
    """Why runs of a plan failed, by run id."""
    notes = Journal.open(folder).failures()
    return {run_id: str(note["error"]) for run_id, note in notes.items() if run_id in plan.ids}


def provenance(folder: Path) -> Mapping[str, Any]:
    """On what a folder's results were computed; empty where the file is missing or damaged."""
    try:
        return read_json(folder / "provenance.json")
    except (OSError, ValueError):
        return {}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
