"""Where a replica of a pack stands, as flat arrays, and a pack put back to where its replicas stood.

Parameters, optimizer, carried state, and what has been recorded; streams need no keeping, as a draw depends on (seed,
purpose, update) alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.experiments.setup import Arrays, CheckpointStore, Setup, processor, versions
from harness.experiments.training.batches import BatchSource
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.trace import Trace
from harness.schema import STEP_COLUMNS
from harness.study.identity import harness_version

Beginning = tuple[Replicas, BatchSource, list[Trace]]  # of a pack

ROW = ("update", "layer", "direction")  # of the table of gradients


@dataclass
class Checkpointing:
    """Writes a pack's checkpoints now and then, and reads them again.

    Attributes:
        store: where they are kept.
        computed_by: engine, versions and the harness's source; what others have begun is not gone on with, as its bits
            would differ.
        every: seconds between checkpoints: what a kill can cost.
    """

    store: CheckpointStore
    computed_by: str
    every: float = 30.0
    last: float = field(default_factory=monotonic)

    @classmethod
    def of(cls, setup: Setup, engine: str) -> Checkpointing | None:
        """What writes and reads the checkpoints of a pack on this engine; None where the setup keeps none."""
        if setup.checkpoints is None:
            return None
        computed_by = f"{engine} {setup.device} {processor()} {versions()} {harness_version()}"
        return cls(setup.checkpoints, computed_by)

    def resume(self, begin: Callable[[], Beginning]) -> tuple[int, Beginning]:
        """A pack where its runs stood, and after how many updates that is; 0 and a fresh pack if they cannot go on.

        Args:
            begin: makes a fresh pack.
        """
        beginning = begin()
        try:
            return self._restore(*beginning), beginning
        except Exception:  # whatever the reason: the pack may have been restored in part, and the runs start anew
            return 0, begin()

    def _restore(self, pack: Replicas, batches: BatchSource, traces: Sequence[Trace]) -> int:
        """Put a fresh pack where its runs stood, if all stood at the same update; returns that update."""
        read = [self.store.read(trace.run.run_id) for trace in traces]
        usable = [arrays for arrays in read if arrays is not None and str(arrays["computed_by"]) == self.computed_by]
        updates = {int(arrays["update"]) for arrays in usable}
        if len(usable) < len(traces) or len(updates) != 1:
            return 0
        [update] = updates
        pack.restore([_part(arrays, "pack") for arrays in usable])
        batches.restore(update, [_part(arrays, "feed") for arrays in usable])
        for trace, arrays in zip(traces, usable, strict=True):
            _recall(trace, _part(arrays, "trace"))
        batches.model.restore(_part(usable[0], "module"))  # last, and whole: a fresh pack would have the same model
        return update

    def now_and_then(self, update: int, pack: Replicas, batches: BatchSource, traces: Sequence[Trace]) -> None:
        """Write a checkpoint of every replica after `update` updates, if it is time."""
        if monotonic() - self.last < self.every:
            return
        for i, trace in enumerate(traces):
            parts = {"pack": pack.standing(i), "feed": batches.standing(i), "trace": _recorded(trace)}
            parts["module"] = batches.model.standing()
            flat = {f"{part}/{name}": value for part, arrays in parts.items() for name, value in arrays.items()}
            own = {"update": np.array(update), "computed_by": np.array(self.computed_by)}
            self.store.write(trace.run.run_id, update, {**own, **flat})
        self.last = monotonic()


def _part(arrays: Arrays, part: str) -> dict[str, npt.NDArray[Any]]:
    return {name.partition("/")[2]: value for name, value in arrays.items() if name.startswith(f"{part}/")}


def _recorded(trace: Trace) -> dict[str, npt.NDArray[Any]]:
    """What a replica has recorded: numbers as JSON, whose text of a float is exact; per-step arrays as they are."""
    arrays = {
        f"{k} {name}": np.asarray(row[name])
        for k, row in enumerate(trace.gradients)
        for name in STEP_COLUMNS
        if row[name] is not None
    }
    numbers = {
        "curves": trace.curves, "recorded": [[row[key] for key in ROW] for row in trace.gradients],
        "solved_at": trace.solved_at, "seconds": trace.seconds, "profiles": trace.profiles,
    }  # fmt: skip
    return {**arrays, "numbers": np.array(json.dumps(numbers))}


def _recall(trace: Trace, arrays: Arrays) -> None:
    numbers = json.loads(str(arrays["numbers"]))
    trace.curves, trace.solved_at, trace.seconds = numbers["curves"], numbers["solved_at"], numbers["seconds"]
    trace.profiles = numbers["profiles"]
    trace.gradients = [
        {**dict(zip(ROW, row, strict=True)), **{name: arrays.get(f"{k} {name}") for name in STEP_COLUMNS}}
        for k, row in enumerate(numbers["recorded"])
    ]
