"""A leaderboard: cells × tasks, from whatever runs there are, with only like beside like.

A row is a network but for its width: a cell with its initialisation, its forget bias and whatever else sets it apart.
A column is a task at one length *under one set of terms*: the same budget in updates, the same batch, optimizer,
clipping and evaluation, and numbers of parameters of which the smallest is at least .95 of the largest. What differs in
one of these stands in a column of its own, so that no two entries of a column differ in anything but the network.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from harness.errors import HarnessError, nearest
from harness.statistics.significance import PATTERNS, holm, stratified_permutation
from harness.statistics.two_samples import two_sample_permutation
from harness.study.spec import CONFIDENCE
from harness.verdicts.board_names import TUNED, differing, in_order, names_of, terms_text, width_text
from harness.verdicts.collected import Collected, ResultSource
from harness.verdicts.metric import Metric
from harness.verdicts.metrics import FINAL_ACCURACY, SUCCESS_RATE
from harness.verdicts.roles import Roles, Settings
from harness.verdicts.standings import Standing, standing, standing_row

SAME_SIZE = 0.95  # smallest number of parameters of a column, as a share of the largest
PATTERNS_A_PAIR = 100  # so that the least p of a column's random patterns is .02 at most after Holm


@dataclass(frozen=True)
class BoardColumn:
    """A task under one set of terms, and the networks that were trained so; the best first."""

    task: str
    terms: str
    ranked_by: Metric
    entries: tuple[Standing, ...]

    @property
    def size(self) -> tuple[int, int] | None:
        """Least and greatest number of parameters; None where it is not known."""
        counts = [entry.parameters for entry in self.entries if entry.parameters is not None]
        return (min(counts), max(counts)) if counts else None


@dataclass(frozen=True)
class Board:
    """The whole leaderboard.

    Attributes:
        rows: labels of the networks, in the order of the page.
        columns: tasks and terms, in the order of the page.
        sources: all folders, also those of which no entry is shown.
        notes: sentences on what is missing, repeated or left out.
    """

    rows: tuple[str, ...]
    columns: tuple[BoardColumn, ...]
    sources: tuple[ResultSource, ...]
    notes: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """A row an entry: its place on the board and its numbers, as the page shows them."""
        return pd.DataFrame(
            [standing_row(column.task, column.terms, entry) for column in self.columns for entry in column.entries]
        )


def leaderboard(collected: Collected, roles: Roles, tasks: Collection[str] = (), *, seed: int = 0) -> Board:
    """Rank the networks of some runs, task by task.

    Args:
        collected: the runs.
        roles: what each setting is.
        tasks: names of tasks; default: all.
        seed: of the generator behind intervals and permutations.

    Raises:
        HarnessError: none of the runs is of such a task, or nothing was trained at all.
    """
    known = sorted({str(run["task"]) for run in collected.runs})
    if not known:
        folders = ", ".join(collected.untrained) or "there"
        raise HarnessError(f"no run of {folders} trained a network on a task; a leaderboard ranks those")
    for name in tasks:
        if name not in known:
            raise HarnessError(f"--task: no results of a task '{name}'{nearest(name, known)}")
    # by task and terms the columns, and in each of them by network and width the runs of an entry
    by_column: dict[tuple[Settings, Settings], dict[tuple[Settings, Settings], list[Mapping[str, Any]]]] = {}
    for run in collected.runs:
        if not tasks or run["task"] in tasks:
            search = collected.sources[run["source"]].behind.search
            tuned, tried = (search.columns, ((TUNED, search.text),)) if search is not None else ((), ())
            column = roles.task(run), (*roles.terms(run, tuned), *tried)
            row = roles.cell(run, tuned), roles.width(run)
            by_column.setdefault(column, {}).setdefault(row, []).append(run)
    task_names = names_of([task for task, _ in by_column], "task", roles)
    cell_names = names_of([cell for rows in by_column.values() for cell, _ in rows], "model", roles)
    columns = list[BoardColumn]()
    for (task, terms), rows in by_column.items():
        text = terms_text(terms, differing([others for same, others in by_column if same == task]))
        entries = [
            (width, standing(cell_names[cell], runs, collected, np.random.default_rng(seed)))
            for (cell, width), runs in rows.items()
        ]
        columns += [
            _column(task_names[task], text, alike, np.random.default_rng(seed)) for alike in _of_one_size(entries)
        ]
    order = in_order(task_names, "task")
    columns.sort(key=lambda column: (order.index(column.task), column.terms, -(column.size or (0, 0))[1]))
    return Board(
        tuple(_rows(in_order(cell_names, "model"), columns)),
        tuple(columns),
        collected.sources,
        tuple(_notes(collected, columns)),
    )


def _rows(names: Sequence[str], columns: Sequence[BoardColumn]) -> Iterator[str]:
    """Labels in reading order; a network that a column has in two widths follows without them."""
    present = {entry.network: {} for column in columns for entry in column.entries}  # type: dict[str, dict[str, None]]
    for column in columns:
        for entry in column.entries:
            present[entry.network][entry.label] = None
    for name in names:
        yield from sorted(present[name], key=lambda label: (len(label), label))


def _of_one_size(entries: Sequence[tuple[Settings, Standing]]) -> list[list[tuple[Settings, Standing]]]:
    """Entries by number of parameters, from the largest down: a group ends where one has less than `SAME_SIZE` of its
    first. Where the number is not known, an entry stands alone.
    """
    groups: list[list[tuple[Settings, Standing]]] = []
    for width, entry in sorted(entries, key=lambda each: -(each[1].parameters or 0)):
        largest = groups[-1][0][1].parameters if groups else None
        if entry.parameters is None or largest is None or entry.parameters < SAME_SIZE * largest:
            groups.append([])
        groups[-1].append((width, entry))
    return groups


def _column(
    task: str, terms: str, entries: Sequence[tuple[Settings, Standing]], generator: np.random.Generator
) -> BoardColumn:
    """The entries of a column, compared with its best."""
    networks = [entry.network for _, entry in entries]
    standings = [
        replace(entry, label=f"{entry.network}, {width_text(width)}") if networks.count(entry.network) > 1 else entry
        for width, entry in entries
    ]
    solved = any(entry.success.value > 0 for entry in standings)
    metric = SUCCESS_RATE if solved else FINAL_ACCURACY
    standings.sort(key=_rank)
    if len(standings) > 1:
        ps = _corrected(standings, metric, generator)
        standings = [replace(entry, best=i == 0, p=ps[i]) for i, entry in enumerate(standings)]
    return BoardColumn(task, terms, metric, tuple(standings))


def _rank(entry: Standing) -> tuple[float, float, float, str]:
    """By success, then final accuracy, then updates to solve; the name decides nothing but the order on the page."""

    def falling(value: float) -> float:
        return math.inf if math.isnan(value) else -value

    updates = math.inf if math.isnan(entry.updates.value) else entry.updates.value
    return falling(entry.success.value), falling(entry.accuracy.value), updates, entry.label


def _corrected(entries: Sequence[Standing], metric: Metric, generator: np.random.Generator) -> list[float]:
    """p of each entry's comparison with the first, after Holm over *all* pairs of the column.

    The best is chosen by the same runs, so that the family is every comparison that could have been made with it.
    """
    values = [metric.per_seed(entry.runs) for entry in entries]
    pairs = list(combinations(range(len(entries)), 2))
    # random patterns in proportion to the tests: else their least p, times the tests, exceeds α at any number of seeds
    patterns = max(PATTERNS, PATTERNS_A_PAIR * len(pairs))
    ps = [_p(values[i], values[j], generator, patterns) for i, j in pairs]
    known = [i for i, p in enumerate(ps) if not math.isnan(p)]
    corrected = dict(zip((pairs[i] for i in known), holm([ps[i] for i in known]), strict=True))
    return [math.nan, *(float(corrected.get((0, i), math.nan)) for i in range(1, len(entries)))]


def _p(first: pd.Series[float], second: pd.Series[float], generator: np.random.Generator, patterns: int) -> float:
    """Paired where both have the same seeds: a seed is the same data and the same draws in both."""
    if first.isna().any() or second.isna().any():
        return math.nan
    if list(first.index) == list(second.index):
        return stratified_permutation([(first - second).to_numpy()], generator, patterns)
    return two_sample_permutation(first.to_numpy(), second.to_numpy(), generator, patterns)


def _notes(collected: Collected, columns: Sequence[BoardColumn]) -> Iterator[str]:
    """Sentences on what the numbers do not show."""
    for source in collected.sources:
        if source.missing:
            yield f"{source.name} is not complete: {source.missing} of {source.behind.planned} runs are missing."
        if source.calibrating:
            yield f"{source.name}: runs of calibration seeds, which count nowhere: {source.calibrating}."
        if source.failed:
            yield f"{source.name}: runs that failed and count nowhere: {source.failed}."
    if collected.repeated:
        yield f"{collected.repeated} runs are in more than one folder; each counts once."
    duplicates = sum(entry.evidence.duplicates for column in columns for entry in column.entries)
    if duplicates:
        yield f"{duplicates} runs repeat a seed of the same settings and were left out."
    for column in columns:
        seeds = {len(entry.evidence.seeds) for entry in column.entries}
        if len(seeds) > 1:
            yield f"{column.task}: entries rest on different numbers of seeds, {min(seeds)} to {max(seeds)}."
        yield from _too_few_seeds(column)
    if collected.untrained:
        yield f"without a trained network, and not shown: {', '.join(collected.untrained)}."


def _too_few_seeds(column: BoardColumn) -> Iterator[str]:
    """A sentence that names the entries of which no difference from the best could be marked, whatever they did.

    The least p is 2/2ⁿ of n pairs of one seed, and 2/C(a + b, a) of a and b different seeds; Holm multiplies the least
    of all comparisons by their number.
    """
    best, *others = column.entries
    pairs = math.comb(len(column.entries), 2)
    few = [
        entry.label
        for entry in others
        if not math.isnan(entry.p) and _least_p(best.evidence.seeds, entry.evidence.seeds) * pairs > 1 - CONFIDENCE
    ]
    if few:
        yield (
            f"{column.task}: too few seeds to mark any difference from the best, for one of {pairs} comparisons: "
            f"{', '.join(few)}."
        )


def _least_p(first: Sequence[int], second: Sequence[int]) -> float:
    if list(first) == list(second):
        return float(2 / 2 ** len(first))
    return 2 / math.comb(len(first) + len(second), len(first))
