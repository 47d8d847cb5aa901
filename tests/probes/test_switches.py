"""A switch scores 1, a constant 0, and a unit that only counts steps does not pass for a switch."""

from __future__ import annotations

import numpy as np
import pytest

from harness.probes.switches import NOT_YET, SEEN, UNSCORED, best_switch, seen_labels, switch_scores
from harness.rng import generator
from harness.tasks.temporal_order import TemporalOrder

KEYS = ("X", "Y")
TASK = TemporalOrder(name="temporal_order", sequence_length=25)


def sequences(seed: int, count: int = 64) -> list[list[str]]:
    batch = TASK.sample(generator(seed, "test"), count)
    return [TASK.spelled(batch.inputs[:, b]) for b in range(count)]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("BaXbXE", [0, 0, 1, 1, -1, -1]),
        ("BaXbYE", [0, 0, 1, 1, -1, -1]),
        ("BaYbXE", [0, 0, 0, 0, -1, -1]),
        ("Babcd", [0, 0, 0, 0, 0]),
        (" Xa", [-1, 1, 1]),
    ],
)
def test_a_label_says_whether_the_first_key_is_the_first_of_the_keys(text: str, labels: list[int]) -> None:
    assert seen_labels([word.strip() for word in text], KEYS).tolist() == labels
    assert {SEEN, NOT_YET, UNSCORED} == {1, 0, -1}


@pytest.mark.parametrize("seed", range(3))
def test_a_unit_that_turns_on_or_off_at_the_first_x_scores_one_and_a_constant_none(seed: int) -> None:
    labels = np.stack([seen_labels(words, KEYS) for words in sequences(seed)])
    noise = generator(seed, "noise").uniform(-0.4, 0.4, labels.shape)
    on = (labels == SEEN) + noise
    scores = switch_scores(np.stack([on, -on, np.full_like(on, 0.3)], axis=1), labels)
    assert scores.tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("seed", range(3))
def test_neither_a_clock_nor_noise_is_a_switch(seed: int) -> None:
    labels = np.stack([seen_labels(words, KEYS) for words in sequences(seed, 512)])
    clock = np.broadcast_to(np.arange(25.0), labels.shape)
    noise = generator(seed, "noise").standard_normal(labels.shape)
    counted, drawn = switch_scores(np.stack([clock, noise], axis=1), labels)
    assert drawn < 0.06
    assert counted < 0.6
    # within the sequences that have an X, and to their end, the same clock would pass
    symbols = [words for words in sequences(seed, 512) if "X" in words]
    after_x = np.stack([np.maximum.accumulate(np.asarray(words) == "X") for words in symbols]).astype(np.int8)
    assert switch_scores(np.broadcast_to(np.arange(25.0), after_x.shape)[:, None], after_x)[0] > 0.75


def test_a_score_does_not_change_with_a_rising_map_of_the_values() -> None:
    labels = np.stack([seen_labels(words, KEYS) for words in sequences(0)])
    values = generator(0, "values").standard_normal((len(labels), 3, 25)) + labels[:, None]
    np.testing.assert_allclose(switch_scores(values, labels), switch_scores(np.tanh(values), labels), rtol=1e-12)


def test_where_all_steps_are_alike_there_is_no_score() -> None:
    rows = [{"sequence": 0, "symbols": ["B", "a"], "part": "h", "unit": 0, "values": [0.0, 1.0]}]
    assert best_switch(rows, KEYS) is None


def test_the_best_switch_is_that_of_the_cell_state_where_there_is_one() -> None:
    words = [["B", "X", "a"], ["B", "Y", "a"]]
    h = [{"sequence": s, "symbols": w, "part": "h", "unit": 0, "values": [0.0, 0.0, 0.0]} for s, w in enumerate(words)]
    c = [{**row, "part": "c", "values": [0.0, 1.0 - s, 1.0 - s]} for s, row in enumerate(h)]
    assert best_switch(h, KEYS) == 0.0
    assert best_switch(h + c, KEYS) == 1.0
