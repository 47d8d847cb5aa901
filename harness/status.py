"""python -m harness.status STUDY: what is done, missing, failed and orphaned, and the cost still to come."""

from __future__ import annotations

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = cli.study_parser(
        "status", "Say what of a study is done, missing, failed or orphaned, and what is still to come."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    parsed = parser.parse_args(arguments)
    from harness.registry import read
    from harness.store.journal import Journal
    from harness.store.location import results_folder
    from harness.store.status import Status
    from harness.study.plan import plan

    study = read(parsed.study, parsed.overrides)
    with cli.naming_the_sweep(parsed):
        journal = Journal.open(results_folder(parsed.study, study.name, parsed.output))
    status = Status.of(plan(study), journal)
    print(cli.json_text(status.document()) if parsed.json else status.text())
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
