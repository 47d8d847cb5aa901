"""python -m harness.status STUDY: what is done, missing, failed and orphaned, and the cost still to come."""

from __future__ import annotations

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    made = cli.parser("status", "Say what of a study is done, missing, failed or orphaned, and what is still to come.")
    made.add_argument("--json", action="store_true", help="print one JSON document instead")
    asked = made.parse_args(arguments)
    from harness.registry import read
    from harness.store.journal import Journal
    from harness.study.plan import plan

    study = read(asked.study, asked.overrides)
    folder = cli.results_folder(asked.study, study.name, asked.output)
    planned, journal = plan(study), Journal.open(folder)
    if asked.json:
        from harness.report.documents import printed, status_document

        print(printed(status_document(planned, journal)))
    else:
        from harness.execution.preview import status

        print(status(planned, journal))
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
