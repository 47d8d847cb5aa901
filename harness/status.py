"""python -m harness.status STUDY: what is done, missing, failed and orphaned, and the cost still to come."""

from __future__ import annotations

from harness import doors


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    asked = doors.parser(
        "status", "Say what of a study is done, missing, failed or orphaned, and what is still to come."
    ).parse_args(arguments)
    from harness.catalogue import read
    from harness.execution.preview import status
    from harness.store.journal import Journal
    from harness.study.plan import plan

    study = read(asked.study, asked.overrides)
    folder = doors.results_folder(asked.study, study.name, asked.output)
    print(status(plan(study), Journal.open(folder)))
    return doors.DONE


if __name__ == "__main__":
    doors.run(main)
