"""Distributions of what a seed scores, by their quantile functions: what the simulations of coverage draw from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from harness.schema import Values
from harness.statistics.intervals import UNLIMITED

POSITIVE = (0.0, math.inf)
UNIT = (0.0, 1.0)
GRID = 400_000  # points of the integrals over the quantile function


@dataclass(frozen=True)
class Shape:
    """A distribution: its quantile function Q, and the limits of the value that a metric would know of it."""

    name: str
    quantile: Callable[[Values], Values]
    limits: tuple[float, float]

    def draw(self, generator: np.random.Generator, size: tuple[int, ...]) -> Values:
        return self.quantile(generator.random(size))

    @cached_property
    def interquartile_mean(self) -> float:
        """2 ∫_¼^¾ Q(u) du, by the midpoint rule."""
        return float(self.quantile(0.25 + (np.arange(GRID) + 0.5) / (2 * GRID)).mean())

    @cached_property
    def mean(self) -> float:
        """∫ Q(u) du, by the midpoint rule."""
        return float(self.quantile((np.arange(GRID) + 0.5) / GRID).mean())

    @cached_property
    def median(self) -> float:
        return float(self.quantile(np.array([0.5]))[0])


def _two_groups(share: float) -> Callable[[Values], Values]:
    """Seeds that fail, evenly in [.45, .55], a `share` of them, and seeds that succeed, in [.95, 1]."""
    return lambda u: np.where(u < share, 0.45 + 0.1 * u / share, 0.95 + 0.05 * (u - share) / (1 - share))


SHAPES = (
    Shape("normal", special.ndtri, UNLIMITED),
    Shape("exponential", lambda u: -np.log1p(-u), POSITIVE),
    Shape("lognormal", lambda u: np.exp(special.ndtri(u)), POSITIVE),
    Shape("uniform", lambda u: u, UNIT),
    Shape("half near .5, half near 1", _two_groups(0.5), UNIT),
    Shape("a tenth near .5, others near 1", _two_groups(0.1), UNIT),
    Shape("a quarter near .5, others near 1", _two_groups(0.25), UNIT),
    Shape("four fifths exactly 1, others uniform", lambda u: np.minimum(u / 0.2, 1.0), UNIT),
    Shape("all exactly 1", np.ones_like, UNIT),
)
BY_NAME = {shape.name: shape for shape in SHAPES}
