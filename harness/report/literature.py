"""Published results and our measurements of them: every study that names its paper, with its verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ResultsError
from harness.errors.text import markdown as as_markdown
from harness.errors.text import markdown_code, printable, terminal_width, wrapped
from harness.study.plan import Plan
from harness.study.spec import QUESTIONS, Paper
from harness.verdicts.judging import JudgedStudy, judge_baseline, judge_folder
from harness.verdicts.quoted import in_family, lacks_interval, last_level, surviving
from harness.verdicts.registration import registration_word
from harness.verdicts.summary import SYMBOLS, summary
from harness.verdicts.verdict import Verdict, interval_head, percent, worst

MARKS: dict[str, str] = {**{str(state): mark for state, mark in SYMBOLS.items()}, "not run": "·", "no expectation": "–"}

HEAD = "| | result | source | tag | registration | runs | core minutes |"
RULE = "|---|---|---|---|---|---|---|"
OTHERS = "Other results"


@dataclass(frozen=True)
class Reproduction:
    """One study of a published result, and how it was judged: None where it has not been run."""

    plan: Plan
    paper: Paper
    path: Path
    judged: JudgedStudy | None = None

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """One for each group of each expectation; none where nothing was run."""
        return self.judged.verdicts if self.judged else ()

    @property
    def runs(self) -> int:
        """How many of the judged runs there are."""
        return len(self.judged.frames.runs) if self.judged else 0

    @property
    def minutes(self) -> str:
        """Predicted minutes of all judged runs on one core, as `python -m harness.sweep STUDY -n` predicts them."""
        seconds = sum(self.plan.costs(self.plan.runs).values()) + self.plan.waiting_seconds
        return f"{seconds / 60:.0f}" if seconds >= 60 else "< 1"

    @property
    def state(self) -> str:
        """holds, fails, undecided, incomplete, or not run; a study is as good as its worst expectation."""
        if self.runs < self.plan.judged_count:
            return "incomplete" if self.runs else "not run"
        return worst(self.verdicts) or "no expectation"

    @property
    def registered(self) -> str:
        """Registered, amended (2), point estimate or not registered; nothing where nothing has been judged."""
        return registration_word(self.verdicts, self.judged.registration) if self.judged and self.verdicts else "–"

    @property
    def sentence(self) -> str:
        """All verdicts in one sentence, and how the study is registered."""
        if not self.judged or not self.runs:
            return "not run yet."
        return " ".join(self.judged.sentences())


def reproduction(plan: Plan, paper: Paper, path: Path, folder: Path, *, baseline: bool = False) -> Reproduction:
    """Judge a study by its results; a study that was never run has no verdicts.

    Args:
        plan, paper, path: of the study.
        folder: its results folder, or with `baseline` what `python -m harness.compare --save` wrote of one.
        baseline: judge the table of runs alone, which has all that is judged.
    """
    try:
        judged = judge_baseline(plan, folder) if baseline else judge_folder(plan, folder)
    except ResultsError:
        return Reproduction(plan, paper, path)
    if judged.calibrating:  # no judged run is there yet
        return Reproduction(plan.only(plan.study.judged), paper, path)
    return Reproduction(judged.plan, paper, path, judged)


def text(reproductions: Sequence[Reproduction]) -> str:
    """For a terminal: a line each, and below it source, claim and the verdict table."""
    if reproductions and all(each.state == "not run" for each in reproductions):
        return _none_measured(reproductions)
    parts, width = [], terminal_width()
    for each in reproductions:
        if each.state == "not run":  # its claim is no result yet
            parts += [f"{MARKS[each.state]} {each.plan.study.name}: not run: python -m harness.sweep {each.path}", ""]
            continue
        study, planned = each.plan.study, each.plan.judged_count
        parts += [
            f"{MARKS[each.state]} {study.name}: {each.state}, {each.paper.tag}, {each.registered}, {each.runs} of "
            f"{planned} runs",
            *wrapped(each.paper.source, width, "  ", "  "),
            *wrapped(study.claim, width, "  ", "  "),
            *(f"  {line}" for line in summary(each.verdicts, width - 2).splitlines() if each.verdicts),
            "",
        ]
    return "\n".join([*parts, tally(reproductions)])


def _none_measured(reproductions: Sequence[Reproduction]) -> str:
    """For a folder in which nothing has been run, as on a fresh clone: what there is, and how to begin."""
    names = ", ".join(each.plan.study.name for each in reproductions)
    shortest = min(reproductions, key=lambda each: sum(each.plan.costs(each.plan.every).values()))
    sentence = (
        f"{len(reproductions)} published results, none measured here yet; docs/papers.md shows what this release has "
        f"measured of them: {names}."
    )
    last = f"To measure one: python -m harness.sweep {shortest.path}"
    return "\n".join([*wrapped(sentence, terminal_width()), last])


def tally(reproductions: Sequence[Reproduction]) -> str:
    """All of them in one sentence."""
    states = [each.state for each in reproductions]
    counts = ", ".join(_counted(states.count(state), state) for state in MARKS if state in states)
    if not reproductions:
        return "No study names a paper."
    return " ".join([f"{len(reproductions)} published results: {counts}.", *_corrected(reproductions)])


def _counted(count: int, state: str) -> str:
    """'1 holds', '2 hold', '2 undecided'."""
    return f"{count} {state.removesuffix('s') if count > 1 and state in ('holds', 'fails') else state}"


def _corrected(reproductions: Sequence[Reproduction]) -> Iterator[str]:
    """What Holm's correction for their number leaves of the results, which a reader quotes singly."""
    measured = [each for each in reproductions if each.state in ("holds", "fails", "undecided")]
    estimates = sum(any(verdict.ground == "estimate" for verdict in each.verdicts) for each in measured)
    if estimates:
        yield f"{estimates} {'is' if estimates == 1 else 'are'} judged on point estimates."
    family = [each.judged for each in measured if each.judged and in_family(each.judged)]
    if len(family) < 2:
        return
    left = surviving(family)
    without = [
        each.plan.study.name for each, stands in zip(family, left, strict=True) if each.state == "holds" and not stands
    ]
    but = f"; not {', '.join(without)}" if without else ""
    yield f"Of the {len(family)} judged on intervals, {sum(left)} hold after Holm's correction for their number{but}."
    level = last_level(left)
    few = [
        each.plan.study.name
        for each, stands in zip(family, left, strict=True)
        if each.state == "holds" and not stands and lacks_interval(each, level)
    ]
    if few:
        yield f"Their last level is {percent(round(level, 3))}, for which these have too few seeds: {', '.join(few)}."


