"""Results that are quoted singly: Holm's correction, against its textbook form with closed p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pytest
from scipy.stats import norm
from synthetic_results import point, simulate

from harness.statistics.frames import Frames
from harness.statistics.significance import holm
from harness.study.plan import plan
from harness.study.spec import Expectation
from harness.verdicts.expectations import judge
from harness.verdicts.judging import JudgedStudy, planned_runs
from harness.verdicts.quoted import in_family, surviving

SEEDS = 20


def judged(solved: int, at_least: float = 0.5, judge_on: str | None = None) -> JudgedStudy:
    """A study of which so many of 20 seeds are solved, and which claims a rate."""
    expect = (Expectation(metric="success_rate", at_least=at_least, judge=judge_on),)
    study = replace(simulate([point("rnn", 20, 1.0)], seeds=range(SEEDS)).study, expect=expect)
    whole = plan(study)
    runs = planned_runs(whole)
    runs["outcome"] = ["solved" if i < solved else "unsolved" for i in range(SEEDS)]
    frames = Frames(runs, pd.DataFrame(), pd.DataFrame())
    return JudgedStudy(whole, frames, [v for each in expect for v in judge(each, runs, planned_runs(whole))])


def p_of(solved: int, at_least: float = 0.5) -> float:
    """The p at which Wilson's interval ends at the bound: that of the score test; 1 where the rate lies below it."""
    z = (solved / SEEDS - at_least) / math.sqrt(at_least * (1 - at_least) / SEEDS)
    return float(2 * norm.sf(z)) if z > 0 else 1.0


@pytest.mark.parametrize("family", [(20,), (15, 20), (15, 15, 15, 15), (15, 16, 17, 18), (9, 15, 16, 20), (16, 16, 19)])
def test_what_survives_is_what_holm_rejects(family: Sequence[int]) -> None:
    corrected = holm([p_of(solved) for solved in family])
    assert surviving([judged(solved) for solved in family]) == [p <= 0.05 for p in corrected]


def test_one_that_holds_alone_may_not_hold_among_many() -> None:
    assert judged(15).state == "holds"
    assert surviving([judged(15)]) == [True]
    assert surviving([judged(15), judged(15)]) == [False, False]  # p = .0253
    assert surviving([judged(15), judged(20)]) == [True, True]  # the other is out of the way first


def test_point_estimates_are_of_no_family() -> None:
    assert in_family(judged(15))
    assert not in_family(judged(15, judge_on="estimate"))


@pytest.mark.parametrize("ps", [[], [0.04], [0.01, 0.04, 0.03], [0.5, 0.5], [1.0, 0.0]])
def test_holm_is_the_step_down_of_bonferroni(ps: list[float]) -> None:
    """p̃ ≤ α exactly where the step-down procedure at α rejects, for every α."""
    corrected = holm(ps)
    for alpha in (0.01, 0.03, 0.05, 0.06, 0.08, 0.5, 1.0):
        rejected: set[int] = set()
        for i in sorted(range(len(ps)), key=lambda i: ps[i]):
            if ps[i] * (len(ps) - len(rejected)) > alpha:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(corrected) if p <= alpha} == rejected
