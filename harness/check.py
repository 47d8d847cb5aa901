"""python -m harness.check STUDY: the expectations, judged from the results so far; exit 3 if one fails."""

from __future__ import annotations

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = cli.study_parser(
        "check",
        "Judge a study's expectations from the results so far; exit 3 if one fails, 1 if runs are missing, 4 if one is "
        "undecided: its seeds are too few.",
    )
    parser.add_argument("--junit", metavar="FILE", help="write the verdicts as JUnit XML too")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    parsed = parser.parse_args(arguments)
    from harness.registry import read
    from harness.store.location import results_folder
    from harness.study.plan import plan
    from harness.verdicts.documents import verdict_document
    from harness.verdicts.judging import judge_folder

    study = read(parsed.study, parsed.overrides)
    with cli.naming_the_sweep(parsed):
        judged = judge_folder(plan(study), results_folder(parsed.study, study.name, parsed.output))
    print(cli.json_text(verdict_document(judged)) if parsed.json else "\n".join([judged.text(), *judged.notes]))
    if parsed.junit:
        judged.write_junit(parsed.junit)
    # An expectation that fails does so whatever the missing runs would have measured: its code comes first.
    # One that is undecided asks for more seeds: those that are planned come before.
    codes = {"fails": cli.EXPECTATION_FAILED, "incomplete": cli.RUNS_MISSING, "undecided": cli.UNDECIDED}
    return codes.get(judged.state, cli.DONE)


if __name__ == "__main__":
    cli.run(main)
