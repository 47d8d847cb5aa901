"""What all commands share: arguments for a study and its results folder, exit codes, and how errors are reported."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, TypeVar

from harness.errors import HarnessError, NoResultsError, check_current_folder, nearest
from harness.errors.text import printable

# Exit codes. 0: done, and every expectation that has a verdict holds; 1: runs failed, or are missing where a verdict
# needs them; 2: the command or the study is wrong; 3: an expectation fails, or a comparison is a regression; 4: none
# fails, and one is undecided.
DONE, RUNS_MISSING, USAGE_ERROR, EXPECTATION_FAILED, UNDECIDED, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 130, 143
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


@contextmanager
def naming_the_sweep(parsed: argparse.Namespace, experiment: str = "") -> Iterator[None]:
    """Where there are no results, say which command computes them: the sweep of this study, with these overrides.

    Raises:
        NoResultsError: with the command instead of its general form.
    """
    try:
        yield
    except NoResultsError as error:
        if experiment == "watched":
            text = "a watched training records them; give the study.yaml in its folder, or -o with the folder above"
            raise NoResultsError(f"{str(error).rpartition(';')[0]}; {text}") from None
        raise NoResultsError(f"{str(error).rpartition(';')[0]}; to compute them: {sweep_command(parsed)}") from None


def sweep_command(parsed: argparse.Namespace) -> str:
    """The sweep of a command's study, as one would type it."""
    overrides = [word for text in parsed.overrides for word in ("-S", text)]
    output = ["-o", parsed.output] if parsed.output is not None else []
    return shlex.join(["python", "-m", "harness.sweep", parsed.study, *overrides, *output])


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
    open_streams()
    plain_matplotlib()
    try:
        code = guarded(command, sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has closed it, as `head` does
        _discard(sys.stdout)
        code = DONE
    except OSError as error:  # the disk behind `> FILE` is full
        print(f"the output cannot be written: {error.strerror or error}", file=sys.stderr)
        _discard(sys.stdout)
        code = USAGE_ERROR
    sys.exit(code)


def open_streams() -> None:
    """Make stdout and stderr streams that can be written to, whatever the process was started with.

    A descriptor that is closed (`2>&-`, some daemons) is opened on the null device: otherwise the next file that is
    opened, a commit for one, would get its number, and what a library prints would go into that file. What is printed
    is made harmless on its way (`Printable`).
    """
    os.environ.setdefault("NO_COLOR", "1")  # Python's own colours of tracebacks and usages would be written out, too
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # the lowest that is free
        pass
    os.close(handle)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path may not be text, a terminal may not have τ
        setattr(sys, name, stream if isinstance(stream, Printable) else Printable(stream))


def plain_matplotlib() -> None:
    """Let no matplotlibrc and no MPLBACKEND into a command: one that is damaged ends the import of matplotlib.

    Figures do not depend on either (`figures.style.context`); a program that imports the harness keeps its own.
    """
    spec = find_spec("matplotlib")  # its place, without its import
    defaults = Path(spec.origin).parent / "mpl-data" / "matplotlibrc" if spec and spec.origin else None
    if defaults is not None and defaults.is_file():
        os.environ["MATPLOTLIBRC"] = str(defaults)
    os.environ["MPLBACKEND"] = "agg"
    if defaults is not None and os.path.isfile("matplotlibrc"):
        here = os.getcwd()
        os.chdir(defaults.parent)  # one in the current folder comes before MATPLOTLIBRC
        try:
            import_module("matplotlib")
        finally:
            os.chdir(here)


class Printable:
    """A stream on which no text can act: controls and marks of direction are written out (`text.printable`).

    The progress bar moves the cursor, and writes to the stream behind (`stream`).
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        # colorama, where a library loads it, ends every process on a terminal with a reset of its colours
        self.stream.write(text if text == "\x1b[0m" else printable(text, lines=True))
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _discard(stream: TextIO) -> None:
    """What is still to be written to a stream goes nowhere, so that Python does not complain at its exit."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
