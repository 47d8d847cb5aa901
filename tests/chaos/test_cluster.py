"""On workers of a dask scheduler: the ids and numbers of this machine, whatever is killed. Longer: `tox -e chaos`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from chaos import Rows, leftovers
from dask_processes import ROOT, Cluster, cluster
from results_folders import table_rows

from harness import cli
from harness import sweep as sweep_command
from harness.execution import cluster as distributed_jobs

pytest.importorskip("distributed")


def sweep(study: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A sweep of chaos.yaml into out/chaos, to its end."""
    command = [sys.executable, "-m", "harness.sweep", str(study), "-o", str(out), "--no-progress", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)


def disturbed(dask: Cluster, study: Path, out: Path, disturb: Callable[[], None], *arguments: str) -> None:
    """A sweep on the cluster, with something happening to it when its first runs are committed."""

    def when_begun() -> None:
        until = time.monotonic() + 120
        while not list((out / "chaos" / "journal").glob("*.run")) and time.monotonic() < until:
            time.sleep(0.02)
        disturb()

    thread = threading.Thread(target=when_begun)
    thread.start()
    ended = sweep(study, out, "--scheduler", dask.address, *arguments)
    thread.join()
    assert ended.returncode == 0, ended.stderr


def same(out: Path, reference: Rows) -> bool:
    """Every run once, the same rows as from this machine alone, and no file that a sweep should not leave."""
    assert leftovers(out / "chaos") == []
    return table_rows(out / "chaos") == reference


def test_a_cluster_gives_the_tables_of_this_machine_though_a_worker_is_killed_and_one_joins_late(
    short_study: Path, reference: Rows, tmp_path: Path
) -> None:
    with cluster(tmp_path / "dask", 2) as dask:

        def disturb() -> None:
            dask.kill_worker(0)
            dask.join()

        disturbed(dask, short_study, tmp_path, disturb)
        assert same(tmp_path, reference)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_comes_back_is_reached_again(
    short_study: Path, reference: Rows, tmp_path: Path, number: int
) -> None:
    with cluster(tmp_path / "dask", 2) as dask:

        def disturb() -> None:
            dask.kill_scheduler(number)
            dask.start(2)

        disturbed(dask, short_study, tmp_path, disturb)
        assert same(tmp_path, reference)


def test_a_scheduler_that_does_not_answer_is_reported_and_nothing_is_written(
    short_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(distributed_jobs, "connected", partial(distributed_jobs.connected, timeout=0.1))
    arguments = [str(short_study), "-o", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1"]
    assert cli.guarded(sweep_command.main, arguments) == cli.USAGE_ERROR
    assert "no dask scheduler answers there" in capsys.readouterr().err
    assert not (tmp_path / "chaos").exists()


@pytest.mark.long
def test_workers_killed_at_random_times_lose_and_change_nothing(
    short_study: Path, reference: Rows, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or 20261123)
    draw, kills = random.Random(seed), 0
    print(f"cluster: seed {seed}")
    with cluster(tmp_path / "dask", 2) as dask:
        for life in range(4):
            out, stop = tmp_path / f"life-{life}", threading.Event()
            killed = 0

            def storm(stop: threading.Event = stop) -> None:
                nonlocal killed
                while not stop.wait(draw.uniform(0.5, 4.0)):
                    dask.kill_worker(draw.randrange(len(dask.workers)))
                    killed += 1
                    dask.join()

            thread = threading.Thread(target=storm)
            thread.start()
            ended = sweep(short_study, out, "--scheduler", dask.address, "--retries", "50")
            stop.set()
            thread.join()
            assert ended.returncode == 0, ended.stderr
            assert same(out, reference)
            kills += killed
            print(f"life {life}: {killed} workers killed, nothing lost, doubled or different")
    assert kills >= 10
