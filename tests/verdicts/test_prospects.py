"""Before anything has run: what holds by luck, by enumeration; and what the seeds can decide."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import pandas as pd
import pytest
from synthetic_results import simulate

from harness.study.spec import Expectation
from harness.verdicts.expectations import judge
from harness.verdicts.prospects import group_sizes, luck, prospects, warnings

CONTRAST = {"cell": ("lstm", "rnn")}


def solved(*counts: int, n: int) -> pd.DataFrame:
    """Runs of n seeds, of which so many are solved: of an RNN, then of an LSTM."""
    return pd.DataFrame([
        {"cell": cell, "seed": seed, "run_id": f"{cell}{seed}", "outcome": "solved" if seed < k else "unsolved"}
        for cell, k in zip(("rnn", "lstm"), counts, strict=False) for seed in range(n)
    ])  # fmt: skip


@pytest.mark.parametrize("settings", [
    {"at_least": 0.6, "judge": "estimate"}, {"at_least": 0.4}, {"at_most": 0.7, "confidence": 0.8},
    {"contrast": CONTRAST, "apart": True, "confidence": 0.6},
])  # fmt: skip
def test_luck_is_the_probability_of_all_counts_that_hold(settings: dict[str, Any]) -> None:
    expectation, n = Expectation(metric="success_rate", **settings), 5
    groups = 2 if expectation.contrast else 1
    chance = 0.0
    for counts in product(range(n + 1), repeat=groups):
        runs = solved(*counts, n=n)
        holds = judge(expectation, runs, runs)[0].state == "holds"
        chance += holds * math.prod(math.comb(n, k) / 2**n for k in counts)
    assert 0 < chance < 1
    assert luck(expectation, n) == pytest.approx(chance)


def test_the_old_rule_holds_by_luck_as_often_as_the_audit_says() -> None:
    expectation = Expectation(metric="success_rate", at_least=0.8, judge="estimate")
    assert [luck(expectation, n) for n in (3, 5)] == [1 / 8, 6 / 32]
    assert luck(Expectation(metric="success_rate", at_least=0.8), 5) == 0
    assert luck(Expectation(metric="success_rate", at_least=0.8), 16) == 2**-16
    assert luck(Expectation(metric="success_rate", contrast=CONTRAST, judge="estimate"), 5) == 0.5
    assert luck(Expectation(metric="success_rate", contrast=CONTRAST), 5) == 0
    assert luck(Expectation(metric="success_rate", contrast=CONTRAST), 6) == pytest.approx(0.025)
    assert luck(Expectation(metric="final_loss", at_least=0.8), 5) is None


def test_groups_and_seeds_are_those_that_are_judged() -> None:
    study = simulate().study
    rate = {"metric": "success_rate", "at_least": 0.5}
    assert group_sizes(study, Expectation(**rate)) == (1, 4)
    assert group_sizes(study, Expectation(**rate, per=("cell", "sequence_length"))) == (6, 4)
    assert group_sizes(study, Expectation(**rate, where={"seed": [0, 1], "cell": "rnn"}, per=("cell",))) == (1, 2)
    assert group_sizes(study, Expectation(**rate, per=("cell", "seed"))) == (8, 1)


def test_a_plan_states_the_fewest_seeds_and_the_luck() -> None:
    expect = (
        Expectation(metric="success_rate", where={"cell": "lstm"}, at_least=0.8),
        Expectation(metric="success_rate", where={"cell": "rnn"}, at_most=0.5, judge="estimate"),
        Expectation(metric="final_loss", at_most=1.0, judge="estimate"),
    )
    study = simulate(expect=expect).study
    assert prospects(study) == [
        "seeds: 4; perfect results hold with 16 seeds at the fewest",
        "judged on point estimates: 2 of 3 expectations",
        "by luck: 0 is the chance that these hold if every rate were 1/2 and no two groups of a contrast differed, all "
        "independent; 1 has no such null",
    ]
    assert warnings(study) == [
        "4 seeds are too few for success_rate of cell=lstm >= 0.8: a perfect result holds with 16 at the fewest"
    ]
    assert prospects(simulate().study) == []