def _place(paper: Paper) -> int:
    """Where a paper's question stands among all."""
    return list(QUESTIONS).index(paper.question) if paper.question else len(QUESTIONS)


def markdown(reproductions: Sequence[Reproduction], pages: Path) -> str:
    """The page docs/papers.md: a table for each question, then each result with its verdicts.

    Args:
        reproductions: in the order that those of one question have on the page.
        pages: the folder of the pages on single results, docs/papers; a name is a link where its page is there.
    """
    lines = [
        "# Published results, measured",
        "",
        "Made by `python -m harness.papers --markdown docs/papers.md` from the results of the studies that name a",
        "paper, or with `--baselines results/reference` from those that are committed. A tag says how close the study",
        "is: *faithful* is the paper's own setting, *scaled* a smaller one, *qualitative* the claim in another one.",
        "What does not hold stays in, and its page says why; where a claim or a bound was changed after it had failed,",
        "the page says what it was, and on which seeds it was seen.",
        "*Registered* results were frozen before their judged runs, *amended (n)* ones were changed n times since or",
        "judged before; a *point estimate* ignores its interval ([registration](registration.md)).",
        "*Core minutes* are those that a plan expects of its judged runs; they are fewer where runs end early.",
        "",
        tally(reproductions),
    ]
    question: str | None = None
    ordered = sorted(reproductions, key=lambda each: _place(each.paper))
    for each in ordered:
        if question != (question := QUESTIONS.get(each.paper.question or "", OTHERS)):
            lines += ["", f"**{question}**", "", HEAD, RULE]
        name = each.path.stem
        link = f"[{name}]({pages.name}/{name}.md)" if (pages / f"{name}.md").exists() else name
        state = f"{MARKS[each.state]} {each.state}"
        cells = (
            state,
            link,
            as_markdown(each.paper.source),
            each.paper.tag,
            each.registered,
            f"{each.runs} of {each.plan.judged_count}",
            each.minutes,
        )
        lines.append(f"| {' | '.join(cells)} |")
    for each in ordered:
        study = each.plan.study
        claim = printable(study.claim.strip(), lines=True)
        if each.state not in ("holds", "fails", "undecided"):
            claim = f"*Claimed, and not measured in full yet:* {claim}"
        lines += ["", f"## {study.name}", ""]
        image = Path("results", "gallery", f"papers-{each.path.stem}.png")
        if (pages.resolve().parents[1] / image).exists():
            lines += [f"![{study.name}](../{image.as_posix()})", ""]
        lines += [claim, "", f"{markdown_code(each.path)}: {as_markdown(each.sentence)}"]
        if each.verdicts:
            lines += ["", f"| | expectation | measured | {interval_head(each.verdicts)} | n |", "|---|---|---|---|---|"]
        for verdict in each.verdicts:
            rows = list(verdict.rows()) or [("", "–", "–", "0")]
            for i, (named, value, interval, n) in enumerate(rows):
                first = (SYMBOLS[verdict.state], as_markdown(verdict.text)) if i == 0 else ("", "")
                lines.append(f"| {' | '.join([*first, f'{named} {value}'.strip(), interval, n])} |")
    return "\n".join([*lines, ""])
