"""python -m benchmarks.scale DIR: a study of 100,000 runs that cost nothing, from the plan to the report."""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from harness import cli

if TYPE_CHECKING:
    from harness.study.plan import Plan

Numbers = dict[str, float]


def planning(plan: Plan, folder: Path) -> Numbers:
    """Nothing more: every phase reads the study and plans it."""
    return {}


def previewing(plan: Plan, folder: Path) -> Numbers:
    """`harness.sweep -n`."""
    from harness.execution.options import SweepOptions
    from harness.execution.preview import preview

    return {"characters": len(preview(plan, folder, SweepOptions(jobs=2)))}


def sweeping(plan: Plan, folder: Path, limit: int | None = None) -> Numbers:
    """The sweep itself with two jobs, without compaction; at most `limit` runs of it."""
    from harness.execution import sweeping

    spent: Numbers = {}

    def timed(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            start = perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent[name] = perf_counter() - start

        return call

    for name in ("execute", "packs", "write_plan"):
        setattr(sweeping, name, timed(name, getattr(sweeping, name)))
    sweeping.compact = lambda journal: 0
    swept = sweeping.sweep(plan, folder, sweeping.SweepOptions(jobs=2, limit=limit), shown=False)
    return {**spent, "runs_a_second": swept.computed / spent["execute"], "missing": swept.missing}


def filling(plan: Plan, folder: Path) -> Numbers:
    """A folder as the sweep would leave it, in less time: every commit is the first with another id, and unsynced."""
    from benchmarks.synthetic import copies
    from harness.store.journal import Journal

    journal = Journal.create(folder)
    for run_id, data in copies(plan.runs):
        journal.path(run_id).write_bytes(data)
    return {"filled": len(plan.runs)}


def listing(plan: Plan, folder: Path) -> Numbers:
    """The journal's ids, and for each of 1,000 runs whether it is done."""
    from harness.store.journal import Journal

    journal, spent = Journal.open(folder), {}
    start = perf_counter()
    spent["ids"] = len(journal.done())
    spent["done_seconds"] = perf_counter() - start
    start = perf_counter()
    assert all(journal.has(run.run_id) for run in plan.runs[:1000])
    spent["has_microseconds"] = 1000 * (perf_counter() - start)
    return spent


def verifying(plan: Plan, folder: Path) -> Numbers:
    """`harness.status`: every checksum is verified."""
    from harness.store.journal import Journal
    from harness.store.status import Status

    return {"characters": len(Status.of(plan, Journal.open(folder)).text())}


def deriving(plan: Plan, folder: Path) -> Numbers:
    """The tables, from commits to parquet."""
    from harness.store import tables
    from harness.store.journal import Journal

    derived = tables.derive(Journal.open(folder), plan)
    start = perf_counter()
    tables.write(derived, folder)
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    return {"write_seconds": perf_counter() - start, "parquet_megabytes": size / 1e6}


def packing(plan: Plan, folder: Path) -> Numbers:
    """Compaction."""
    from harness.store.compaction import compact
    from harness.store.journal import Journal
    from harness.store.locks import controller_lock

    journal = Journal.create(folder)
    with controller_lock(folder):
        return {"packed": compact(journal)}


def checking(plan: Plan, folder: Path) -> Numbers:
    """`harness.check`."""
    from harness.verdicts.judging import judge_folder

    return {"verdicts": len(judge_folder(plan, folder).verdicts)}


def reporting(plan: Plan, folder: Path) -> Numbers:
    """`harness.report`."""
    from harness.report.presenting import present

    present(plan, folder)
    return {"report_megabytes": (folder / "report.html").stat().st_size / 1e6}


PHASES: Mapping[str, Callable[[Plan, Path], Numbers]] = {
    "plan": planning, "preview": previewing, "sweep": sweeping,
    "fill": filling, "look": listing, "status": verifying, "tables": deriving,
    "compact": packing,
    "look_packed": listing, "status_packed": verifying, "tables_packed": deriving, "preview_packed": previewing,
    "check": checking, "report": reporting,
}  # fmt: skip


def phase(name: str, folder: Path, runs: int, limit: int | None) -> Numbers:
    """One phase in this process: its time, what its own numbers are, and the most memory that the process had."""
    from benchmarks import synthetic
    from harness.study import validation
    from harness.study.plan import plan

    text = synthetic.study(runs)
    path = folder / "toss.yaml"
    path.write_text(text)
    start = perf_counter()
    study = validation.read(path, load_names=synthetic.names)
    read = perf_counter() - start
    whole = plan(study)
    planned = perf_counter() - start
    start = perf_counter()
    own = sweeping(whole, folder / "toss", limit) if name == "sweep" else PHASES[name](whole, folder / "toss")
    seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"read": read, "read_and_plan": planned, "seconds": seconds, "peak_megabytes": peak, **own}


def occupied(folder: Path) -> Numbers:
    """Files of the journal, and the disk that they take."""
    stats = [path.stat() for path in (folder / "toss" / "journal").rglob("*") if path.is_file()]
    return {
        "files": len(stats),
        "megabytes": sum(each.st_size for each in stats) / 1e6,
        "megabytes_on_disk": sum(512 * each.st_blocks for each in stats) / 1e6,
    }


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the results go; some 2 GB for 100,000 runs")
    parser.add_argument("--runs", type=int, default=100_000, help="a multiple of 160 (default 100,000)")
    parser.add_argument("--only", nargs="+", choices=PHASES, help="these phases, on what the earlier ones have left")
    parser.add_argument("--limit", type=int, help="sweep at most so many runs: a long sweep can be done in parts")
    parser.add_argument("--here", choices=PHASES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.here:
        from harness.execution.environment import prepare

        prepare()
        print(json.dumps(phase(options.here, options.folder, options.runs, options.limit)))
        return cli.DONE
    from benchmarks.processes import output

    for name in options.only or PHASES:
        limit = ["--limit", str(options.limit)] if options.limit else []
        folder = options.folder.resolve()
        text = output(["-m", "benchmarks.scale", folder, "--runs", str(options.runs), "--here", name, *limit])
        print(name, json.dumps(json.loads(text.splitlines()[-1])), flush=True)
        if name in ("sweep", "fill", "compact"):
            print("disk", json.dumps(occupied(options.folder)), file=sys.stdout, flush=True)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
