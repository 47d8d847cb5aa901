"""A study's expectations judged by a results folder, as text and as JUnit XML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from xml.etree import ElementTree

import pandas as pd

from harness.errors import ResultsError
from harness.guarding import Missing, attempt
from harness.statistics.frames import Frames
from harness.store import tables
from harness.store.journal import Journal
from harness.study.plan import Plan
from harness.study.spec import Expectation
from harness.verdicts.expectations import Verdict, describe, judge, overall
from harness.verdicts.summary import summary

WIDTH = 100


@dataclass(frozen=True)
class JudgedStudy:
    """A study's results, and the verdicts on its expectations."""

    plan: Plan
    frames: Frames
    verdicts: list[Verdict]

    @property
    def any_fails(self) -> bool:
        """Whether an expectation fails."""
        return any(verdict.state == "fails" for verdict in self.verdicts)

    @property
    def any_incomplete(self) -> bool:
        """Whether an expectation has no verdict because runs are missing or failed."""
        return any(verdict.state == "incomplete" for verdict in self.verdicts)

    def text(self) -> str:
        """The claim, the verdict table, and the verdicts in one sentence."""
        claim = fill(f"{self.plan.study.name}: {self.plan.study.claim}", WIDTH)
        return f"{claim}\n\n{summary(self.verdicts, WIDTH)}\n\n{overall(self.verdicts)}"

    def write_junit(self, path: str) -> None:
        """Write the verdicts as JUnit XML: a test case each, so that a continuous-integration server lists them.

        Raises:
            ResultsError: the file cannot be written.
        """
        failures = sum(verdict.state == "fails" for verdict in self.verdicts)
        suite = ElementTree.Element(
            "testsuite", name=self.plan.study.name, tests=str(len(self.verdicts)), failures=str(failures)
        )
        for verdict in self.verdicts:
            case = ElementTree.SubElement(suite, "testcase", classname=self.plan.study.name, name=verdict.text)
            measured = "; ".join(" ".join(row).strip() for row in verdict.rows())
            if verdict.state == "fails":
                ElementTree.SubElement(case, "failure", message=f"{measured} {verdict.reason}".strip())
            elif verdict.state != "holds":
                ElementTree.SubElement(case, "skipped", message=f"{verdict.state}: {verdict.reason}")
        try:
            ElementTree.ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None


def judge_folder(plan: Plan, folder: Path) -> JudgedStudy:
    """Judge a study's expectations by the commits of a results folder; nothing is written.

    Raises:
        ResultsError: the folder has no results, or those of another schema version.
    """
    journal = Journal.open(folder)
    frames = Frames.from_tables(tables.derive(journal, plan))
    planned = pd.DataFrame([{"run_id": run.run_id, **run.columns()} for run in plan.runs])
    verdicts = [verdict for each in plan.study.expect for verdict in _judged(each, frames.runs, planned)]
    return JudgedStudy(plan, frames, verdicts)


def _judged(expectation: Expectation, runs: pd.DataFrame, planned: pd.DataFrame) -> list[Verdict]:
    """The verdicts on one expectation; one that raises (a plug-in's metric) has no verdict, and costs itself alone."""
    outcome = attempt(lambda: judge(expectation, runs, planned))
    if isinstance(outcome, Missing):
        reason = f"could not be judged: {outcome.reason}"
        return [Verdict(describe(expectation), "incomplete", reason, expectation.metric)]
    return outcome.value
