"""python -m harness.leaderboard [FOLDER ...]: cells × tasks from any results, with gradients, like beside like."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import cli

OURS = (Path("results", "leaderboard"), Path("results", "reference", "leaderboard"))


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.leaderboard",
        description="Rank cells on tasks by the results in some folders: success, accuracy, updates to solve, seconds, "
        "and the gradient. Entries of different budget or size are not put beside one another.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "folders", nargs="*", metavar="FOLDER", type=Path, help="results folders or baselines, or folders above some "
        "(default: results/leaderboard and results/reference/leaderboard, those that there are)",
    )  # fmt: skip
    parser.add_argument(
        "--task", metavar="NAME", action="append", default=[], help="only this task; may be given several times"
    )
    parser.add_argument("-o", dest="page", metavar="FILE", type=Path, help="write a page, HTML in one file, too")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the page docs/leaderboard.md too")
    parser.add_argument(
        "--save", metavar="DIR", type=Path, help="save of one results FOLDER its runs, seconds and fingerprints, small "
        "enough to be put under version control, in DIR; nothing is printed of it but the path",
    )  # fmt: skip
    parsed = parser.parse_args(arguments)
    if parsed.save is not None and len(parsed.folders) != 1:
        parser.error("--save saves one results folder: give it as FOLDER")
    from harness.errors import HarnessError, NoResultsError
    from harness.store import fingerprints

    if parsed.save is not None:
        print(f"saved {fingerprints.save(parsed.folders[0], parsed.save)}")
        return cli.DONE
    folders = parsed.folders or [folder for folder in OURS if folder.is_dir()]
    if not folders:
        raise NoResultsError(
            f"no {OURS[0]} here; python -m harness.sweep studies/leaderboard/NAME.yaml computes it, or give a FOLDER"
        )
    from harness.errors.text import terminal_width
    from harness.registry import read, setting_roles
    from harness.report import leaderboard_page, leaderboard_text
    from harness.store.files import replace_file
    from harness.verdicts.collected import collect
    from harness.verdicts.leaderboard import leaderboard

    collected = collect(folders, read)
    words = {str(run[column]) for run in collected.runs for column in ("task", "cell")}
    board = leaderboard(collected, setting_roles(words), parsed.task)
    print(leaderboard_text.text(board, min(80, terminal_width())))
    for path, content in ((parsed.page, leaderboard_page.html), (parsed.markdown, leaderboard_page.markdown)):
        if path is not None:
            try:
                replace_file(path, content(board).encode())
            except OSError as error:
                raise HarnessError(f"{path}: cannot be written: {error.strerror or error}") from None
    return cli.DONE


if __name__ == "__main__":
    cli.run(main)
