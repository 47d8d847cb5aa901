"""What stands in a leaderboard's tables, as text: the same for a terminal, a page and Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.store.fingerprints import MEASURES
from harness.study.spec import CONFIDENCE
from harness.verdicts.leaderboard import SAME_SIZE, Board, BoardColumn
from harness.verdicts.metric import Measured, Metric
from harness.verdicts.metrics import FINAL_ACCURACY, SOLVED_AT, SUCCESS_RATE, metric_named
from harness.verdicts.standings import SLOPES, Standing
from harness.verdicts.verdict import interval_text

NONE = "–"
BEST, TIED = "*", "≈"


@dataclass(frozen=True)
class Quantity:
    """One column of a table of entries.

    `full` is its text on a page, `brief` in a terminal; `there` says whether an entry has it at all.
    """

    head: str
    full: Callable[[Standing], str]
    brief: Callable[[Standing], str]
    meaning: str


def mark(entry: Standing) -> str:
    """'*' the best of its column, '≈' not distinguishable from it; else nothing."""
    return BEST if entry.best else TIED if entry.tied else ""


def standing_text(column: BoardColumn, entry: Standing) -> str:
    """An entry in the overview: the number by which its column is ranked, and its mark."""
    group = entry.success if column.ranked_by is SUCCESS_RATE else entry.accuracy
    return column.ranked_by.text(group.value) + mark(entry)


def size_text(column: BoardColumn) -> str:
    """The numbers of parameters of a column: '1404 to 1476 parameters'."""
    if column.size is None:
        return "number of parameters unknown"
    least, most = column.size
    return f"{most} parameters" if least == most else f"{least} to {most} parameters"


def heading(column: BoardColumn) -> str:
    """A column in one line: its task, budget and size."""
    return f"{column.task}: {column.terms}; {size_text(column)}"


def evidence(column: BoardColumn) -> Iterator[str]:
    """On what the entries of a column rest, a sentence for those that rest on the same."""

    def basis(entry: Standing) -> str:
        known = entry.evidence
        parts = (
            ", ".join(source.name for source in known.sources),
            f"{len(known.seeds)} seeds ({seeds_text(known.seeds)})" if len(known.seeds) > 1
            else f"one seed ({known.seeds[0]})",
            known.state,
            *known.versions,
        )  # fmt: skip
        return "; ".join(filter(None, parts))

    texts = {entry.label: basis(entry) for entry in column.entries}
    for text in dict.fromkeys(texts.values()):
        names = [label for label, other in texts.items() if other == text]
        yield text if len(names) == len(texts) else f"{' | '.join(names)}: {text}"


def overview(board: Board) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A row a network: its label, and its number in each column, empty where it has none."""
    for label in board.rows:
        numbers = (
            next((standing_text(column, entry) for entry in column.entries if entry.label == label), "")
            for column in board.columns
        )
        yield label, tuple(numbers)


def seeds_text(seeds: Sequence[int]) -> str:
    """'0–5, 9': ascending seeds, runs of neighbours by their ends."""
    parts = []
    for _, group in groupby(enumerate(seeds), key=lambda each: each[1] - each[0]):
        members = [seed for _, seed in group]
        parts.append(str(members[0]) if len(members) == 1 else f"{members[0]}–{members[-1]}")
    return ", ".join(parts)


def quantities(board: Board) -> tuple[tuple[Quantity, ...], tuple[str, ...]]:
    """The columns of which some entry has a value, and the names of the others."""
    entries = [entry for column in board.columns for entry in column.entries]
    there = tuple(each for each in QUANTITIES if any(each.full(entry) != NONE for entry in entries))
    return there, tuple(each.head for each in QUANTITIES if each not in there)


def notes(board: Board) -> Iterator[str]:
    """What the marks and the columns mean, then what is missing or left out."""
    alone = sum(len(column.entries) == 1 for column in board.columns)
    yield (
        f"{BEST} the best of its column: by success rate, then final accuracy, then updates to solve. {TIED} not "
        f"distinguishable from it: p > {1 - CONFIDENCE:.2g}, two-sided permutation test of the number that ranks the "
        "column (paired where both have the same seeds), Holm over all pairs of the column, because the best is chosen "
        "by the same runs. No mark: worse than the best."
    )
    yield (
        "A column is one task under one set of terms: the same budget, batch, optimizer, clipping and evaluation, and "
        f"numbers of parameters of which the smallest is at least {SAME_SIZE:g} of the largest. Entries of different "
        "columns are not compared."
    )
    if not any(entry.evidence.chosen for column in board.columns for entry in column.entries):
        yield "Nothing was tuned: every network has the learning rate of its column, which may suit one better."
    if alone:
        yield f"{alone} of {len(board.columns)} columns have one entry, which is compared with nothing."
    there, absent = quantities(board)
    absent = tuple(head for head in absent if head != "chosen")
    if absent:
        yield f"Not recorded in any of these results: {', '.join(absent)}."
    for each in there:
        if each.meaning:
            yield f"{each.head}: {each.meaning}."
    yield from board.notes


