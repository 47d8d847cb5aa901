"""The freeze file of a study: `X.freeze.jsonl` beside X.yaml, one event a line, chained and only ever added to.

A line holds the hash of the line before it and its own, so that one that is edited, removed or put between others is
found at its number. Lines cut from the end are found by the version control that the file is committed to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal, get_args

from harness.errors import HarnessError, Place, Problem
from harness.study.registered import Content, digest
from harness.study.spec import StudySpec

Event = Literal["freeze", "judged"]
FIRST = ""  # what the first line gives for the line before it
LARGEST = 10_000_000  # bytes; no study is frozen so often


@dataclass(frozen=True)
class Freeze:
    """One line: what was registered (`freeze`), or that judged runs were computed without a freeze (`judged`).

    Attributes:
        date: UTC, to the second.
        commit: of the repository that the study lies in; None outside one.
        dirty: whether files of that commit were changed, or the study is not in it; None outside a repository.
        digest: of `content`.
        content: what was registered (`registered.content_of`).
        claim: of the study, in its words; it is no part of the digest.
        judged_runs: of this study that had a result by then.
        note: the reason of an amendment, in the author's words.
    """

    event: Event
    date: str
    commit: str | None
    dirty: bool | None
    digest: str
    content: Content
    claim: str
    judged_runs: int = 0
    note: str = ""
    previous: str = field(default=FIRST, compare=False)
    hash: str = field(default="", compare=False)

    @property
    def day(self) -> str:
        return self.date[:10]


def freeze_file(study: StudySpec) -> Path | None:
    """Where a study's freezes are: beside its file; None where the study is a text."""
    path = Path(study.path)
    return path.with_name(f"{path.stem}.freeze.jsonl") if path.suffix in (".yaml", ".yml") else None


def chained(freeze: Freeze, previous: str) -> str:
    """A freeze as a line of the file, without its line feed.

    Args:
        previous: the hash of the line before it; `FIRST` for the first.
    """
    body = {
        "event": freeze.event,
        "date": freeze.date,
        "commit": freeze.commit,
        "dirty": freeze.dirty,
        "digest": freeze.digest,
        "judged_runs": freeze.judged_runs,
        "note": freeze.note,
        "claim": freeze.claim,
        "content": freeze.content,
        "previous": previous,
    }
    return json.dumps({**body, "hash": _hash(body)}, ensure_ascii=False)


def read_freezes(path: Path) -> tuple[Freeze, ...]:
    """The lines of a freeze file, oldest first; none where there is no file.

    Raises:
        HarnessError: it cannot be read, or a line was edited, removed or added by hand; the message names the line.
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode) or status.st_size > LARGEST:  # reading a pipe would never end
            raise HarnessError(f"{path}: is no freeze file: no regular file, or larger than {LARGEST:,} bytes")
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read: {error.strerror or error}") from None
    freezes: list[Freeze] = []
    lines = data.split(b"\n")
    if lines.pop():
        raise _broken(
            path, len(lines) + 1, "is not ended by a line feed: its writing was interrupted, or it was edited"
        )
    for number, line in enumerate(lines, start=1):
        freezes.append(_read(line, freezes[-1].hash if freezes else FIRST, path, number))
    return tuple(freezes)


def _read(line: bytes, previous: str, path: Path, number: int) -> Freeze:
    try:
        body: dict[str, Any] = json.loads(line)
        written = body.pop("hash")
        freeze = Freeze(**body, hash=written)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _broken(path, number, "is no freeze") from None
    same = written == _hash(body) and line.decode() == json.dumps({**body, "hash": written}, ensure_ascii=False)
    if not same or freeze.event not in get_args(Event) or not isinstance(freeze.content, Mapping):
        raise _broken(path, number, "was edited: its hash is another")
    if freeze.previous != previous:
        before = f"line {number - 1}" if number > 1 else "nothing before it"
        raise _broken(path, number, f"does not follow {before}: a line was removed, moved or edited")
    if freeze.digest != digest(freeze.content):
        raise _broken(path, number, "was edited: its digest is not that of what it registers")
    return freeze


def _broken(path: Path, number: int, clause: str) -> HarnessError:
    advice = "the file is only ever added to, by python -m harness.freeze: restore it from your version control"
    return HarnessError(str(Problem(Place(str(path), number, 1), f"this line {clause}; {advice}")))


def _hash(body: Mapping[str, Any]) -> str:
    return sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()
