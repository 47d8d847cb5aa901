"""A draw is a function of (seed, purpose, update), and of nothing else."""

from itertools import product

import numpy as np

from harness.rng import generator


def test_the_same_stream_gives_the_same_numbers_whatever_was_drawn_in_between() -> None:
    first = generator(3, "train", 7).standard_normal(50)
    generator(3, "train", 8).standard_normal(1000)
    assert np.array_equal(first, generator(3, "train", 7).standard_normal(50))


def test_streams_that_differ_in_one_part_share_no_number() -> None:
    draws = [generator(*key).integers(2**63, size=100) for key in product((0, 1), ("train", "evaluate"), (0, 1))]
    assert len(set(np.concatenate(draws).tolist())) == 800


def test_streams_of_neighbouring_updates_are_uncorrelated() -> None:
    draws = np.stack([generator(0, "train", update).standard_normal(4000) for update in range(8)])
    assert np.abs(np.corrcoef(draws) - np.eye(8)).max() < 5 / np.sqrt(4000)
