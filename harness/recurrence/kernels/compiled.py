"""How a kernel is compiled, and where its machine code is kept."""

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from .checked import CheckedCache

F = TypeVar("F", bound=Callable[..., Any])

config: Any = numba.config

HERE = Path(__file__).resolve().parent

# NaN and infinity are outcomes here: the flags that assume them away (nnan, ninf) stay out. With numba's default
# error model a division may raise, and a loop that may raise does not vectorise.
OPTIONS: Any = {"fastmath": {"contract", "reassoc", "arcp", "nsz"}, "error_model": "numpy"}


def compiled(function: F) -> F:
    """Compile `function` at its first call, free of the GIL; keep the machine code on disk where a folder allows it."""
    dispatcher: Any = numba.njit(nogil=True, **OPTIONS)(function)
    folder = None if config.DISABLE_JIT else cache_folder()
    if folder is None:
        return dispatcher
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        dispatcher._cache = CheckedCache(function)  # what cache=True does, with numba's own class
    finally:
        config.CACHE_DIR = before
    return dispatcher


@cache
def cache_folder() -> Path | None:
    """The first folder that this user alone can write: NUMBA_CACHE_DIR, beside the sources, the user's cache, another.

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
        if writable(base / name) and owned(base / name):
            return base / name
    try:
        last = Path(tempfile.gettempdir(), f"{name}-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    except FileNotFoundError:  # no temporary folder either
        return None
    return last if writable(last) and owned(last) else None


def writable(folder: Path) -> bool:
    """Whether files can be created in `folder`, which is made if it is missing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def owned(folder: Path) -> bool:
    """Whether nobody else can put files into `folder`, or another in its place: what is cached gets unpickled."""
    if sys.platform == "win32":  # the folders above are the user's own there
        return True
    if folder.is_symlink() or not trusted(folder) or folder.stat().st_mode & 0o022:
        return False
    return all(trusted(above) and not replaceable(above) for above in folder.resolve().parents)


def trusted(folder: Path) -> bool:
    """Whether a folder is this user's or the system's."""
    return folder.is_dir() and folder.stat().st_uid in (0, os.getuid())


def replaceable(folder: Path) -> bool:
    """Whether others can rename what is in a folder: those who may write it, unless each may rename only its own.

    A group of its own is what many systems give to each user.
    """
    status = folder.stat()
    others = 0o002 | (0 if status.st_gid == os.getgid() else 0o020)
    return bool(status.st_mode & others) and not status.st_mode & stat.S_ISVTX
