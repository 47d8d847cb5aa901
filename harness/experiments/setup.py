"""How runs are computed, as opposed to what: engine, device, deadline, and whom to tell."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import numpy.typing as npt
from threadpoolctl import threadpool_info

from harness.cells.cell import Cell
from harness.cells.whole_sequence import WholeSequence
from harness.errors import DeadlineError
from harness.study.plan import NUMERICS_VERSION


def _silent(done: float, replicas: int) -> None:
    pass


Arrays = Mapping[str, npt.NDArray[Any]]


class CheckpointStore(Protocol):
    """Where runs that have not ended are kept."""

    def read(self, run_id: str) -> Arrays | None:
        """The arrays of a run's latest checkpoint; None where there is none that can be read."""

    def write(self, run_id: str, update: int, arrays: Arrays) -> None:
        """Keep where a run stands after `update` updates, in place of what was kept before."""


@dataclass(frozen=True)
class Setup:
    """How a pack is computed.

    Attributes:
        engine: "compiled" (machine code from the cell's equations, where they can be traced and the device is the CPU)
            or "torch".
        device: torch device.
        deadline: `time.monotonic()` after which a pack gives up, or None.
        checkpoints: where runs that have not ended are kept, or None.
        listener: told (share of the budget done, replicas still in the pack) now and then.
    """

    engine: str = "compiled"
    device: str = "cpu"
    deadline: float | None = None
    checkpoints: CheckpointStore | None = None
    listener: Callable[[float, int], None] = _silent

    def engine_for(self, cell: Cell, D: int) -> str:
        """The engine that will compute this cell on rows of D numbers."""
        if self.engine == "compiled" and self.device == "cpu" and not isinstance(cell, WholeSequence):
            from harness.recurrence.compiler.recurrence import untraceable

            if untraceable(cell, D) is None:
                return "compiled"
        return "torch"

    def tick(self, done: float, replicas: int) -> None:
        """Called after every update.

        Raises:
            DeadlineError: the deadline has passed.
        """
        if self.deadline is not None and monotonic() > self.deadline:
            raise DeadlineError(f"deadline passed with {done:.0%} of the update budget done")
        self.listener(done, replicas)

    @property
    def provenance(self) -> Mapping[str, str]:
        """What the numbers may depend on, as columns of the table of runs."""
        return {"device": self.device, "cpu": processor(), "versions": versions()}


@cache
def processor() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@cache
def versions() -> str:
    """Versions of everything that computes, as "name=version" words, and the kernels that OpenBLAS has chosen."""
    words = [f"numerics={NUMERICS_VERSION}", f"python={platform.python_version()}"]
    packages = {
        "harness": "vanishing-gradient-harness",
        **{name: name for name in ("torch", "numpy", "llvmlite", "scipy")},
    }
    for name, package in packages.items():
        try:
            words.append(f"{name}={version(package)}")
        except PackageNotFoundError:
            words.append(f"{name}=none")  # a checkout that was not installed
    words += sorted({f"openblas={pool['architecture']}" for pool in threadpool_info() if pool.get("architecture")})
    return " ".join(words)
