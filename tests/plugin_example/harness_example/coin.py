from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.experiments.setup import Setup
from harness.experiments.theory_check import TheoryCheck, check_records
from harness.rng import generator
from harness.schema import Profile, Record
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting
from harness.study.spec import Experiment


class Coin(Section):
    """The coin (`coin:`)."""

    bias: float = setting(0.5, "probability of heads", column="coin_bias", ge=0, le=1)
    tosses: int = setting(1000, "tosses of a run", ge=1)


@dataclass(frozen=True)
class CoinSections(Sections):
    """The sections of the experiment."""

    coin: Coin


def toss(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """One record a run: the share of heads beside its expectation, "solved" within five standard errors."""
    return check_records(runs, setup, CoinSections, measure, engine="numpy")


def measure(sections: CoinSections, seed: int) -> TheoryCheck:
    p, n = sections.coin.bias, sections.coin.tosses
    heads = (generator(seed, "tosses").random(n) < p).cumsum() / np.arange(1, n + 1)
    residual = abs(float(heads[-1]) - p)
    tolerance = 5 * float(np.sqrt(p * (1 - p) / n))
    at = np.arange(1.0, n + 1)
    profiles = [Profile("share_of_heads", "toss", at, heads, np.full(n, p))]
    return TheoryCheck(float(heads[-1]), p, residual, residual <= tolerance, profiles)


EXPERIMENT = Experiment("coin", typed=CoinSections, entry="harness_example.coin:toss", cost=lambda sections: 0.01)
