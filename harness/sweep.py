"""python -m harness.sweep STUDY: what is missing, and only that; then the figures, the verdicts and the report."""

from __future__ import annotations

import argparse
import re
import shlex
import sys

from harness import cli

MOST_JOBS = 1024  # each is a process


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    asked = _parser().parse_args(arguments)
    from harness.execution.environment import prepare

    prepare()
    from harness.execution.local import Terminated
    from harness.execution.sweeping import SweepOptions, parse_where, sweep
    from harness.registry import read
    from harness.study.plan import plan

    study = read(asked.study, asked.overrides)
    planned = plan(study)
    for key in study.unused:
        print(f"note: {key} is set, but no point of this study has a use for it", file=sys.stderr)
    folder = cli.results_folder(asked.study, study.name, asked.output)
    options = SweepOptions(
        jobs=asked.jobs, engine=asked.engine, device=asked.device, retries=asked.retries, timeout=asked.timeout,
        fail_fast=asked.fail_fast, retry_failed=asked.retry_failed, force=asked.force, limit=asked.limit,
        where=parse_where(asked.filter, study), shard=asked.shard, scheduler=asked.scheduler,
    )  # fmt: skip
    if asked.dry_run:
        from harness.execution.preview import preview
        from harness.verdicts.expectations import weak_seeds

        weak = [weak_seeds(expectation, len(study.seeds)) for expectation in study.expect]
        print(preview(planned, folder, options, [sentence for sentence in dict.fromkeys(weak) if sentence]))
        return cli.DONE
    command = ["python", "-m", "harness.sweep", *arguments]
    shown = not (asked.quiet or asked.no_progress)
    try:
        result = sweep(planned, folder, options, shown=shown, command=command)
    except KeyboardInterrupt as interruption:
        print(f"\ninterrupted; finished runs are kept. To go on: {shlex.join(command)}", file=sys.stderr)
        return cli.TERMINATED if isinstance(interruption, Terminated) else cli.INTERRUPTED
    if result.missing and options.shard_name:
        print(
            f"shard {options.shard_name}: {result.computed} runs computed; "
            f"{result.missing} of the study's still missing"
        )
        print("figures, verdicts and report come with the last shard, or by python -m harness.report")
        return cli.FAILED if result.failed else cli.DONE
    from harness.report.presenting import present
    from harness.store.tables import one_writer

    with one_writer(folder):
        presented = present(planned, folder, asked.formats, asked.style)
    if not asked.quiet:
        print(presented.screen(result.seconds, result.computed))
    if result.failed:
        print(
            f"{len(result.failed)} runs failed; why: {folder}/failures/. To try them again: add --retry-failed",
            file=sys.stderr,
        )
        return cli.FAILED
    return cli.NOT_HELD if presented.judged.broken else cli.DONE


def _parser() -> argparse.ArgumentParser:
    made = cli.parser(
        "sweep",
        "Compute what is missing of a study, then draw its figures, judge its expectations and write its report.",
    )
    add = made.add_argument
    add(
        "-j",
        dest="jobs",
        type=jobs,
        default=-1,
        metavar="N",
        help="parallel jobs, one core each; -1: all cores (default)",
    )
    add(
        "-n",
        "--dry-run",
        action="store_true",
        help="print the plan and stop: the grid, what is done and missing, the cost",
    )
    add(
        "--engine",
        choices=("numba", "torch"),
        default="numba",
        help="fused kernels where a cell has one (default), or torch",
    )
    add(
        "--device",
        type=device,
        default="cpu",
        metavar="D",
        help="torch device; all but cpu take the torch engine",
    )
    add(
        "--shard",
        type=shard,
        default=(1, 1),
        metavar="I/N",
        help="only the I-th of N shares of the runs; shards may share a folder, at the same time: for job arrays",
    )
    add(
        "--scheduler",
        metavar="ADDR",
        help="compute on the workers of this dask scheduler (tcp://host:8786); the results folder must be theirs too",
    )
    add("--retries", type=count, default=1, metavar="K", help="try a failed run again up to K times (default 1)")
    add("--timeout", type=seconds, metavar="S", help="seconds a run may take")
    add("--fail-fast", action="store_true", help="stop at the first run that failed for good")
    add("--retry-failed", action="store_true", help="take up again what failed before")
    add("--force", action="store_true", help="do again what is done")
    add("--limit", type=count, metavar="N", help="at most N runs")
    add("--filter", action="append", default=[], metavar="COLUMN=VALUE[,VALUE]", help="only runs with these values")
    add("-q", "--quiet", action="store_true", help="print nothing but errors")
    add("--no-progress", action="store_true", help="no progress on stderr")
    cli.looks(made)
    return made


def jobs(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MOST_JOBS and value != -1:
        raise argparse.ArgumentTypeError(f"a number of jobs is 1 to {MOST_JOBS}, or -1 for all cores")
    return value


def count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def device(text: str) -> str:
    if not re.fullmatch(r"(cpu|cuda|mps|xpu)(:\d+)?", text):
        raise argparse.ArgumentTypeError("a torch device is cpu, cuda, cuda:1, mps, …")
    return text


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("a time is more than 0 seconds")
    return value


def shard(text: str) -> tuple[int, int]:
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        raise argparse.ArgumentTypeError("a shard is I/N, such as 1/4") from None
    if not 1 <= index <= count:
        raise argparse.ArgumentTypeError(f"there is no shard {index} of {count}; the first is 1/{count}")
    return index, count


if __name__ == "__main__":
    cli.run(main)
