"""How well candidates do on the tuning seeds, which of them wins, and what a reader should know about the choice.

A candidate's score is the mean of the metric over the tuning seeds, each seed's by `Metric.per_seed`: a run that
diverged counts as the metric says, at chance for an accuracy. The choice itself is `study.tuning.winner`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING

from harness.store.winners import Winner
from harness.study import labels
from harness.study.plan import Plan, TunedGroup, plan
from harness.study.section import plain
from harness.study.spec import StudySpec
from harness.study.tuning import Candidate, at_edge, margin, winner
from harness.verdicts.metrics import Metric, finished, metric_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

CHANGED = "the tuning runs of {} now give other scores than those by which its winner was chosen; the winner stays"


@dataclass(frozen=True)
class TunedCombination:
    """One combination of the columns `per`, as its tuning runs stand.

    Attributes:
        group: its name, values and runs.
        metric: by which candidates are compared.
        candidates: in their order.
        scores: of the candidates as they were compared, or as far as their runs have ended; NaN: none yet.
        runs, done: how many runs its candidates have, and how many of them have a result.
        failed: ids of the runs that failed.
        index: of the winner; None: it is not chosen yet.
        changed: whether the runs that are there now give other scores than those that chose the winner.
    """

    group: TunedGroup
    metric: Metric
    candidates: Sequence[Candidate]
    scores: tuple[float, ...]
    runs: int
    done: int
    failed: tuple[str, ...] = ()
    index: int | None = None
    changed: bool = False

    @property
    def name(self) -> str:
        """The combination in words."""
        return labels.condition(self.group.per) or "all points"

    @property
    def complete(self) -> bool:
        """Whether every run has a result."""
        return self.done == self.runs

    @property
    def margin(self) -> float:
        """By how much the winner is better than the best of the others; NaN without a winner."""
        return math.nan if self.index is None else margin(self.scores, self.index, self.metric.better)

    @cached_property
    def edges(self) -> dict[str, str]:
        """The tuned settings at whose end the winner stands: a better value may lie beyond.

        Not those in which a candidate that scores the same stands inside: it is as good, and the first was taken.
        """
        if self.index is None:
            return {}
        best = [i for i, score in enumerate(self.scores) if score == self.scores[self.index]]
        ends = [at_edge(self.candidates, i) for i in best]
        return {
            axis: end
            for axis, end in at_edge(self.candidates, self.index).items()
            if all(axis in others for others in ends)
        }

    def sentence(self) -> str:
        """The winner in words: 'cell=lstm: learning_rate=0.001 (final accuracy 0.98, second 0.91)'."""
        if self.index is None:
            return f"{self.name}: no winner yet"
        own, second = self.scores[self.index], self.second
        beside = "" if second is None else f", second {self.metric.text(second)}"
        return f"{self.name}: {self.words(self.index)} ({self.metric.label} {self.metric.text(own)}{beside})"

    @property
    def second(self) -> float | None:
        """The score of the best candidate beside the winner; None where no other has one."""
        others = [nan if i == self.index else score for i, score in enumerate(self.scores)]
        best = winner(others, self.metric.better)
        return None if best is None else others[best]

    def words(self, index: int) -> str:
        """A candidate's settings in words."""
        return ", ".join(
            f"{key.partition('.')[2]}={labels.value(key.partition('.')[2], plain(value))}"
            for key, value in self.candidates[index].items()
        )

    def remarks(self) -> list[str]:
        """What a reader should know before the winner is believed."""
        sentences = [
            f"the winner of {self.name} has the {end} {setting.partition('.')[2]} of all candidates "
            f"({labels.number(self.candidates[self.index or 0][setting])}): widen the axis"
            for setting, end in self.edges.items()
        ]
        if self.index is not None and len({score for score in self.scores if not math.isnan(score)}) == 1:
            sentences = [f"all candidates of {self.name} score the same: the first was taken, and nothing is tuned"]
        if self.changed:
            sentences.append(CHANGED.format(self.name))
        return sentences

    def gaps(self) -> list[str]:
        """Why there is no winner yet."""
        if self.index is not None:
            return []
        if self.failed:
            count = f"{len(self.failed)} tuning run{'s' * (len(self.failed) > 1)} failed"
            return [f"no winner of {self.name}: {count} ({', '.join(self.failed[:3])}); add --retry-failed"]
        if not self.complete:
            return [f"no winner of {self.name} yet: {self.done} of {self.runs} tuning runs are done"]
        if winner(self.scores, self.metric.better) is None:
            return [f"no winner of {self.name}: no candidate has a value of {self.metric.name}"]
        return [f"no winner of {self.name} yet: its runs are done, and the next sweep chooses it"]


