"""Draws the walks of studies/walks.csv, the data of the example in docs/data.md: python docs/write_walks.py.

A walk of 15 to 24 steps in the plane: its first three steps go left, right or up, all later ones anywhere. The
class, which of the three, is thus decided at the beginning of a sequence; where a walk ends tells some of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "studies" / "walks.csv"
WALKS, SHORTEST, LONGEST, BEGINNING, PUSH = 90, 15, 24, 3, 1.5
DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, 1.0)}


def text() -> str:
    """A row a step: walk, t, x, y, label."""
    from harness.rng import generator

    lines = ["walk,t,x,y,label"]
    for walk in range(WALKS):
        drawn = generator(0, "walks", walk)
        label = list(DIRECTIONS)[walk % len(DIRECTIONS)]
        steps = drawn.normal(size=(int(drawn.integers(SHORTEST, LONGEST + 1)), 2))
        steps[:BEGINNING] += PUSH * np.array(DIRECTIONS[label])
        lines += [f"{walk},{t},{x:.2f},{y:.2f},{label}" for t, (x, y) in enumerate(steps.cumsum(0))]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    FILE.write_text(text())
