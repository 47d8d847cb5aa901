"""python -m harness.freeze STUDY: its expectations, frozen in a file beside it before its judged runs are computed."""

from __future__ import annotations

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = cli.study_parser(
        "freeze",
        "Freeze a study's expectations, seeds, grid and tuning: a line more in STUDY.freeze.jsonl, which is only ever "
        "added to, and which you commit. What is judged after that is registered; a later change is an amendment.",
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="print what would be frozen, and write nothing")
    parser.add_argument(
        "--note", metavar="TEXT", default="", help="the reason of an amendment; a first freeze has none"
    )
    parsed = parser.parse_args(arguments)
    from harness.registry import read
    from harness.store.freezing import FreezeFile, notes_on
    from harness.store.location import results_folder
    from harness.study.plan import plan
    from harness.verdicts.registration import frozen_text

    study = read(parsed.study, parsed.overrides)
    folder = results_folder(parsed.study, study.name, parsed.output)
    file = FreezeFile.of(plan(study))
    if parsed.dry_run:
        print(frozen_text(file.checked(file.read(), folder, parsed.note or "…"), study))
        print(f"would be written to {file.path}")
        return cli.DONE
    freeze = file.freeze(folder, parsed.note)
    print(frozen_text(freeze, study))
    print(f"written to {file.path}; commit it before the judged runs: git add {file.path} && git commit")
    for note in notes_on(freeze, study):
        print(f"note: {note}")
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
