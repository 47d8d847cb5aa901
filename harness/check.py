"""python -m harness.check STUDY: the expectations, judged from what is kept; exit 3 if one does not hold."""

from __future__ import annotations

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    made = cli.parser(
        "check", "Judge a study's expectations from what is kept; exit 3 if one does not hold, 1 if runs are missing."
    )
    made.add_argument("--junit", metavar="FILE", help="write the verdicts as JUnit XML too")
    made.add_argument("--json", action="store_true", help="print one JSON document instead")
    asked = made.parse_args(arguments)
    from harness.registry import read
    from harness.report.presenting import judge_folder
    from harness.study.plan import plan

    study = read(asked.study, asked.overrides)
    folder = cli.results_folder(asked.study, study.name, asked.output)
    judged = judge_folder(plan(study), folder)
    if asked.json:
        from harness.report.documents import printed, verdict_document

        print(printed(verdict_document(judged)))
    else:
        print(judged.text())
    if asked.junit:
        judged.write_junit(asked.junit)
    return cli.NOT_HELD if judged.broken else cli.FAILED if judged.incomplete else cli.DONE


if __name__ == "__main__":
    cli.run(main)
