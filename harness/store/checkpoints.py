"""Checkpoints of unfinished runs: an npz a run, replaced whole, never a pickle; an unreadable one counts as none.

The npz is followed by the SHA-256 of it and of the run that it is of: neither a flipped bit nor another run's
checkpoint is gone on with.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.store.files import read_file, replace_file

Arrays = Mapping[str, npt.NDArray[Any]]

NAME = re.compile(r"([^.]+)\.([0-9]{1,18})\.npz")  # run and updates made
DIGEST = sha256().digest_size


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one results folder: `<run_id>.<updates made>.npz`."""

    folder: Path

    def started(self) -> dict[str, int]:
        """run_id → updates made, of all runs that have a checkpoint."""
        updates: dict[str, int] = {}
        for path in self.folder.glob("*.npz"):
            if name := NAME.fullmatch(path.name):
                updates[name[1]] = max(int(name[2]), updates.get(name[1], 0))
        return updates

    def read(self, run_id: str) -> Arrays | None:
        """The arrays of a run's latest checkpoint, or None where it has none or a damaged one."""
        update = self.started().get(run_id)
        if update is None:
            return None
        try:
            data = read_file(self.folder / f"{run_id}.{update}.npz")
            content, digest = data[:-DIGEST], data[-DIGEST:]
            if digest != _digest(run_id, update, content):
                raise ValueError("checksum does not match")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        except Exception:  # whatever is wrong with it, the run begins again
            self.drop(run_id)
            return None

    def write(self, run_id: str, update: int, arrays: Arrays) -> None:
        """Replace a run's checkpoint. A full disk costs the checkpoint, not the run."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        target = self.folder / f"{run_id}.{update}.npz"
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            content = buffer.getvalue()
            replace_file(target, content + _digest(run_id, update, content))
            self._drop(run_id, spare=target)

    def drop(self, run_id: str) -> None:
        """Remove a run's checkpoint: the run has ended, or the checkpoint is of no use."""
        self._drop(run_id, spare=None)

    def _drop(self, run_id: str, spare: Path | None) -> None:
        with suppress(OSError):
            for path in self.folder.glob(f"{run_id}.*.npz"):
                if path != spare and NAME.fullmatch(path.name):
                    path.unlink(missing_ok=True)


def _digest(run_id: str, update: int, content: bytes) -> bytes:
    digest = sha256(f"{run_id} {update}\n".encode())
    digest.update(content)
    return digest.digest()
