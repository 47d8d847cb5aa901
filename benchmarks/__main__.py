"""python -m benchmarks: measure, print the table of goals, write docs/performance.md."""

from __future__ import annotations

import argparse
import os
import sys

from harness import cli

# As in sections.py, which --help need not load; a test compares the two.
NAMES = ("step", "cells", "depth", "parts", "sweeps", "fixed", "growth", "watch")
HELD = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # they hold OpenBLAS, the limit's own library, to another processor


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    options = _parser().parse_args(arguments)
    from harness.execution.environment import prepare, single_threaded

    for name in HELD:
        os.environ.pop(name, None)
    prepare()  # before numpy and torch load
    from benchmarks import measurement, page, sections, tables
    from benchmarks.reasons import REASONS

    single_threaded()
    path = page.HERE / "results.json"
    effort = measurement.QUICK if options.quick else measurement.FULL
    results = dict(measurement.read(path)) if options.page or (options.only and not options.quick) else {}
    chosen = [] if options.page else options.only or (sections.QUICKLY if options.quick else NAMES)
    for name in chosen:
        results[name] = sections.run(name, effort, lambda text: print(text, file=sys.stderr, flush=True))
        if not options.quick:
            measurement.write(results, path)
    print(tables.goals(results, REASONS).screen())
    if not options.quick:
        for written in page.write(results):
            print(f"written: {written}")
    return cli.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the centre of the grid only, two minutes; writes nothing")
    parser.add_argument("--page", action="store_true", help="write the page again from benchmarks/results.json")
    parser.add_argument("--only", nargs="+", choices=NAMES, help="measure these sections, keep the others as they are")
    return parser


if __name__ == "__main__":
    cli.run(main)
