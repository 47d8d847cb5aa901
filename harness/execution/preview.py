"""What a sweep would do: the plan that `-n` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from harness.execution.options import SweepOptions
from harness.execution.processes import workers
from harness.store.journal import Journal
from harness.store.other_versions import sentences
from harness.store.ownership import MARK, check_owned, check_study
from harness.store.status import Status, clock
from harness.study.plan import Plan, packs
from harness.study.spec import Point

MOST_ROWS = 40
AROUND = 5.0  # seconds of a sweep that are no training: imports, tables, verdicts, the report (docs/performance.md)
FIGURE = 0.8  # of a figure in all its forms
COMPILATION = 0.5  # of a cell for one kind of update, on one core


def preview(
    plan: Plan, folder: Path, options: SweepOptions, warnings: Sequence[str] = (), prospects: Sequence[str] = ()
) -> str:
    """The plan as text; nothing is written.

    Args:
        plan: whose runs.
        folder: the results folder; it need not exist.
        options: of the sweep.
        warnings: sentences that are printed below the plan.
        prospects: sentences on what its seeds can decide.

    Raises:
        HarnessError: no run meets the condition of the options.
        ResultsError: the folder cannot be read, is not the harness's own, or is of another study or schema version.
    """
    options.check_where(plan)
    check_owned(folder)
    check_study(folder, plan)
    exists = (folder / MARK).exists()
    status = Status.of(plan, Journal.open(folder)) if exists else Status(plan, folder)
    plan = status.plan  # with the winners that are known
    runs = options.select(plan, status.done, frozenset(status.failed))
    seconds, jobs = plan.costs(runs), workers(options.jobs)
    packed = packs(
        runs, jobs=jobs, cost=seconds, memory=plan.study.experiment.memory, alone=plan.study.experiment.alone,
        device=options.device,
    )  # fmt: skip
    counts = status.counts()
    others = f"; {counts['orphaned']} other runs in the folder are left alone" if counts["orphaned"] else ""
    points = {id(run.point): run.point.columns() for run in runs}.values()
    compiled = len({(columns.get("cell"), columns.get("hidden_size")) for columns in points})
    others_seconds = (FIGURE * len(plan.study.figures) + COMPILATION * compiled) / jobs
    total = (sum(seconds.values()) + plan.waiting_seconds) / jobs + AROUND + others_seconds
    total = total if runs or plan.waiting else 0.0
    then = f", then {plan.waiting} runs of the winners" if plan.waiting else ""
    lines = [
        f"{plan.study.name}: {plan.study.claim}",
        "",
        *_grid(plan, status, seconds),
        "",
        *_phases(plan, status),
        f"{plan.count} runs: {counts['done']} done, {counts['missing']} missing, {counts['failed']} failed{others}",
        *status.purposes(),
        f"to do now: {len(runs)} runs in {len(packed)} packs{then}",
        f"cost: about {clock(total)} with {jobs} job{'s' * (jobs > 1)}, less where runs end early",
        *prospects,
        f"results: {folder}",
        *status.damage(),
        *sentences(status.other_versions.values()),
        *(f"note: {sentence}" for sentence in options.notes(plan.study.experiment, runs)),
        *(f"warning: {sentence}" for sentence in warnings),
    ]
    return "\n".join(lines)


def _phases(plan: Plan, status: Status) -> list[str]:
    """Both phases of a study with tuning, and what fairness costs."""
    tuning = plan.study.tuning
    if tuning is None:
        return []
    per = f" of {', '.join(tuning.per)}" if tuning.per else ""
    tried = f"{len(tuning.candidates)}{' random' * tuning.random} candidates"
    first = sum(plan.costs(plan.tuning_runs).values())
    second = sum(plan.costs(plan.runs).values()) + plan.waiting_seconds
    share = f", {first / (first + second):.0%} of the whole cost" if first + second else ""
    ratio = len(plan.tuning_runs) / max(1, plan.judged_count)
    return [
        f"tuning: {len(plan.groups)} combinations{per}, {tried} of {', '.join(tuning.columns)} by {tuning.by}, "
        f"{len(tuning.seeds)} seeds",
        *status.phases(),
        f"cost of fairness: {len(plan.tuning_runs)} tuning runs for {plan.judged_count} of the winners "
        f"({ratio:.2g} each){share}",
        "",
    ]


def _grid(plan: Plan, status: Status, seconds: dict[str, float]) -> list[str]:
    """A table with a row for each combination of values on the axes: runs, runs done, and the cost of this sweep."""
    # with tuning the candidates differ in more than those that have won
    axes = plan.study.axes({run.point: None for run in plan.every})
    rows: dict[tuple[str, ...], Counter[str]] = {}
    for point, runs in groupby(plan.every, key=attrgetter("point")):
        row = rows.setdefault(_values(point, axes), Counter())
        for run in runs:
            row["runs"] += 1
            row["done"] += run.run_id in status.done
            row["milliseconds"] += round(1000 * seconds.get(run.run_id, 0.0))
    table = [(*axes, "runs", "done", "cost")]
    table += [
        (*values, str(row["runs"]), str(row["done"]), clock(row["milliseconds"] / 1000))
        for values, row in list(rows.items())[:MOST_ROWS]
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    if len(rows) > MOST_ROWS:
        lines.append(f"… and {len(rows) - MOST_ROWS} more cells of the grid")
    return lines


def _values(point: Point, axes: Sequence[str]) -> tuple[str, ...]:
    columns = point.columns()
    return tuple("–" if columns.get(axis) is None else str(columns[axis]) for axis in axes)
