"""One controller a folder or a shard of it; a lock ends with the process that holds it."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from harness.errors import ResultsError
from harness.store.journal import Journal
from harness.store.locks import controller_lock


def _hold(folder: Path, ready, release) -> None:
    with controller_lock(Journal.create(folder).folder):
        ready.set()
        release.wait(30)


def test_a_second_controller_reports_the_holder_and_a_dead_ones_lock_is_free(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready, release))
    holder.start()
    try:
        assert ready.wait(30)
        with pytest.raises(ResultsError, match=f"held by process {holder.pid}"), controller_lock(tmp_path):
            pass
    finally:
        holder.kill()
        holder.join()
    with controller_lock(tmp_path):
        pass


def test_a_whole_sweep_and_a_shard_exclude_each_other_and_report_the_holder(tmp_path: Path) -> None:
    Journal.create(tmp_path)
    with controller_lock(tmp_path, "1-of-2"):
        with controller_lock(tmp_path, "2-of-2"):
            pass
        with (
            pytest.raises(ResultsError, match=f"held shard 1-of-2 by process {os.getpid()}"),
            controller_lock(tmp_path),
        ):
            pass
        with pytest.raises(ResultsError, match="held shard 1-of-2"), controller_lock(tmp_path, "1-of-2"):
            pass
    with (
        controller_lock(tmp_path),
        pytest.raises(ResultsError, match="another sweep is writing here"),
        controller_lock(tmp_path, "1-of-2"),
    ):
        pass
    with controller_lock(tmp_path, "1-of-2"):
        pass
    with controller_lock(tmp_path):
        pass
