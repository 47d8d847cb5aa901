"""Experiments that workers import by name: they compute nothing, raise, kill their process, or spoil the folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import log10
from time import sleep

from harness.experiments.setup import Setup
from harness.schema import Record
from harness.study.plan import Run


def steady(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Every run is solved at once, after as many updates as its seed."""
    for run in runs:
        yield Record(run.run_id, {"outcome": "solved", "updates": run.seed}, {})


def poisoned(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Seed 1 raises; seed 2 kills its worker as the kernel would; the others are steady."""
    for run in runs:
        if run.seed == 1:
            raise ValueError("seed 1 never works")
        if run.seed == 2:
            os.kill(os.getpid(), 9)
        yield from steady([run], setup)


def unreachable(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    raise AssertionError("never reached")


def endless(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Reports half of every run for ever."""
    while True:
        setup.tick(0.5, len(runs))
        yield from ()


def moving(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """The results folder is moved while the first run is computed."""
    folder = setup.listener.path.parents[1]
    if not folder.with_name("moved").exists():
        folder.rename(folder.with_name("moved"))
    yield from steady(runs, setup)


def deleting(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """The results folder is deleted while the first run is computed."""
    shutil.rmtree(setup.listener.path.parents[1])
    yield from steady(runs, setup)


def filling(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """The disk fills up while the first run is computed."""
    with (setup.listener.path.parents[1] / "junk").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    yield from steady(runs, setup)


def peaked(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Accuracies that are best at a learning rate of .01, of the LSTM at .1; at .3 a run diverges."""
    for run in runs:
        columns = run.columns()
        best = -2 if columns["cell"] == "rnn" else -1
        rate = float(str(columns["learning_rate"]))
        accuracy = 0.9 - 0.2 * abs(log10(rate) - best) - 1e-3 * run.seed / 100
        outcome = "diverged" if rate == 0.3 else "unsolved"
        measured = {"final_accuracy": accuracy, "final_loss": 0.1, "chance": 0.25, "updates": 6}
        yield Record(run.run_id, {"outcome": outcome, **measured}, {})


def peaked_slowly(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    for run in runs:
        sleep(0.03)
        yield from peaked([run], setup)


def peaked_but_once(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """The same, but the LSTM's tuning run of seed 101 raises while the working folder has no file `mended`."""
    for run in runs:
        mended = setup.listener.path.parents[1].parent / "mended"
        if run.seed == 101 and run.columns()["cell"] == "lstm" and not mended.exists():
            raise ValueError("not yet")
        yield from peaked([run], setup)
