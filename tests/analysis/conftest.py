"""Fixtures of the analysis rooms."""

from __future__ import annotations

import pytest
from made_up import Made, figures, make

from harness.analysis.frames import Frames
from harness.study.spec import Expectation


@pytest.fixture(scope="session")
def made() -> Made:
    return make(
        figures=figures(
            {"kind": "success"},
            {"kind": "learning", "where": {"bptt_window": None}},
            {"kind": "decay", "where": {"sequence_length": 100, "bptt_window": None}},
            {"kind": "heatmap", "where": {"sequence_length": 100, "bptt_window": None}},
            {"kind": "phase", "where": {"bptt_window": None}},
        ),
        expect=(
            Expectation(metric="success_rate", where={"cell": "lstm", "sequence_length": 100}, at_least=0.8),
            Expectation(
                metric="success_rate", where={"sequence_length": 100}, contrast={"cell": ("lstm", "rnn")}, apart=True
            ),
            Expectation(
                metric="solved_at", where={"cell": "rnn", "bptt_window": None}, per=("sequence_length",), at_most=1000
            ),
        ),
    )


@pytest.fixture(scope="session")
def frames(made: Made) -> Frames:
    return made.frames
