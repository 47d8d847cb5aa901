"""What all commands share: arguments for a study and its results folder, exit codes, and how errors are reported."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from io import TextIOWrapper
from typing import Any, TypeVar

from harness.errors import HarnessError, check_current_folder, nearest

# Exit codes. 0: done, and every expectation that has a verdict holds; 1: runs failed, or are missing where a verdict
# needs them; 2: the command or the study is wrong; 3: an expectation fails, or a comparison is a regression.
DONE, RUNS_MISSING, USAGE_ERROR, EXPECTATION_FAILED, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143
STYLES, FORMATS = ("paper", "talk", "notebook"), ("pdf", "png", "svg")  # as in figures.style, which is slow to load

Value = TypeVar("Value")


def study_parser(command: str, description: str, *, study_optional: bool = False) -> argparse.ArgumentParser:
    """A parser with the arguments of every command that takes a study.

    Args:
        command: the command's name.
        description: what `--help` says of it.
        study_optional: the command can also be called without a study.
    """
    parser = argparse.ArgumentParser(prog=f"python -m harness.{command}", description=description, allow_abbrev=False)
    parser.add_argument("study", metavar="STUDY", nargs="?" if study_optional else None, help="the study's YAML file")
    parser.add_argument(
        "-S",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="override a setting; a list makes an axis",
    )
    parser.add_argument(
        "-o", dest="output", metavar="DIR", help="results go to DIR/<name> (default: results/<path under studies/>)"
    )
    return parser


def add_figure_options(parser: argparse.ArgumentParser) -> None:
    """Add style and formats, for the commands that draw figures."""
    parser.add_argument(
        "--style",
        choices=STYLES,
        default=STYLES[0],
        help="what the figures are for: sets their width and the size of text and lines (default: paper)",
    )
    parser.add_argument(
        "--format",
        dest="formats",
        type=_formats,
        default=("pdf", "png"),
        metavar="F[,F]",
        help="the figures' files: pdf, png, svg (default: pdf,png); files of other formats are removed",
    )


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no format '{unknown[0]}'{nearest(unknown[0], FORMATS)}")
    return formats


def argument(check: Callable[[str], Value]) -> Callable[[str], Value]:
    """A check of the library as the type of an argument: its HarnessError becomes a usage error of that argument."""

    @wraps(check)  # argparse puts the function's name into its own messages
    def parse(text: str) -> Value:
        try:
            return check(text)
        except HarnessError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def json_text(document: Mapping[str, Any]) -> str:
    """A document as `--json` prints it; other than ASCII is escaped, so that any terminal and any pipe takes it."""
    return json.dumps(document, indent=1, allow_nan=False)


def run(command: Callable[[list[str]], int]) -> None:
    """Call a command and leave with its exit code; a mistake of the user is one message, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may not be text, a terminal may not have τ
    try:
        code = guarded(command, sys.argv[1:])
    except BrokenPipeError:  # the reader of our output has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    sys.exit(code)


def guarded(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """A command's exit code; HarnessError, and an error of the system, becomes a message on stderr and code 2."""
    try:
        check_current_folder()
        return command(arguments)
    except HarnessError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"{error.filename or 'the system refuses'}: {error.strerror or error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
