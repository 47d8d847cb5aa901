"""python -m harness.compare A B: what changed between two results of the same study; exit 3 on a regression."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    made = argparse.ArgumentParser(
        prog="python -m harness.compare",
        description="Compare two results pair by pair: 0 no regression, 3 a regression, 1 runs of A have no result in "
        "B, 2 the two cannot be compared.",
        allow_abbrev=False,
    )
    made.add_argument("first", metavar="A", type=Path, help="the baseline: a results folder, or what --save keeps")
    made.add_argument("second", metavar="B", type=Path, nargs="?", help="the results to be judged")
    made.add_argument("--metric", help="what is compared (default: success_rate if a run was solved)")
    made.add_argument("--margin", type=size, metavar="D", help="how much worse a cell may be (default: the metric's)")
    made.add_argument("--level", type=share, default=0.95, help="of the test over the whole grid (default: 0.95)")
    made.add_argument("--allow-partial", action="store_true", help="judge although runs of A have no result in B")
    made.add_argument("--junit", metavar="FILE", type=Path, help="write the verdict as JUnit XML too")
    made.add_argument("--markdown", metavar="FILE", help="write it as Markdown too; - prints it instead")
    made.add_argument("--json", action="store_true", help="print JSON instead")
    made.add_argument("--save", metavar="DIR", type=Path, help="keep of A what a comparison needs, in DIR/runs.parquet")
    asked = made.parse_args(arguments)
    if (asked.second is None) == (asked.save is None):
        made.error("give B to compare A with, or --save to keep A: one of the two")
    if asked.json and asked.markdown == "-":
        made.error("--json and --markdown - both print: choose one")
    from harness.store import baseline

    if asked.save is not None:
        print(f"kept {baseline.keep(asked.first, asked.save)}")
    if asked.second is None:
        return cli.DONE
    return _compare(asked)


def _compare(asked: argparse.Namespace) -> int:
    import json

    from harness.errors import ResultsError
    from harness.report import comparison_text
    from harness.store import baseline
    from harness.verdicts.comparison import compare

    found = compare(
        baseline.read(asked.first).to_pandas(),
        baseline.read(asked.second).to_pandas(),
        metric=asked.metric,
        margin=asked.margin,
        level=asked.level,
        allow_partial=asked.allow_partial,
    )
    names = (str(asked.first), str(asked.second))
    files = {}
    if asked.junit:
        files[asked.junit] = comparison_text.junit(found, f"{asked.second.name} against {asked.first.name}")
    if asked.markdown and asked.markdown != "-":
        files[Path(asked.markdown)] = (comparison_text.markdown(found, names) + "\n").encode()
    for path, data in files.items():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None
    if asked.json:
        print(json.dumps(comparison_text.as_json(found, names), indent=1, ensure_ascii=False))
    else:
        print((comparison_text.markdown if asked.markdown == "-" else comparison_text.text)(found, names))
    return {"no regression": cli.DONE, "regression": cli.NOT_HELD, "incomplete": cli.FAILED}[found.state]


def size(text: str) -> float:
    """An argument that is a size: 0 or more."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no size of a difference")
    return value


def share(text: str) -> float:
    """An argument that lies between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return value


if __name__ == "__main__":
    cli.run(main)
