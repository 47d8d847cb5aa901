"""On workers of a dask scheduler: the same ids and numbers as here, whoever is killed. Longer: `tox -e chaos`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chaos import RUNS, STUDY, content, leftovers
from dask_processes import ROOT, Cluster, cluster

pytest.importorskip("distributed")
SHORT = STUDY.replace("max_updates: 1000", "max_updates: 100").replace("max_updates: [4000]", "max_updates: [400]")


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


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "chaos.yaml"
    path.write_text(SHORT)
    return path


@pytest.fixture(scope="module")
def local(study: Path) -> dict[str, list[str]]:
    ended = sweep(study, study.parent, "-j", "2")
    assert ended.returncode == 0, ended.stderr
    return content(study.parent / "chaos")


def same(out: Path, local: dict[str, list[str]]) -> bool:
    """Every run once, the same rows as on this machine alone, nothing left lying about."""
    rows = content(out / "chaos")
    assert len(rows["runs"]) == RUNS
    assert leftovers(out / "chaos") == []
    return rows == local


def test_a_cluster_gives_the_tables_of_this_machine_though_a_worker_is_killed_and_one_joins_late(
    study: Path, local: dict[str, list[str]], tmp_path: Path
) -> None:
    with cluster(tmp_path / "dask", 2) as dask:

        def disturb() -> None:
            dask.kill_worker(0)
            dask.join()

        disturbed(dask, study, tmp_path, disturb)
        assert same(tmp_path, local)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_scheduler_that_comes_back_is_found_again(
    study: Path, local: dict[str, list[str]], tmp_path: Path, number: int
) -> None:
    with cluster(tmp_path / "dask", 2) as dask:

        def disturb() -> None:
            dask.kill_scheduler(number)
            dask.start(2)

        disturbed(dask, study, tmp_path, disturb)
        assert same(tmp_path, local)


def test_a_scheduler_that_does_not_answer_is_reported_and_nothing_is_written(study: Path, tmp_path: Path) -> None:
    ended = sweep(study, tmp_path, "--scheduler", "tcp://127.0.0.1:1")
    assert ended.returncode == 2
    assert "no dask scheduler answers there" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "chaos").exists()


@pytest.mark.long
def test_workers_killed_at_random_times_lose_and_change_nothing(
    study: Path, local: dict[str, list[str]], tmp_path: Path
) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "20261123"))
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
            ended = sweep(study, out, "--scheduler", dask.address, "--retries", "50")
            stop.set()
            thread.join()
            assert ended.returncode == 0, ended.stderr
            assert same(out, local)
            kills += killed
            print(f"life {life}: {killed} workers killed, {RUNS} runs, nothing lost, doubled or different")
    assert kills >= 10
