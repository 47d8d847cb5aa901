"""Palettes of ten: each colour differs visibly from each other and from its paper, with any kind of colour vision."""

from __future__ import annotations

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from harness.errors import HarnessError
from harness.figures import colours

# Machado, Oliveira & Fernandes 2009, severity 1: what is seen without the cones for red, green and blue, in linear RGB.
VISIONS = {
    "all": np.eye(3),
    "no red": np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]]),
    "no green": np.array([[0.3673, 0.8606, -0.228], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    "no blue": np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
}  # fmt: skip


def linear(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of linear RGB, D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.clip(to_xyz @ rgb, 0, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one: str, other: str, vision: str) -> float:
    seen = [lab(np.clip(VISIONS[vision] @ linear(each), 0, 1)) for each in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("paper", colours.SCHEMES)
def test_ten_colours_differ_visibly(paper: str, vision: str) -> None:
    palette = colours.SCHEMES[paper].palette
    assert len(palette) == len(set(palette)) == 10
    assert min(distance(*pair, vision) for pair in combinations(palette, 2)) > 10  # 2.3 is just noticeable


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("paper", colours.SCHEMES)
def test_ten_numbers_on_a_scale_differ_visibly(paper: str, vision: str) -> None:
    with colours.on(paper):
        shades = colours.scale_colours(10)
    assert min(distance(*pair, vision) for pair in combinations(shades, 2)) > 4


@pytest.mark.parametrize("paper", colours.SCHEMES)
def test_every_colour_stands_out_from_its_paper(paper: str) -> None:
    scheme = colours.SCHEMES[paper]
    with colours.on(paper):
        shades = colours.scale_colours(10)
    assert min(contrast(each, scheme.paper) for each in (*scheme.palette, *shades)) > 2.2
    assert min(contrast(each, scheme.paper) for each in (scheme.ink, scheme.faint)) > 4.5


def test_an_unknown_palette_names_the_nearest() -> None:
    with pytest.raises(HarnessError, match="did you mean 'viridis'"):
        colours.palette_of("viridiss", 3)
    assert len(colours.palette_of("viridis", 3)) == 3
    assert "viridis" in mpl.colormaps
