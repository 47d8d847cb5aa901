"""python -m harness.report STUDY: figures, verdicts and report again, from what is kept."""

from __future__ import annotations

from harness import doors


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    asked = doors.parser("report", "Draw a study's figures and write its report again, from what is kept.").parse_args(
        arguments
    )
    from harness.analysis.presenting import present
    from harness.catalogue import read
    from harness.study.plan import plan

    study = read(asked.study, asked.overrides)
    folder = doors.results_folder(asked.study, study.name, asked.output)
    print(present(plan(study), folder).screen())
    return doors.DONE


if __name__ == "__main__":
    doors.run(main)
