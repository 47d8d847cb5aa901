"""Results lie where their study lies."""

from __future__ import annotations

from pathlib import Path

from harness.store.location import results_folder


def test_results_lie_where_the_study_lies_below_studies() -> None:
    assert results_folder("studies/spectral.yaml", "x", None) == Path("results/spectral")
    assert results_folder("studies/lecture/course.yaml", "x", None) == Path("results/lecture/course")
    assert results_folder("elsewhere/own.yaml", "mine", None) == Path("results/mine")
    assert results_folder("studies/spectral.yaml", "x", "out") == Path("out/x")
