"""What all doors share: arguments that name a study and a results folder, and how an error leaves the program."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path

from harness.errors import HarnessError, nearest

DONE, FAILED, WRONG, NOT_HELD, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143
STYLES, FORMATS = ("paper", "talk", "notebook"), ("pdf", "png", "svg")  # as in analysis.style, which is slow to load


def parser(command: str, what: str, *, optional: bool = False) -> argparse.ArgumentParser:
    """A parser with the arguments that every door takes; `optional`: the door can do without a study."""
    made = argparse.ArgumentParser(prog=f"python -m harness.{command}", description=what, allow_abbrev=False)
    made.add_argument("study", metavar="STUDY", nargs="?" if optional else None, help="the study's YAML file")
    made.add_argument(
        "-S",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override a setting; a list makes an axis",
    )
    made.add_argument(
        "-o", dest="output", metavar="DIR", help="results go to DIR/<name> (default: results/<path under studies/>)"
    )
    return made


def looks(made: argparse.ArgumentParser) -> None:
    """Add what the figures look like, for those doors that draw them."""
    made.add_argument(
        "--style",
        choices=STYLES,
        default=STYLES[0],
        help="what the figures are for: sets their width and the size of text and lines (default: paper)",
    )
    made.add_argument(
        "--format",
        dest="formats",
        type=_formats,
        default=("pdf", "png"),
        metavar="F[,F]",
        help="the figures' files: pdf, png, svg (default: pdf,png); files of other formats are removed",
    )


def _formats(text: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(text.split(",")))
    unknown = [each for each in asked if each not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no format '{unknown[0]}'{nearest(unknown[0], FORMATS)}")
    return asked


def results_folder(study: str, name: str, output: str | None) -> Path:
    """Where a study's results are: DIR/<name>, or results/<path under studies/>."""
    if output is not None:
        return Path(output) / name
    path = Path(study).resolve()
    if "studies" in path.parts[:-1] and path.stem.strip("."):  # a file called ...yaml would lie above results/
        below = path.parts[len(path.parts) - 1 - path.parts[::-1].index("studies") + 1 :]
        return Path("results", *below).with_suffix("")
    return Path("results") / name


def run(door: Callable[[list[str]], int]) -> None:
    """Call a door and leave with its exit code; what a user can mend is one message, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path need not be text, a terminal need not know τ
    try:
        code = guarded(door, sys.argv[1:])
    except BrokenPipeError:  # the reader of our output has gone, which is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    sys.exit(code)


def guarded(door: Callable[[list[str]], int], arguments: list[str]) -> int:
    """A door's exit code; HarnessError, and what the machine refuses, becomes a message on stderr and code 2."""
    try:
        return door(arguments)
    except HarnessError as error:
        print(error, file=sys.stderr)
        return WRONG
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"{error.filename or 'the system refuses'}: {error.strerror or error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