def _group(metric: Metric, of: Callable[[Standing], Measured | None], full: bool) -> Callable[[Standing], str]:
    def text(entry: Standing) -> str:
        group = of(entry)
        if group is None or math.isnan(group.value):
            return NONE
        interval = interval_text(metric, group)
        return f"{metric.text(group.value)} {interval}" if full and interval != NONE else metric.text(group.value)

    return text


def _slope(i: int, decimals: int) -> Callable[[Standing], str]:
    def text(entry: Standing) -> str:
        group = entry.slopes[i]
        return NONE if group is None else _number(group.value, decimals)

    return text


def _pair(of: Callable[[Standing], tuple[float | None, float | None]], decimals: int) -> Callable[[Standing], str]:
    def text(entry: Standing) -> str:
        before, after = of(entry)
        return NONE if before is None and after is None else f"{_number(before, decimals)} → {_number(after, decimals)}"

    return text


def _number(value: float | None, decimals: int) -> str:
    if value is None or math.isnan(value):
        return NONE
    return ("−∞" if value < 0 else "∞") if math.isinf(value) else f"{value:.{decimals}f}"


def _seconds(entry: Standing) -> str:
    return NONE if entry.seconds is None else f"{entry.seconds:.{0 if entry.seconds >= 10 else 1}f}"


def _parameters(entry: Standing) -> str:
    return NONE if entry.parameters is None else str(entry.parameters)


def _updates(entry: Standing) -> str:
    value = entry.updates.value
    return f">{entry.runs['max_updates'].max():.0f}" if value == math.inf else SOLVED_AT.text(value)


def _chosen(entry: Standing) -> str:
    return entry.evidence.chosen or NONE


def _seeds(entry: Standing) -> str:
    return str(len(entry.evidence.seeds))


def _success(entry: Standing) -> str:
    group = entry.success
    return f"{SUCCESS_RATE.text(group.value)} {interval_text(SUCCESS_RATE, group)}"


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("n", _seeds, _seeds, "seeds"),
    Quantity("success", _success, _success, SUCCESS_RATE.meaning),
    Quantity(
        "accuracy",
        _group(FINAL_ACCURACY, lambda entry: entry.accuracy, True),
        _group(FINAL_ACCURACY, lambda entry: entry.accuracy, False),
        f"final accuracy, {FINAL_ACCURACY.meaning}",
    ),
    Quantity(
        "updates",
        _group(SOLVED_AT, lambda entry: entry.updates, True),
        _updates,
        "to solve: median over runs, unsolved ones censored (Kaplan–Meier), 95 % interval; > budget: fewer than half "
        "of the runs were solved",
    ),
    Quantity("seconds", _seconds, _seconds, "median over runs of a run's share of its pack's training time"),
    Quantity(
        "chosen",
        _chosen,
        _chosen,
        "by tuning, on seeds of its own; the terms of the column say from what; a better value may lie beyond one that "
        "stands at their end",
    ),
    Quantity("size", _parameters, _parameters, "parameters: trained numbers of the whole model"),
    Quantity(
        "slope before",
        _slope(0, 3),
        _slope(0, 3),
        f"{metric_named(SLOPES[0]).meaning.partition(';')[0]}, in decades per step; interquartile mean over seeds; −∞ "
        "where ∂L/∂h is exactly zero at t = 1, as where h is only read and a memory c carries the state, "
        "or where h-detach stops what passes h",
    ),
    Quantity("slope after", _slope(1, 3), _slope(1, 3), metric_named(SLOPES[1]).meaning.partition(";")[0]),
    Quantity(
        "saturation",
        _pair(lambda entry: entry.saturation, 2),
        lambda entry: _number(entry.saturation[0], 2),
        f"{MEASURES['initial_saturation']}; median over runs, before → after",
    ),
    Quantity(
        "λ₁",
        _pair(lambda entry: entry.lyapunov, 2),
        lambda entry: _number(entry.lyapunov[0], 3),
        f"{MEASURES['initial_lyapunov']}; median over runs, before → after",
    ),
)  # fmt: skip
