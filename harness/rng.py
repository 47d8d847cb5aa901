"""Randomness as an argument: (seed, purpose, update) → generator.

A counter-based generator (Philox 4x64: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is keyed by
the seed and the purpose, and its counter starts at the update. So a draw never depends on what was drawn before it,
on how many runs share a pack, or on where a run was resumed.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def generator(seed: int, purpose: str, update: int = 0) -> np.random.Generator:
    """The generator for one purpose of one seed at one update.

    The key is (seed, hash of purpose); the 256-bit counter's highest word is `update`, which leaves 2¹⁹² draws before
    two updates could meet.

    Args:
        seed: the run's seed, 0 ≤ seed < 2⁶⁴.
        purpose: what the numbers are for, e.g. "train", "evaluate", "initialise W".
        update: number of parameter updates made so far, ≥ 0.
    """
    word = int.from_bytes(blake2b(purpose.encode(), digest_size=8).digest(), "little")
    bits = np.random.Philox(key=np.array([seed, word], np.uint64), counter=np.array([0, 0, 0, update], np.uint64))
    return np.random.Generator(bits)
