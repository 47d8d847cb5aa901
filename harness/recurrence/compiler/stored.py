"""Machine code on disk, so that a cell is compiled once on a machine: a file for each function of each shape.

A file is named after everything that its code depends on, and begins with a checksum. What is damaged counts as
missing; a folder that others can write is not used; where nothing can be written, every process compiles for itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from harness.recurrence.compiler.native import Processor

HERE = Path(__file__).parent
CHECKSUM = hashlib.sha256().digest_size


def code_of(
    identity: object, name: str, processor: Processor, compile_it: Callable[[], tuple[bytes, list[str]]]
) -> tuple[bytes, list[str]]:
    """A function's machine code and the order of its table, from disk or made and kept there.

    Args:
        identity: of the program and its shapes; its text says all that they are.
        name: of the function.
        compile_it: makes both.
    """
    text = repr((_engine(), name, processor, identity))
    file = f"{hashlib.sha256(text.encode()).hexdigest()}.bin"
    with suppress(OSError, ValueError):
        return _read(folder() / file)
    compiled = compile_it()
    with suppress(OSError):
        _write(folder() / file, *compiled)
    return compiled


def folder() -> Path:
    """Where machine code is kept, in the user's cache; raises OSError where there is none (see `study/content.py`)."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(home):
        raise OSError("no folder for caches")
    return Path(home, "vanishing-gradient-harness", "machine-code")


@cache
def _engine() -> str:
    """The compiler's own sources and LLVM's version."""
    sources = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
    return f"{hashlib.sha256(sources).hexdigest()} {version('llvmlite')}"


def _read(path: Path) -> tuple[bytes, list[str]]:
    """Raises OSError, ValueError: it is missing, damaged, or others could have written it."""
    if not _private(path.parent):
        raise PermissionError(f"{path.parent}: others can write here")
    data = path.read_bytes()
    if hashlib.sha256(data[CHECKSUM:]).digest() != data[:CHECKSUM]:
        raise ValueError(f"{path}: another checksum")
    slots, _, code = data[CHECKSUM:].partition(b"\n")
    return code, json.loads(slots)


def _write(path: Path, code: bytes, slots: list[str]) -> None:
    """Whole or not at all: two processes that compile the same write the same."""
    data = json.dumps(slots).encode() + b"\n" + code
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _private(path.parent):
        return
    with tempfile.TemporaryDirectory(dir=path.parent) as own:
        file = Path(own, path.name)
        file.write_bytes(hashlib.sha256(data).digest() + data)
        os.replace(file, path)


def _private(folder: Path) -> bool:
    """Whether nobody else can have put files there, or another folder in its place: what they hold will be run."""
    status = folder.lstat()
    own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if os.name != "posix":
        return stat.S_ISDIR(status.st_mode)
    modes = [parent.stat().st_mode for parent in folder.resolve().parents]
    renamed = any(mode & stat.S_IWOTH and not mode & stat.S_ISVTX for mode in modes)
    return stat.S_ISDIR(status.st_mode) and own and not status.st_mode & 0o022 and not renamed
