"""Commands as a user calls them, in this process."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from harness.cli import guarded

ONE_PROCESS = ("-j", "1", "--engine", "torch")  # of a sweep: neither workers to start nor cells to compile


def exit_code(command: ModuleType, *arguments: str | Path) -> int:
    """What a command returns to the shell; errors are messages on stderr."""
    return guarded(command.main, [str(argument) for argument in arguments])
