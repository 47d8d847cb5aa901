"""python -m benchmarks.scale DIR: a study of 100,000 runs that cost nothing, through plan, pool, store and report."""

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


def planning(asked: Plan, folder: Path) -> Numbers:
    """Nothing beyond the plan that every phase makes."""
    return {}


def previewing(asked: Plan, folder: Path) -> Numbers:
    """What `-n` says."""
    from harness.execution.options import SweepOptions
    from harness.execution.preview import preview

    return {"characters": len(preview(asked, folder, SweepOptions(jobs=2)))}


def sweeping(asked: Plan, folder: Path, limit: int | None = None) -> Numbers:
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
    swept = sweeping.sweep(asked, folder, sweeping.SweepOptions(jobs=2, limit=limit), shown=False)
    return {**spent, "runs_a_second": swept.computed / spent["execute"], "missing": swept.missing}


def filling(asked: Plan, folder: Path) -> Numbers:
    """A folder as the sweep would leave it, in less time: every commit is the first with another id, and unsynced."""
    from benchmarks.synthetic import copies
    from harness.store.journal import Journal

    journal = Journal.create(folder)
    for run_id, data in copies(asked.runs):
        journal.path(run_id).write_bytes(data)
    return {"filled": len(asked.runs)}


def looking(asked: Plan, folder: Path) -> Numbers:
    """The journal's ids, and one question for each of 1,000 runs."""
    from harness.store.journal import Journal

    journal, spent = Journal.open(folder), {}
    start = perf_counter()
    spent["ids"] = len(journal.done())
    spent["done_seconds"] = perf_counter() - start
    start = perf_counter()
    assert all(journal.has(run.run_id) for run in asked.runs[:1000])
    spent["has_microseconds"] = 1000 * (perf_counter() - start)
    return spent


def telling(asked: Plan, folder: Path) -> Numbers:
    """`harness.status`: every checksum is verified."""
    from harness.store.journal import Journal
    from harness.store.status import Status

    return {"characters": len(Status.of(asked, Journal.open(folder)).text())}


def deriving(asked: Plan, folder: Path) -> Numbers:
    """The tables, from commits to parquet."""
    from harness.store import tables
    from harness.store.journal import Journal

    derived = tables.derive(Journal.open(folder), asked)
    start = perf_counter()
    tables.write(derived, folder)
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    return {"write_seconds": perf_counter() - start, "parquet_megabytes": size / 1e6}


def packing(asked: Plan, folder: Path) -> Numbers:
    """Compaction."""
    from harness.store.compaction import compact
    from harness.store.journal import Journal
    from harness.store.locks import controller_lock

    journal = Journal.create(folder)
    with controller_lock(folder):
        return {"packed": compact(journal)}


def checking(asked: Plan, folder: Path) -> Numbers:
    """`harness.check`."""
    from harness.verdicts.judging import judge_folder

    return {"verdicts": len(judge_folder(asked, folder).verdicts)}


def reporting(asked: Plan, folder: Path) -> Numbers:
    """`harness.report`."""
    from harness.report.presenting import present

    present(asked, folder)
    return {"report_megabytes": (folder / "report.html").stat().st_size / 1e6}


PHASES: Mapping[str, Callable[[Plan, Path], Numbers]] = {
    "plan": planning, "preview": previewing, "sweep": sweeping,
    "fill": filling, "look": looking, "status": telling, "tables": deriving,
    "compact": packing,
    "look_packed": looking, "status_packed": telling, "tables_packed": deriving, "preview_packed": previewing,
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
    asked = plan(study)
    planned = perf_counter() - start
    start = perf_counter()
    own = sweeping(asked, folder / "toss", limit) if name == "sweep" else PHASES[name](asked, folder / "toss")
    seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"read": read, "read_and_plan": planned, "seconds": seconds, "peak_megabytes": peak, **own}


def occupied(folder: Path) -> Numbers:
    """Files of the journal, and the disk that they take."""
    found = [path.stat() for path in (folder / "toss" / "journal").rglob("*") if path.is_file()]
    return {
        "files": len(found),
        "megabytes": sum(each.st_size for each in found) / 1e6,
        "megabytes_on_disk": sum(512 * each.st_blocks for each in found) / 1e6,
    }


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    made.add_argument("folder", type=Path, metavar="DIR", help="where the results go; some 2 GB for 100,000 runs")
    made.add_argument("--runs", type=int, default=100_000, help="a multiple of 160 (default 100,000)")
    made.add_argument("--only", nargs="+", choices=PHASES, help="these phases, on what the earlier ones have left")
    made.add_argument("--limit", type=int, help="sweep at most so many of the runs: a long sweep can be done in parts")
    made.add_argument("--here", choices=PHASES, help=argparse.SUPPRESS)
    asked = made.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.here:
        from harness.execution.environment import prepare

        prepare()
        print(json.dumps(phase(asked.here, asked.folder, asked.runs, asked.limit)))
        return cli.DONE
    from benchmarks.processes import output

    for name in asked.only or PHASES:
        part = ["--limit", str(asked.limit)] if asked.limit else []
        command = ["-m", "benchmarks.scale", asked.folder.resolve(), "--runs", str(asked.runs), "--here", name, *part]
        said = output(command)
        print(name, json.dumps(json.loads(said.splitlines()[-1])), flush=True)
        if name in ("sweep", "fill", "compact"):
            print("disk", json.dumps(occupied(asked.folder)), file=sys.stdout, flush=True)
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
