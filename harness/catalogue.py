"""Gathers the literal tables, so that the doors can hand them to the reader: `study` knows no name by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis.expectations import METRICS, expectation_faults
from harness.analysis.feasibility import figure_faults
from harness.analysis.figures import FIGURES
from harness.experiments import EXPERIMENTS
from harness.study import reading
from harness.study.spec import Catalogue, Study


def catalogue() -> Catalogue:
    """All names that a study can use."""
    return Catalogue(EXPERIMENTS, FIGURES, METRICS, faults)


def faults(study: Study) -> list[tuple[str, int, str]]:
    """What is wrong with the figures and expectations of a study whose settings are right."""
    found = [("figures", index, what) for index, what in figure_faults(study)]
    return found + [("expect", index, what) for index, what in expectation_faults(study)]


def read(path: str | Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study with all names known."""
    return reading.read(path, overrides, catalogue=catalogue())


if __name__ == "__main__":
    import json

    from harness.study.schema import study_schema

    print(json.dumps(study_schema(catalogue()), indent=1, ensure_ascii=False))