def combinations(plan: Plan, runs: pd.DataFrame, winners: Mapping[str, Winner]) -> list[TunedCombination]:
    """Each combination for which a winner is chosen, as its runs and the stored winners are.

    Args:
        plan: of the study.
        runs: the rows of the tuning runs, `Frames.tuning`.
        winners: those that were stored.
    """
    tuning = plan.study.tuning
    if tuning is None:
        return []
    metric = metric_named(tuning.by)
    done = finished(runs) if len(runs) else runs
    rows: dict[str, int] = {run_id: i for i, run_id in enumerate(done["run_id"])} if len(done) else {}
    failed = set(runs.loc[runs["outcome"] == "failed", "run_id"]) if len(runs) else set()
    listed = []
    for group in plan.groups:
        scores = tuple(_score(metric, done, rows, run_ids) for run_ids in group.run_ids)
        stored = winners.get(group.name)
        ids = {run_id for run_ids in group.run_ids for run_id in run_ids}
        complete = ids <= rows.keys()
        listed.append(
            TunedCombination(
                group,
                metric,
                tuning.candidates,
                stored.scores if stored else scores,
                len(ids),
                len(ids & rows.keys()),
                tuple(sorted(ids & failed)),
                stored.index if stored else None,
                changed=stored is not None and complete and not _equal(stored.scores, scores),
            )
        )
    return listed


def combinations_of(study: StudySpec, runs: pd.DataFrame) -> list[TunedCombination]:
    """The combinations of a study whose points are those of the winners that are known.

    Args:
        study: of a plan that is resolved.
        runs: the rows of tuning runs, perhaps of some combinations alone.
    """
    judged = {point.key for point in study.points}
    listed = []
    for each in combinations(plan(study), runs, {}):
        row = study.rows[each.group.rows[0]]
        # two candidates may be one point, where a setting has no effect
        scores = [s if point.key in judged else nan for s, point in zip(each.scores, row, strict=True)]
        listed.append(replace(each, index=winner(scores, each.metric.better)))
    return listed


def chosen(plan: Plan, runs: pd.DataFrame, winners: Mapping[str, Winner]) -> tuple[list[Winner], list[str]]:
    """The winners of the combinations whose runs are complete, and a sentence for each that has none.

    Args: as of `combinations`; winners that are stored stay, whatever their runs would give now.
    """
    new, sentences = [], list[str]()
    for each in combinations(plan, runs, winners):
        best = winner(each.scores, each.metric.better) if each.complete and each.index is None else None
        if best is None:
            sentences += [CHANGED.format(each.name)] if each.changed else each.gaps()
        else:
            new.append(Winner(each.group.name, each.metric.name, best, each.scores))
    return new, sentences


def chosen_from(
    plan: Plan, table: pa.Table, winners: Mapping[str, Winner]
) -> tuple[list[Winner], list[str], list[str]]:
    """`chosen`, from the table of the tuning runs, and the new winners in words."""
    from harness.statistics.frames import pandas_frame

    runs = pandas_frame(table)
    new, sentences = chosen(plan, runs, winners)
    names = {each.name: each for each in new}
    words = [each.sentence() for each in combinations(plan, runs, names) if each.group.name in names]
    return new, sentences, words


def _score(metric: Metric, runs: pd.DataFrame, rows: Mapping[str, int], run_ids: Sequence[str]) -> float:
    """The mean over seeds of a candidate's metric; NaN where one of its runs has no result or no value."""
    places = [rows[run_id] for run_id in run_ids if run_id in rows]
    if len(places) < len(run_ids):
        return math.nan
    # sorted: the order of the table is that of the plan, and a mean depends on its order in the last bit
    per_seed = metric.per_seed(runs.iloc[places]).sort_index()
    return math.nan if per_seed.isna().any() else float(per_seed.mean())


def _equal(first: Sequence[float], second: Sequence[float]) -> bool:
    pairs = zip(first, second, strict=True)
    return len(first) == len(second) and all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in pairs)
