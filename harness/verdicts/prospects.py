"""What a study's seeds can decide, before anything has run: too few seeds, and what holds by luck.

No scipy: a plan is printed, and studies are read, without it.
"""

from __future__ import annotations

import math
from itertools import product

from harness.statistics.wilson import wilson
from harness.study.matching import canonical, matches
from harness.study.pooling import of_settings
from harness.study.spec import Expectation, StudySpec
from harness.verdicts.deciding import by_interval, ground
from harness.verdicts.enough import fewest_seeds, too_few
from harness.verdicts.feasibility import grid_settings
from harness.verdicts.metrics import metric_named


def prospects(study: StudySpec) -> list[str]:
    """Sentences for a plan: the fewest seeds with which a perfect result holds, and the chance that all holds by luck.

    Nothing is said of a study that expects nothing.
    """
    if not study.expect:
        return []
    sizes = [group_sizes(study, expectation) for expectation in study.expect]
    grounds = [ground(each, metric_named(each.metric)) for each in study.expect]
    fewest = [
        fewest_seeds(each, contrasts)
        for each, (contrasts, _), on in zip(study.expect, sizes, grounds, strict=True)
        if on == "interval"
    ]
    lines = []
    if fewest:
        needed = "no number of seeds" if None in fewest else f"{max(each or 1 for each in fewest)} seeds at the fewest"
        lines.append(f"seeds: {len(study.judged)}; perfect results hold with {needed}")
    if estimates := grounds.count("estimate"):
        lines.append(f"judged on point estimates: {estimates} of {len(study.expect)} expectations")
    chances = [luck(each, n) for each, (_, n) in zip(study.expect, sizes, strict=True)]
    known = [chance**groups for chance, (groups, _) in zip(chances, sizes, strict=True) if chance is not None]
    without = len(study.expect) - len(known)
    if known:
        rest = f"; {without} {'has' if without == 1 else 'have'} no such null" if without else ""
        lines.append(
            f"by luck: {math.prod(known):.2g} is the chance that {'these' if without else 'all'} hold if every rate "
            f"were 1/2 and no two groups of a contrast differed, all independent{rest}"
        )
    return lines


def warnings(study: StudySpec) -> list[str]:
    """A sentence for each expectation that no result of its seeds could make hold."""
    sentences = []
    for expectation in study.expect:
        contrasts, n = group_sizes(study, expectation)
        sentences.append(too_few(expectation, n, contrasts))
    return [sentence for sentence in dict.fromkeys(sentences) if sentence]


def group_sizes(study: StudySpec, expectation: Expectation) -> tuple[int, int]:
    """Into how many groups an expectation splits its planned runs by `per`, and the seeds of each."""
    seeds = [seed for seed in study.judged if matches({"seed": seed}, _of_seed(expectation))]
    rows = [row for row in grid_settings(study) if matches(row, of_settings(expectation.where))]
    per = [column for column in expectation.per if column != "seed"]
    groups = len({tuple(canonical(row.get(column)) for column in per) for row in rows})
    return (groups * len(seeds), 1) if "seed" in expectation.per else (groups, len(seeds))


def luck(expectation: Expectation, n: int) -> float | None:
    """The probability that one group of an expectation holds by chance alone with `n` seeds; None where no null is.

    - a bound on a rate, under a rate of ½ (as if all runs of a seed agreed): Σ_k Bin(k; n, ½) over the k that hold;
    - a contrast by its paired test, under no difference: half of 1 − confidence at the most, or 0 below its seeds;
    - a contrast of rates by `apart`, both ½: Σ over the pairs of counts whose intervals are apart; of other metrics
      half of 1 − confidence at the most;
    - a contrast on point estimates: ½ at the most.
    """
    metric = metric_named(expectation.metric)
    on, rate = ground(expectation, metric), metric.name == "success_rate"
    if on == "value" or not n:
        return None
    chances = [math.comb(n, k) / 2**n for k in range(n + 1)]
    if expectation.contrast:
        if expectation.apart and rate:
            ends = [wilson(k / n, n, expectation.confidence) for k in range(n + 1)]
            pairs = product(zip(chances, ends, strict=True), repeat=2)
            return math.fsum(p * q for (p, first), (q, second) in pairs if first[0] > second[1])
        if on == "estimate" and not expectation.apart:
            return 0.5
        fewest = fewest_seeds(expectation)
        return (1 - expectation.confidence) / 2 if fewest is not None and n >= fewest else 0.0
    if not rate:
        return None
    ends = [(k / n, k / n) if on == "estimate" else wilson(k / n, n, expectation.confidence) for k in range(n + 1)]
    return math.fsum(
        p
        for p, (low, high) in zip(chances, ends, strict=True)
        if by_interval(low, high, expectation.at_least, expectation.at_most) == "holds"
    )


def _of_seed(expectation: Expectation) -> dict[str, object]:
    return {"seed": expectation.where["seed"]} if "seed" in expectation.where else {}
