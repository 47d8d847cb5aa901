"""python -m benchmarks.coverage: how often intervals cover the truth, and how often a verdict is false."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness import cli

if TYPE_CHECKING:
    from benchmarks.coverage_simulation import Effort, Row

TEMPLATE = Path(__file__).resolve().with_name("coverage.md.j2")
PAGE = TEMPLATE.parent.parent / "docs" / "coverage.md"


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--page", action="store_true", help="write docs/coverage.md (a minute or two)")
    parser.add_argument("--seed", type=int, default=0, help="of the simulations (default: %(default)s, as on the page)")
    options = parser.parse_args(arguments)
    from benchmarks.coverage_simulation import FULL

    text = page(FULL, options.seed)
    if options.page:
        PAGE.write_text(text, encoding="utf-8")
        print(f"written: {PAGE}")
    else:
        sys.stdout.write(text)
    return cli.DONE


def page(effort: Effort, seed: int) -> str:
    """The page, simulated anew; every section has its own generator, so that one leaves the others as they are."""
    import numpy as np
    from jinja2 import Environment, StrictUndefined

    from benchmarks import coverage_simulation as simulation

    def generator(section: int) -> np.random.Generator:
        return np.random.default_rng([seed, section])

    def table(rows: Iterable[Row], first: str) -> str:
        return _table(first, [(row.name, *map(str, row.shares)) for row in rows])

    widths = [
        (name, *("–" if not np.isfinite(ratio) else f"{ratio:.1f}" for ratio in ratios))
        for name, ratios in simulation.width_rows(effort, generator(2))
    ]
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    return template.render(
        interquartile=table(simulation.interquartile_rows(effort, generator(1)), "distribution"),
        widths=_table("distribution", widths),
        bootstrap=table(simulation.bootstrap_rows(effort, generator(3)), "distribution"),
        median=table(simulation.median_rows(effort, generator(4)), "distribution"),
        rates=table(simulation.rate_rows(), "interval"),
        times=table(simulation.time_rows(effort, generator(5)), "times"),
        bands=table(simulation.band_rows(effort, generator(6)), "distribution"),
        comparisons=table(simulation.comparison_rows(effort, generator(7)), "interval"),
        bounds=table(simulation.bound_rows(effort, generator(8)), "expectation"),
        contrasts=table(simulation.contrast_rows(effort, generator(9)), "contrast"),
        samples=f"{effort.samples:,}",
        loops=f"{effort.loops:,}",
        slow=effort.slow,
        resamples=f"{effort.resamples:,}",
    )


def _table(first: str, rows: list[tuple[str, ...]]) -> str:
    from benchmarks.coverage_simulation import COUNTS

    head = [first, *(f"n = {n}" for n in COUNTS)]
    lines = [head, ["---", *["---:"] * len(COUNTS)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    cli.run(main)
