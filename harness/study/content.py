"""The hash of a file's content, which a run id holds in place of the file's path.

A large file is hashed again only when its size, inode, or time of change is another: the hashes of large files are kept
in the user's cache. A cache that is damaged, or that others could write, counts as none.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG

DIGITS = 16  # of a hash, in hexadecimal: 64 bits
LARGE = 16 << 20  # bytes; a smaller file is hashed faster than a cache is read
BLOCK = 1 << 20  # bytes
MOST = 1000  # hashes that are cached
HASH = re.compile(rf"[0-9a-f]{{{DIGITS}}}")


def content_hash(file: Path) -> str:
    """64 bits of the SHA-256 of a file's content, or of the names and contents of all files of a folder.

    Returns:
        'content 9c1e…'.

    Raises:
        OSError: one cannot be read, or is no regular file.
    """
    if file.is_dir():
        digest = sha256()
        for inner in sorted(path for path in file.rglob("*") if not path.is_dir()):
            digest.update(f"{inner.relative_to(file).as_posix()} {content_hash(inner)}\n".encode())
        return f"content {digest.hexdigest()[:DIGITS]}"
    status = file.stat()
    if not S_ISREG(status.st_mode):
        raise OSError(None, "not a regular file", str(file))  # reading a pipe would never end
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return f"content {_hash(file.resolve(), identity)}"


def is_file(folder: Path, text: str) -> bool:
    """Whether a text names a file in a folder."""
    try:
        return (folder / text).is_file()
    except (OSError, ValueError):  # too long, or a null byte
        return False


@cache
def _hash(file: Path, identity: tuple[int, ...]) -> str:
    key, large = " ".join(map(str, identity)), identity[2] >= LARGE
    cached = _cached() if large else {}
    if key in cached:
        return cached[key]
    digest = sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    hashed = digest.hexdigest()[:DIGITS]
    if large:
        _keep({**dict(list(cached.items())[-MOST:]), key: hashed})
    return hashed


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(home):  # no HOME and no entry in /etc/passwd: "~" would be a folder in the current one
        raise OSError("no folder for caches")
    return Path(home) / "vanishing-gradient-harness" / "content.json"


def _cached() -> dict[str, str]:
    """The hashes that are cached: none where the cache is damaged, or another user could have written it."""
    with suppress(OSError, ValueError, RecursionError), _cache().open("rb") as file:
        status = os.fstat(file.fileno())
        if S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022:
            cached = json.loads(file.read())
            if isinstance(cached, dict) and all(isinstance(v, str) and HASH.fullmatch(v) for v in cached.values()):
                return cached
    return {}


def _keep(hashes: dict[str, str]) -> None:
    """Write the cache, whole or not at all; a folder that cannot be written keeps nothing."""
    with suppress(OSError):
        target = _cache()
        temporary = target.with_name(f".{target.name}-{os.getpid()}")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(hashes))
            temporary.chmod(0o600)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
