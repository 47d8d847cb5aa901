"""python -m harness.compare A B: what changed between two results of the same study; exit 3 on a regression."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.compare",
        description="Compare two results pair by pair: 0 no regression, 3 a regression, 1 runs of A have no result in "
        "B, 2 the two cannot be compared.",
        allow_abbrev=False,
    )
    parser.add_argument("first", metavar="A", type=Path, help="the baseline: a results folder, or what --save wrote")
    parser.add_argument("second", metavar="B", type=Path, nargs="?", help="the results to be judged")
    parser.add_argument("--metric", help="what is compared (default: success_rate if a run was solved)")
    parser.add_argument(
        "--margin", type=margin, metavar="D", help="how much worse a cell may be (default: the metric's)"
    )
    parser.add_argument("--level", type=level, default=0.95, help="of the test over the whole grid (default: 0.95)")
    parser.add_argument("--allow-partial", action="store_true", help="judge although runs of A have no result in B")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write the verdict as JUnit XML too")
    parser.add_argument("--markdown", metavar="FILE", help="write it as Markdown too; - prints it instead")
    parser.add_argument("--json", action="store_true", help="print JSON instead")
    parser.add_argument(
        "--save", metavar="DIR", type=Path, help="save of A what a comparison needs, in DIR/runs.parquet"
    )
    parsed = parser.parse_args(arguments)
    if (parsed.second is None) == (parsed.save is None):
        parser.error("give B to compare A with, or --save to save A: one of the two")
    if parsed.json and parsed.markdown == "-":
        parser.error("--json and --markdown - both print: choose one")
    from harness.store import baseline

    if parsed.save is not None:
        print(f"saved {baseline.save(parsed.first, parsed.save)}")
    if parsed.second is None:
        return cli.DONE
    return _compare(parsed)


def _compare(parsed: argparse.Namespace) -> int:
    from harness.errors import ResultsError
    from harness.report import comparison_text
    from harness.verdicts.comparison import compare
    from harness.verdicts.pairing import comparable_runs

    comparison = compare(
        comparable_runs(parsed.first),
        comparable_runs(parsed.second),
        metric=parsed.metric,
        margin=parsed.margin,
        level=parsed.level,
        allow_partial=parsed.allow_partial,
    )
    names = (str(parsed.first), str(parsed.second))
    files = {}
    if parsed.junit:
        files[parsed.junit] = comparison_text.junit(comparison, f"{parsed.second.name} against {parsed.first.name}")
    if parsed.markdown and parsed.markdown != "-":
        files[Path(parsed.markdown)] = (comparison_text.markdown(comparison, names) + "\n").encode()
    for path, data in files.items():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None
    if parsed.json:
        print(cli.json_text(comparison_text.as_json(comparison, names)))
    else:
        print((comparison_text.markdown if parsed.markdown == "-" else comparison_text.text)(comparison, names))
    return {"no regression": cli.DONE, "regression": cli.EXPECTATION_FAILED, "incomplete": cli.RUNS_MISSING}[
        comparison.state
    ]


def margin(text: str) -> float:
    """A difference: 0 or more."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no size of a difference")
    return value


def level(text: str) -> float:
    """A confidence level: between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value


if __name__ == "__main__":
    cli.run(main)
