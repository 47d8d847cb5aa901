"""A dask scheduler and its workers as processes of their own, to be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@dataclass
class Cluster:
    """One scheduler at one address; workers come and go."""

    folder: Path
    port: int = field(default_factory=free_port)
    importable: tuple[Path, ...] = ()
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, workers: int) -> None:
        """The scheduler, and so many workers; returns when it answers."""
        self.scheduler = self._run(
            "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--dashboard-address", "127.0.0.1:0"
        )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            time.sleep(0.1)
        for _ in range(workers):
            self.join()

    def join(self) -> None:
        """One more worker, without the nanny that would start a killed one again."""
        self.workers.append(
            self._run(
                "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"
            )
        )

    def kill_worker(self, index: int) -> None:
        process = self.workers.pop(index)
        process.kill()
        process.wait()

    def kill_scheduler(self, number: int = signal.SIGKILL) -> None:
        assert self.scheduler is not None
        self.scheduler.send_signal(number)
        self.scheduler.wait()

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                process.kill()
                process.wait()

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *self.importable))),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        }
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "dask.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                cwd=self.folder, env=environment, stdout=output, stderr=output,
            )  # fmt: skip


@contextmanager
def cluster(folder: Path, workers: int, *importable: Path) -> Iterator[Cluster]:
    processes = Cluster(folder, importable=importable)
    try:
        processes.start(workers)
        yield processes
    finally:
        processes.stop()
