"""Verdicts in a terminal: aligned, and no wider than it."""

from __future__ import annotations

import re

import pytest
from synthetic_results import SyntheticResults

from harness.verdicts.metrics import Measured
from harness.verdicts.summary import summary
from harness.verdicts.verdict import Verdict


def test_the_summary_is_aligned_and_narrow(synthetic: SyntheticResults) -> None:
    lines = summary(synthetic.verdicts).splitlines()
    assert max(map(len, lines)) <= 100
    assert [line[0] for line in lines if line[0] != " "] == ["?", "✓", "✓", "✗", "✗"]
    assert re.search(r"1\.00 +\[0\.51, 1\.00\] +16 \(4 seeds\)$", lines[1])
    at = next(i for i, line in enumerate(lines) if line.startswith("✓ success_rate of cell=lstm above"))
    assert ["lstm 1.00" in lines[at], "rnn 0.00" in lines[at + 1]] == [True, True]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_the_summary_wraps_to_any_width(width: int) -> None:
    long = Verdict(f"success_rate of {'cell=lstm, ' * 12}T=100 >= 0.8", "fails", "for a reason", "success_rate",
                   Measured(0.5, 0.1, 0.9, 8, 8))  # fmt: skip
    text = summary([long], width)
    assert max(map(len, text.splitlines())) <= width
    assert ">= 0.8" in text


def test_a_study_without_expectations_has_a_summary() -> None:
    assert summary([]) == "no expectations"
