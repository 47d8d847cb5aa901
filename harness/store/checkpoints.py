"""Checkpoints of unfinished runs: an npz a run, replaced whole, never a pickle; an unreadable one counts as none."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
import numpy.typing as npt

from harness.store.files import read_file, replace_file

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one results folder: `<run_id>.<updates made>.npz`."""

    folder: Path

    def started(self) -> dict[str, int]:
        """run_id → updates made, of all runs that have a checkpoint."""
        updates: dict[str, int] = {}
        for path in self.folder.glob("*.npz"):
            run_id, _, update = path.stem.partition(".")
            if update.isdecimal():
                updates[run_id] = max(int(update), updates.get(run_id, 0))
        return updates

    def read(self, run_id: str) -> Arrays | None:
        """The arrays of a run's latest checkpoint, or None where it has none or a damaged one."""
        update = self.started().get(run_id)
        if update is None:
            return None
        try:
            data = io.BytesIO(read_file(self.folder / f"{run_id}.{update}.npz"))
            with np.load(data, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, ZlibError):
            self.drop(run_id)
            return None

    def write(self, run_id: str, update: int, arrays: Arrays) -> None:
        """Replace a run's checkpoint. A full disk costs the checkpoint, not the run."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        target = self.folder / f"{run_id}.{update}.npz"
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            replace_file(target, buffer.getvalue())
            self._drop(run_id, spare=target)

    def drop(self, run_id: str) -> None:
        """Remove a run's checkpoint: the run has ended, or the checkpoint is of no use."""
        self._drop(run_id, spare=None)

    def _drop(self, run_id: str, spare: Path | None) -> None:
        with suppress(OSError):
            for path in self.folder.glob(f"{run_id}.*.npz"):
                if path != spare:
                    path.unlink(missing_ok=True)
