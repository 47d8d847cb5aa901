"""All sections, and the notes on each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from time import monotonic

import torch

from benchmarks import cells, depth, fixed, growth, parts, step, sweeps, watched
from benchmarks.measurement import Effort, Measurement, Say, Section
from harness.execution.provenance import harness_commit
from harness.experiments.setup import processor, versions
from harness.recurrence.compiler.native import host

Measure = Callable[[Effort, Say], tuple[list[Measurement], list[str]]]

SECTIONS: Mapping[str, Measure] = {
    "step": step.measure,
    "cells": cells.measure,
    "depth": depth.measure,
    "parts": parts.measure,
    "sweeps": sweeps.measure,
    "fixed": fixed.measure,
    "growth": growth.measure,
    "watch": watched.measure,
}
QUICKLY = ("step", "parts", "fixed")  # within two minutes


def run(name: str, effort: Effort, say: Say) -> Section:
    """Measure one section."""
    start = monotonic()
    say(f"{name} …")
    rows, notes = SECTIONS[name](effort, say)
    say(f"{name}: {monotonic() - start:.0f} s")
    machine = f"{processor()}, {os.cpu_count()} cores, {sys.platform}"
    kernels = f"llvm={host().name} torch-kernels={torch.backends.cpu.get_cpu_capability()}"
    words = f"commit={harness_commit()} {versions()} {kernels} jax={_version('jax')}"
    return Section(machine, words, datetime.now(UTC).date().isoformat(), tuple(notes), tuple(rows))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
