"""How a kernel is compiled, and where its machine code is kept."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

config: Any = numba.config

HERE = Path(__file__).resolve().parent

# NaN and infinity are outcomes here: the flags that assume them away (nnan, ninf) stay out. With numba's default
# error model a division may raise, and a loop that may raise does not vectorise.
OPTIONS: Any = {"fastmath": {"contract", "reassoc", "arcp", "nsz"}, "error_model": "numpy"}


def compiled(function: F) -> F:
    """Compile `function` at its first call, free of the GIL; keep the machine code on disk where a folder allows it."""
    folder = cache_folder()
    if folder is None:
        return numba.njit(nogil=True, **OPTIONS)(function)
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        return numba.njit(cache=True, nogil=True, **OPTIONS)(function)
    finally:
        config.CACHE_DIR = before


@cache
def cache_folder() -> Path | None:
    """The first folder that can be written: NUMBA_CACHE_DIR, beside the sources, the user's cache, a private one.

    numba would look in the first three by itself, but it raises 'no locator available' at import when none can be
    written (a read-only installation in a container), and it recompiles a function only when that function's own file
    has changed: an edit of `nonlinearities.py` would leave yesterday's tanh inside the cached kernels. Hence the
    subfolder, named after the contents of all sources in this folder. None: compile in every process.
    """
    sources = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
    name = f"kernels-{hashlib.sha256(sources).hexdigest()[:16]}"
    given = config.CACHE_DIR
    # not Path.expanduser, which raises where a user id has neither HOME nor an entry in /etc/passwd (containers)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    bases = [Path(given)] if given else [HERE / "__pycache__", *([Path(home, "numba")] if os.path.isabs(home) else [])]
    for base in bases:
        if writable(base / name):
            return base / name
    try:
        private = Path(tempfile.gettempdir(), f"{name}-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    except FileNotFoundError:  # no temporary folder either
        return None
    return private if writable(private) and owned(private) else None


def writable(folder: Path) -> bool:
    """Whether files can be created in `folder`, which is made if it is missing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def owned(folder: Path) -> bool:
    """Whether nobody else could have put files into `folder`: what is cached gets unpickled."""
    if sys.platform == "win32":  # the temporary folder is the user's own there
        return True
    status = folder.lstat()
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == os.getuid() and not status.st_mode & 0o022
