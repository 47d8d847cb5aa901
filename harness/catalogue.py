"""Gathers the literal tables, so that the doors can hand them to the reader: `study` knows no name by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.experiments import EXPERIMENTS
from harness.study import reading
from harness.study.spec import Catalogue, Study


def catalogue() -> Catalogue:
    """All names that a study can use."""
    try:
        from harness.analysis.expectations import METRICS
        from harness.analysis.figures import FIGURES
    except ImportError:
        METRICS, FIGURES = {"success_rate": 1, "final_accuracy": 1}, {}
    return Catalogue(EXPERIMENTS, FIGURES, METRICS)


def read(path: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study with all names known."""
    return reading.read(path, overrides, catalogue=catalogue())
