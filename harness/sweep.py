"""python -m harness.sweep STUDY: what is missing, and only that; then the figures, the verdicts and the report."""

from __future__ import annotations

import argparse
import shlex
import sys

from harness import cli
from harness.errors import HarnessError
from harness.execution import options as sweep_options


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parsed = _parser().parse_args(arguments)
    from harness.entrypoints import malformed
    from harness.execution.environment import prepare

    prepare()
    from harness.execution.processes import Terminated, end_workers, workers
    from harness.execution.sweeping import sweep
    from harness.execution.swept_seeds import swept_seeds
    from harness.registry import read
    from harness.report.libraries import load_meanwhile
    from harness.store.location import name_note, results_folder
    from harness.study.plan import plan

    for sentence in malformed():
        print(f"note: {sentence}", file=sys.stderr)
    study = read(parsed.study, parsed.overrides)
    if study.experiment.refusal:
        raise HarnessError(f"{parsed.study}: {study.experiment.refusal}")
    study_plan = plan(study)
    for note in filter(None, (*study.notes(), name_note(parsed.study, study.name, parsed.output))):
        print(f"note: {note}", file=sys.stderr)
    folder = results_folder(parsed.study, study.name, parsed.output)
    swept = swept_seeds(study_plan, parsed.seeds)
    for note in swept.notes:
        print(f"note: {note}", file=sys.stderr)
    options = sweep_options.SweepOptions(
        jobs=parsed.jobs, engine=parsed.engine, device=parsed.device, retries=parsed.retries, timeout=parsed.timeout,
        fail_fast=parsed.fail_fast, retry_failed=parsed.retry_failed, force=parsed.force, limit=parsed.limit,
        where=sweep_options.conditions(parsed.filter, study), shard=parsed.shard, scheduler=parsed.scheduler,
        trust=parsed.trust, omitted=swept.omitted,
    )  # fmt: skip
    if parsed.dry_run:
        from harness.execution.preview import preview
        from harness.verdicts.prospects import prospects, warnings

        print(preview(study_plan, folder, options, warnings(study), prospects(study)))
        return cli.DONE
    swept.record(study_plan, folder)
    command = ["python", "-m", "harness.sweep", *arguments]
    shown = not (parsed.quiet or parsed.no_progress)
    processes = workers(parsed.jobs)
    loading = load_meanwhile() if processes > 1 and not options.shard_name else None
    try:
        result = sweep(study_plan, folder, options, shown=shown, quiet=parsed.quiet, command=command)
    except KeyboardInterrupt as interruption:
        print(f"\ninterrupted; finished runs are kept. To go on: {shlex.join(command)}", file=sys.stderr)
        return cli.TERMINATED if isinstance(interruption, Terminated) else cli.INTERRUPTED
    for sentence in result.open_winners:
        print(f"tuning: {sentence}", file=sys.stderr)
    if result.awaited:
        print(
            f"shard {options.shard_name}: {result.awaited} tuning runs of other shards are missing, and no other shard "
            "is at work here; once they are done, the same command goes on",
            file=sys.stderr,
        )
    if result.missing and options.shard_name:
        print(
            f"shard {options.shard_name}: {result.computed} runs computed; "
            f"{result.missing} of the study's still missing"
        )
        print("figures, verdicts and report come with the last shard, or by python -m harness.report")
        return cli.RUNS_MISSING if result.failed or result.awaited else cli.DONE
    if loading is not None:
        loading.join()
        end_workers(wait=True)  # their threads would keep the figures from being drawn in parallel
    from harness.report.presenting import present
    from harness.store.locks import derived_lock

    with derived_lock(folder):
        report = present(study_plan, folder, parsed.formats, parsed.style, jobs=processes)
    if not parsed.quiet:
        print(report.screen(result.seconds, result.computed))
    if result.failed:  # before the verdicts: a sweep's first task is its runs, and an expectation may wait for them
        print(
            f"{len(result.failed)} runs failed; why: {folder}/failures/. To try them again: add --retry-failed",
            file=sys.stderr,
        )
        return cli.RUNS_MISSING
    return {"fails": cli.EXPECTATION_FAILED, "undecided": cli.UNDECIDED}.get(report.judged.state, cli.DONE)


def _parser() -> argparse.ArgumentParser:
    parser = cli.study_parser(
        "sweep",
        "Compute what is missing of a study, then draw its figures, judge its expectations and write its report.",
    )
    add = parser.add_argument
    add(
        "-j",
        dest="jobs",
        type=cli.argument(sweep_options.jobs),
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
        type=cli.argument(sweep_options.engine),
        metavar="E",
        default="compiled",
        help="compiled: machine code from each cell's equations (default); torch: step by step",
    )
    add(
        "--device",
        type=cli.argument(sweep_options.device),
        default="cpu",
        metavar="D",
        help="torch device; all but cpu take the torch engine",
    )
    add(
        "--shard",
        type=cli.argument(sweep_options.shard),
        default=(1, 1),
        metavar="I/N",
        help="only the I-th of N shares of the runs; shards may share a folder, at the same time: for job arrays",
    )
    add(
        "--scheduler",
        type=cli.argument(sweep_options.scheduler),
        metavar="ADDR",
        help="compute on the workers of this dask scheduler (tcp://host:8786); the results folder must be theirs too",
    )
    add(
        "--retries",
        type=cli.argument(sweep_options.count),
        default=1,
        metavar="K",
        help="try a failed run again up to K times (default 1)",
    )
    add("--timeout", type=cli.argument(sweep_options.seconds), metavar="S", help="seconds a run may take")
    add("--fail-fast", action="store_true", help="stop at the first run that failed for good")
    add("--retry-failed", action="store_true", help="compute again what failed before")
    add("--force", action="store_true", help="compute again what is done")
    add("--limit", type=cli.argument(sweep_options.count), metavar="N", help="at most N runs")
    add("--filter", action="append", default=[], metavar="COLUMN=VALUE[,VALUE]", help="only runs with these values")
    add(
        "--seeds",
        choices=("calibration", "judged", "all"),
        help="of a study with calibration seeds: which to compute (default: calibration, and judged once it is frozen)",
    )
    add("--trust", action="store_true", help="execute the code that the study names (model.factory)")
    add("-q", "--quiet", action="store_true", help="print nothing but errors")
    add("--no-progress", action="store_true", help="no progress on stderr")
    cli.add_figure_options(parser)
    return parser


if __name__ == "__main__":
    cli.run(main)
