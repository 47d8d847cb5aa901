"""Where a study stands with its freezes: registered, amended or not, and which of its seeds a sweep may compute.

A result is registered where its expectations were frozen before any judged run. Every judged run before a freeze and
every change after one is an amendment: it is counted, and nothing is forbidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from harness.errors import Place, Problem, StudyError
from harness.study.freezes import Freeze, freeze_file, read_freezes
from harness.study.registered import content_of, differences, digest
from harness.study.seeding import compact
from harness.study.spec import StudySpec
from harness.study.yaml_document import YamlDocument, parse

RegistrationState = Literal["registered", "amended", "not registered", "exploratory"]
Phase = Literal["calibration", "judged", "all"]


@dataclass(frozen=True)
class Registration:
    """A study beside the events of its freeze file, oldest first."""

    study: StudySpec
    freezes: tuple[Freeze, ...] = ()

    @property
    def last(self) -> Freeze | None:
        """The freeze that holds now."""
        return next((each for each in reversed(self.freezes) if each.event == "freeze"), None)

    @cached_property
    def exploratory(self) -> bool:
        """Whether what -S changed is part of what would be registered; -S seeds=… always is."""
        if self.study.seeds_replaced:
            return True
        registers = self.last is not None or bool(self.study.calibration)
        return bool(self.study.overrides) and registers and not self.valid

    @property
    def departs(self) -> bool:
        """Whether -S chose another study than the one that is frozen, whose registration stands."""
        return self.exploratory and self.last is not None

    @cached_property
    def valid(self) -> bool:
        """Whether the study is as it was last frozen."""
        return self.last is not None and self.last.digest == digest(content_of(self.study))

    @cached_property
    def changes(self) -> tuple[Problem, ...]:
        """Where the study differs from its last freeze, with the place in its file; none under -S."""
        if self.last is None or self.valid or self.study.overrides:
            return ()
        document = self._document()
        return tuple(
            Problem(document.place(*path), f"{clause} the freeze of {self.last.day}")
            for path, clause in differences(self.last.content, content_of(self.study))
        )

    def _document(self) -> YamlDocument:
        try:
            return parse(self.study.source, self.study.path)
        except StudyError:  # it was read before, so this is a source that a test replaced
            return YamlDocument(self.study.path, "", values={(): Place(self.study.path)})

    @cached_property
    def amendments(self) -> tuple[str, ...]:
        """A clause for each amendment, oldest first; the last may be one that no freeze has recorded yet."""
        clauses: list[str] = []
        before: Freeze | None = None
        recorded = False  # that judged runs came before the first freeze
        for each in self.freezes:
            if each.event == "judged":
                recorded = True
                clauses.append(f"judged before a freeze on {each.day}")
                continue
            if before is None and each.judged_runs and not recorded:
                clauses.append(f"{each.judged_runs} judged runs were there before the first freeze, of {each.day}")
            if before is not None:
                changed = "; ".join(
                    f"{clause} the one before" for _, clause in differences(before.content, each.content)
                )
                note = f": {each.note}" if each.note else ""
                clauses.append(f"freeze of {each.day}{note} ({changed})" if changed else f"freeze of {each.day}{note}")
            before = each
        if before is not None and not self.valid and not self.exploratory:
            changed = "; ".join(problem.message for problem in self.changes)
            clauses.append(f"not frozen: {changed}")
        return tuple(clauses)

    @property
    def state(self) -> RegistrationState:
        """In a word; a study that was never frozen is not registered, whatever its seeds."""
        if self.exploratory:
            return "exploratory"
        if self.last is None:
            return "not registered"
        return "amended" if self.amendments else "registered"

    @property
    def phase(self) -> Phase:
        """Which runs a sweep computes unless it is asked for others: judged ones after a freeze, and before it others.

        Whoever runs a frozen study again wants its verdicts, and has no use for the runs on which its bounds were set.
        Other settings of one that was never frozen are a look, which calibration seeds are for.
        """
        explored = self.study.seeds_replaced or self.departs
        return "judged" if not self.study.calibration or self.valid or explored else "calibration"

    def seeds(self, phase: Phase) -> tuple[int, ...]:
        """The planned seeds of a phase."""
        study = self.study
        return {"calibration": study.calibration, "judged": study.judged, "all": study.seeds}[phase]

    def next_step(self) -> str:
        """How to go on from calibration runs to judged ones."""
        again = "freeze it again (an amendment, with --note TEXT)"
        frozen = again if self.last is not None else "freeze the expectations"
        return (
            f"{frozen}: python -m harness.freeze {self.study.path}; commit the file, and sweep again. "
            "--seeds judged computes judged runs before that, which counts as an amendment"
        )

    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the study before its results: each change since the last freeze with its place.

        A change of the claim's words is no amendment, and is shown.
        """
        last = self.last
        words: tuple[str, ...] = ()
        if last is not None and " ".join(last.claim.split()) != " ".join(self.study.claim.split()):
            place = self._document().place("claim")
            words = (f"{place}: the words of the claim differ from the freeze of {last.day}, which has: {last.claim}",)
        return (*(str(problem) for problem in self.changes), *words)

    def sentence(self) -> str:
        """The registration as it stands beside the verdicts; empty where a study has nothing to do with any."""
        study, last = self.study, self.last
        if study.seeds_replaced:
            return f"Exploratory: -S chose the judged seeds, {compact(study.judged)}."
        if self.exploratory:
            return "Exploratory: -S changed what the study registers."
        if last is None:
            unregistered = "Not registered: these expectations were never frozen"
            events = f" ({'; '.join(self.amendments)})" if self.amendments else ""
            return f"{unregistered}{events}." if study.calibration or self.freezes else ""
        if not self.amendments:
            commit = f", commit {last.commit[:12]}" if last.commit else ""
            return f"Registered on {last.day}{commit}, before any judged run."
        return f"{self.after().capitalize()}: {'; '.join(self.amendments)}."

    def after(self) -> str:
        """'after 2 amendments', or nothing: how a verdict goes on."""
        count = len(self.amendments) if self.state == "amended" else 0
        return f"after {count} amendment{'s' * (count > 1)}" if count else ""


def registration(study: StudySpec) -> Registration:
    """A study's registration, from the file beside it.

    Raises:
        HarnessError: that file cannot be read, or was edited.
    """
    path = freeze_file(study)
    return Registration(study, () if path is None else read_freezes(path))
