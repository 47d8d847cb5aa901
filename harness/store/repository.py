"""The git repository that a file lies in: which commit is checked out, and whether files differ from it.

Nothing that a repository's configuration, its hooks or the environment names is run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CheckedOut:
    """A commit, the files that it has, and whether any of them is another in the working tree."""

    commit: str
    files: frozenset[bytes]
    changed: bool


def git(root: Path, *arguments: str) -> bytes:
    """What git answers.

    Raises:
        OSError, subprocess.SubprocessError: there is no git, or it fails, or gives no answer.
    """
    off = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "protocol.allow=never")
    options = [part for setting in off for part in ("-c", setting)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", *options, *arguments]
    return subprocess.run(
        command, cwd=root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=30
    ).stdout


def checked_out(root: Path) -> CheckedOut:
    """The commit of a repository and the state of its files.

    Raises:
        OSError, ValueError, subprocess.SubprocessError: as `git`, or it has no commit.
    """
    head = git(root, "rev-parse", "--verify", "HEAD").decode().strip()
    files = [line.partition(b"\t") for line in git(root, "ls-tree", "-r", "-z", "HEAD").split(b"\0") if line]
    changed = any(_differs(root / os.fsdecode(name), *entry.decode().split()) for entry, _, name in files)
    return CheckedOut(head, frozenset(name for _, _, name in files), changed)


def commit_of(path: Path) -> tuple[str | None, bool | None]:
    """The commit that a file was written at, and whether the tree is dirty: files changed, or this one not in it.

    Returns:
        (None, None) outside a repository with a commit, and without git.
    """
    path = Path(os.path.realpath(path))
    try:
        root = Path(os.fsdecode(git(path.parent, "rev-parse", "--show-toplevel").rstrip(b"\n")))
        tree = checked_out(root)
        tracked = os.fsencode(path.relative_to(os.path.realpath(root))) in tree.files
    except (OSError, ValueError, subprocess.SubprocessError):
        return None, None
    return tree.commit, tree.changed or not tracked


def committed(path: Path) -> bytes | None:
    """A file as the commit that is checked out has it; None where it has none, outside a repository or without git."""
    path = Path(os.path.realpath(path))
    try:
        return git(path.parent, "cat-file", "blob", f"HEAD:./{path.name}")
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _differs(path: Path, mode: str, kind: str, name: str) -> bool:
    """Whether a file is another than in the commit; git itself would run the filters that the repository names."""
    if kind != "blob" or mode == "120000":
        return False
    try:
        data = path.read_bytes()
    except OSError:
        return True
    return hashlib.new("sha256" if len(name) == 64 else "sha1", b"blob %d\0" % len(data) + data).hexdigest() != name
