"""Shared by all fuzzing: number of cases and seed, commands called under a time limit, folders compared."""

from __future__ import annotations

import io
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import time
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, seed, settings
from study_texts import study_text

from harness.cli import guarded

FACTOR = int(os.environ.get("FUZZ_FACTOR") or 1)  # more cases of everything: `tox -e fuzz`
SEED = int(os.environ.get("FUZZ_SEED") or time())  # of the long run; the ordinary one is the same every time
SECONDS = 10.0  # for one call of a command; ordinary calls take a hundredth of a second
STUDIES = Path(__file__).parents[2] / "studies"

TINY = study_text(seeds=4)

calls: Counter[str] = Counter()  # calls of commands, by test


class Hang(BaseException):
    """Not an Exception: nothing in the harness may catch it."""


@dataclass(frozen=True)
class Shown:
    """Exit code and output of a call."""

    code: int
    out: str
    err: str


def cases(number: int) -> Callable[[Any], Any]:
    """A test of so many examples times FACTOR in the long run, and of half as many in the ordinary one."""
    chosen = settings(
        max_examples=number // 2 if FACTOR == 1 else number * FACTOR,
        derandomize=FACTOR == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    return chosen if FACTOR == 1 else lambda test: seed(SEED)(chosen(test))


def call(command: ModuleType, *arguments: object, seconds: float = SECONDS) -> Shown:
    """Call a command as the command line does. An exception goes through, and a call that takes too long raises one."""
    calls[os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].partition(" ")[0].partition("[")[0]] += 1
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), time_limit(seconds):
        try:
            code = guarded(command.main, [str(argument) for argument in arguments])
        except SystemExit as left:  # argparse
            code = int(left.code or 0)
    return Shown(code, out.getvalue(), err.getvalue())


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except Hang:
        raise AssertionError(f"not back after {seconds} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def located(shown: Shown, source: object) -> bool:
    """Whether a refusal begins with the place it speaks of: a file, with line and column, or an option."""
    return bool(re.match(rf"({re.escape(str(source))}|-S \d+)(:\d+:\d+)?(:| is a directory)", shown.err))


def snapshot(folder: Path) -> dict[str, str]:
    """Every file, link and folder below one, with its content."""
    content = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            content[name] = f"→ {os.readlink(path)}"
        elif path.is_file():
            content[name] = sha256(path.read_bytes()).hexdigest()
        else:
            content[name] = "folder"
    return content
