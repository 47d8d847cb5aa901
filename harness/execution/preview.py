"""What a sweep would do (`-n`), and what one has done (`harness.status`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.execution.local import workers
from harness.execution.progress import clock
from harness.execution.sweeping import SweepOptions, costs, counts, todo
from harness.store.journal import Journal
from harness.study.plan import Plan, packs
from harness.study.spec import Point

MOST_ROWS = 40


def preview(plan: Plan, folder: Path, options: SweepOptions, warnings: Sequence[str] = ()) -> str:
    """The plan as text; nothing is written."""
    journal = Journal.open(folder) if (folder / "store.json").exists() else None
    faulty = journal.faulty(sorted(journal.done() & plan.ids)) if journal else {}
    done = journal.done() - faulty.keys() if journal else frozenset()
    failed = frozenset(journal.failures()) if journal else frozenset()
    runs = todo(plan, options, done, failed)
    axes = plan.study.axes()
    price = costs(plan, runs)
    jobs = workers(options.jobs)
    packed = packs(runs, jobs=jobs, cost=price, memory=plan.study.experiment.memory)
    lines = [f"{plan.study.name}: {plan.study.claim}", ""]
    cells = {id(point): _cell(point, axes) for point in plan.study.points}
    rows: dict[tuple[str, ...], Counter[str]] = {}
    for run in plan.runs:
        row = rows.setdefault(cells[id(run.point)], Counter())
        row["runs"] += 1
        row["done"] += run.run_id in done
        row["milliseconds"] += round(1000 * price.get(run.run_id, 0.0))
    table = [(*axes, "runs", "done", "cost")]
    table += [
        (*key, str(row["runs"]), str(row["done"]), clock(row["milliseconds"] / 1000))
        for key, row in list(rows.items())[:MOST_ROWS]
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines += ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    if len(rows) > MOST_ROWS:
        lines.append(f"… and {len(rows) - MOST_ROWS} more cells of the grid")
    total = sum(price.values())
    have = counts(plan, journal, faulty) if journal else Counter(missing=len(plan.runs))
    others = f"; {have['orphaned']} other runs in the folder are left alone" if have["orphaned"] else ""
    lines += [
        "",
        f"{len(plan.runs)} runs: {have['done']} done, {have['missing']} missing, {have['failed']} failed{others}",
        f"to do now: {len(runs)} runs in {len(packed)} packs",
        f"cost: about {clock(total / jobs)} with {jobs} job{'s' * (jobs > 1)}, less where runs end early",
        f"results: {folder}",
        *_damage(faulty),
    ]
    return "\n".join([*lines, *(f"warning: {sentence}" for sentence in warnings)])


def status(plan: Plan, journal: Journal) -> str:
    """What is done, missing, failed and orphaned, and the cost still to come."""
    faulty = journal.faulty(sorted(journal.done() & plan.ids))
    have = counts(plan, journal, faulty)
    runs = todo(plan, SweepOptions(), journal.done() - faulty.keys(), frozenset(journal.failures()))
    lines = [
        f"{plan.study.name}: {len(plan.runs)} runs in {journal.folder}",
        *(f"{have[name]:8d}  {name}" for name in ("done", "missing", "failed", "orphaned")),
        f"still to come: about {clock(sum(costs(plan, runs).values()))} of one core",
    ]
    failures = journal.failures()
    lines += [f"failed {run_id}: {note['error']}" for run_id, note in failures.items() if run_id in plan.ids]
    lines += _damage(faulty)
    lines += [f"damaged commit set aside: {run_id}" for run_id in journal.damaged()]
    return "\n".join(lines)


def _cell(point: Point, axes: Sequence[str]) -> tuple[str, ...]:
    columns = point.columns()
    return tuple("–" if columns.get(axis) is None else str(columns[axis]) for axis in axes)


def _damage(faulty: Mapping[str, str]) -> list[str]:
    return [f"damaged commit, to be computed again: {run_id}: {why}" for run_id, why in faulty.items()]
