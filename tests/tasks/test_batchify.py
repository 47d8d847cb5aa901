"""Batches of a text: columns of its symbols in order, as in the lecture."""

import numpy as np
import pytest

from harness.experiments.training.batches import Chunks
from harness.tasks.batchify import batchify

ALPHABET = np.arange(26)


def letters(rows):
    return ["".join("abcdefghijklmnopqrstuvwxyz"[i] for i in row) for row in rows]


def chunk(table, number, window):
    _, scored, stop = Chunks(len(table), window, window).span(number)
    return letters(table[scored:stop])


def test_the_lectures_first_chunk():
    inputs, targets = batchify(ALPHABET, 4)
    assert chunk(inputs, 0, 3) == ["agms", "bhnt", "ciou"]
    assert chunk(targets, 0, 3) == ["bhnt", "ciou", "djpv"]


def test_the_lectures_second_chunk_has_two_usable_rows():
    inputs, targets = batchify(ALPHABET, 4)
    assert Chunks(len(inputs), 3, 3).count == 2
    assert chunk(inputs, 1, 3) == ["djpv", "ekqw"]
    assert chunk(targets, 1, 3) == ["ekqw", "flrx"]


def test_symbols_that_do_not_fill_a_row_are_dropped():
    inputs, targets = batchify(ALPHABET, 4)
    assert set(letters(inputs.T.reshape(1, -1))[0] + letters(targets.T.reshape(1, -1))[0]).isdisjoint("yz")


@pytest.mark.parametrize(("symbols", "columns"), [(26, 4), (26, 1), (12, 6), (101, 7)])
def test_every_target_is_the_symbol_after_its_input(symbols, columns):
    inputs, targets = batchify(np.arange(symbols), columns)
    assert inputs.shape == targets.shape == (symbols // columns - 1, columns)
    assert (targets == inputs + 1).all()


def test_a_column_goes_on_where_the_one_before_it_ends():
    inputs, targets = batchify(ALPHABET, 4)
    assert (inputs[0, 1:] == targets[-1, :-1] + 1).all()


def test_columns_of_one_symbol_are_refused():
    with pytest.raises(ValueError, match="too few for 4 columns"):
        batchify(np.arange(7), 4)
