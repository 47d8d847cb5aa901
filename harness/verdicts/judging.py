"""A study's expectations judged by a results folder, as text and as JUnit XML."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from harness.errors import ResultsError
from harness.errors.guarding import Missing, attempt
from harness.errors.text import terminal_width, wrapped, xml_bytes
from harness.schema import EVALUATIONS
from harness.statistics.frames import Frames
from harness.store import baseline, tables
from harness.store.columns import RUNS
from harness.store.journal import Journal
from harness.store.other_versions import other_versions, sentences
from harness.store.winners import read, resolved
from harness.study.held_out import Registration, registration
from harness.study.matching import canonical
from harness.study.plan import Plan
from harness.study.spec import Expectation
from harness.verdicts.choosing import TunedCombination, combinations
from harness.verdicts.expectations import judge
from harness.verdicts.feasibility import describe
from harness.verdicts.registration import conclusion, registration_sentences, registration_word, shown_plan
from harness.verdicts.summary import summary
from harness.verdicts.verdict import Verdict, worst


@dataclass(frozen=True)
class JudgedStudy:
    """A study's results, and the verdicts on its expectations.

    Attributes:
        plan, frames: of the seeds that are shown: the judged ones, and before any of their runs those of calibration.
        registration: of the study with all its seeds.
        notes: where runs are missing, a sentence for those that are there of another version of code or data; and of
            tuning, what a reader should know before a winner is believed.
        tuned: the combinations for which winners are chosen, with the scores of all candidates.
    """

    plan: Plan
    frames: Frames
    verdicts: list[Verdict]
    notes: tuple[str, ...] = ()
    registration: Registration | None = None
    tuned: tuple[TunedCombination, ...] = ()

    @property
    def calibrating(self) -> bool:
        """Whether the verdicts rest on calibration seeds: they are shown, and are none."""
        return self.plan.study.calibrates

    @property
    def state(self) -> str:
        """All verdicts in one word, that of the worst: fails, incomplete, undecided, holds; none without any.

        On calibration seeds there is no verdict yet.
        """
        return "incomplete" if self.calibrating else worst(self.verdicts) or "none"

    def text(self) -> str:
        """The claim, the verdict table, and the verdicts in one sentence."""
        width = terminal_width()
        claim = wrapped(f"{self.plan.study.name}: {self.plan.study.claim}", width)
        last = [line for sentence in self.sentences() for line in wrapped(sentence, width)]
        return "\n".join([*claim, "", summary(self.verdicts, width), "", *last])

    def sentences(self) -> list[str]:
        """All verdicts in one sentence; the seeds that they rest on, and how the study is registered."""
        study = self.plan.study
        return [self.conclusion, *registration_sentences(study, self.registration)]

    @property
    def conclusion(self) -> str:
        """All verdicts in one sentence; see `registration.conclusion`."""
        return conclusion(self.verdicts, self.plan.study, self.registration)

    def write_junit(self, path: str) -> None:
        """Write the verdicts as JUnit XML: a test case each, so that a continuous-integration server lists them.

        Raises:
            ResultsError: the file cannot be written.
        """
        failures = sum(verdict.state == "fails" for verdict in self.verdicts) * (not self.calibrating)
        suite = ElementTree.Element(
            "testsuite", name=self.plan.study.name, tests=str(len(self.verdicts)), failures=str(failures)
        )
        properties = ElementTree.SubElement(suite, "properties")
        facts = (registration_word(self.verdicts, self.registration), " ".join(self.sentences()))
        for name, value in zip(("registration", "conclusion"), facts, strict=True):
            ElementTree.SubElement(properties, "property", name=name, value=value)
        for verdict in self.verdicts:
            case = ElementTree.SubElement(suite, "testcase", classname=self.plan.study.name, name=verdict.text)
            measured = "; ".join(" ".join(row).strip() for row in verdict.rows())
            if self.calibrating:
                decide = f"calibration seeds decide nothing: {verdict.state} {measured}".strip()
                ElementTree.SubElement(case, "skipped", message=decide)
            elif verdict.state == "fails":
                ElementTree.SubElement(case, "failure", message=f"{measured} {verdict.reason}".strip())
            elif verdict.state != "holds":
                ElementTree.SubElement(case, "skipped", message=f"{verdict.state}: {verdict.reason}")
            if verdict.warning:
                ElementTree.SubElement(case, "system-out").text = f"warning: {verdict.warning}"
        try:
            Path(path).write_bytes(xml_bytes(suite))
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None


def judge_folder(plan: Plan, folder: Path) -> JudgedStudy:
    """Judge a study's expectations by the judged runs of a results folder; nothing is written.

    Raises:
        ResultsError: the folder has no results, or those of another schema version.
        HarnessError: the study's freeze file was edited.
    """
    journal = Journal.open(folder)
    plan = resolved(plan, folder)
    shown = shown_plan(plan, journal.done() if plan.study.calibration else ())
    frames = Frames.from_tables(tables.derive(journal, shown))
    runs, planned = frames.runs_at_lengths, planned_runs(shown)
    verdicts = [verdict for each in plan.study.expect for verdict in _judged(each, runs, planned)]
    tuned = combinations(plan, frames.tuning, read(folder)) if plan.tuning_runs else []
    notes: tuple[str, ...] = ()
    if len(frames.runs) < shown.judged_count:
        notes = tuple(sentences(other_versions(plan, journal, journal.done() - plan.ids).values()))
    notes += tuple(sentence for each in tuned for sentence in (*each.remarks(), *each.gaps()))
    return JudgedStudy(shown, frames, verdicts, notes, registration(plan.study), tuple(tuned))


def judge_baseline(plan: Plan, folder: Path) -> JudgedStudy:
    """Judge a study by a committed baseline: its table of runs has all that an expectation is about.

    Args:
        plan: of the study.
        folder: what `python -m harness.compare --save` wrote.

    Raises:
        ResultsError: there is none, or it cannot be read.
    """
    given = {RUNS.name: baseline.read(folder), EVALUATIONS.name: baseline.read_evaluations(folder)}
    plan = resolved(plan, folder).only(plan.study.judged)
    ids = {run.run_id for run in plan.runs}
    frames = Frames.from_tables({name: table for name, table in given.items() if table is not None}, ids)
    runs, planned = frames.runs_at_lengths, planned_runs(plan)
    verdicts = [verdict for each in plan.study.expect for verdict in _judged(each, runs, planned)]
    return JudgedStudy(plan, frames, verdicts, (), registration(plan.study))


def _judged(expectation: Expectation, runs: pd.DataFrame, planned: pd.DataFrame) -> list[Verdict]:
    """The verdicts on one expectation; one that raises (a plug-in's metric) has no verdict, and costs itself alone."""
    outcome = attempt(lambda: judge(expectation, runs, planned))
    if isinstance(outcome, Missing):
        reason = f"could not be judged: {outcome.reason}"
        return [Verdict(describe(expectation), "incomplete", reason, expectation.metric)]
    return outcome.value


def planned_runs(plan: Plan) -> pd.DataFrame:
    """A row for each planned run: its id, its seed and every setting, in the form in which they are compared."""
    rows: list[dict[str, object]] = []
    for point, runs in groupby(plan.runs, key=attrgetter("point")):
        settings = {name: canonical(value) for name, value in point.columns().items()}
        rows += [{"run_id": run.run_id, **settings, "seed": run.seed} for run in runs]
    for number, columns in enumerate(plan.open_settings()):  # planned, though what is tuned of them is not known yet
        settings = {name: canonical(value) for name, value in columns.items()}
        rows += [{"run_id": f"winner {number}, {seed}", **settings, "seed": seed} for seed in plan.study.seeds]
    return pd.DataFrame(rows, dtype=object)
