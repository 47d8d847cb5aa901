"""Temporal order: positions, padding and classes are those of the papers and of the lecture."""

import numpy as np
import pytest
from pydantic import ValidationError

from harness.rng import generator
from harness.tasks import temporal_order
from harness.tasks.temporal_order import LEVELS, SYMBOLS, TemporalOrder, scaled, spelled

FORMS = [
    *({"level": level} for level in LEVELS),
    *({"sequence_length": T} for T in (6, 7, 20, 50, 100)),
    *({"sequence_length": T, "symbols": 3} for T in (20, 50, 100)),
]


def words(task: TemporalOrder, n: int = 400, seed: int = 0) -> tuple[list[str], np.ndarray]:
    batch = task.sample(generator(seed, "test"), n)
    assert batch.inputs.shape == (task.length, n)
    return [
        "".join("-" if token < 0 else SYMBOLS[token] for token in column) for column in batch.inputs.T
    ], batch.targets


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_each_sequence_is_padding_then_b_then_symbols_in_their_spans_then_e(form: dict) -> None:
    task = TemporalOrder(name="temporal_order", **form)
    shortest, longest = task.layout.lengths
    drawn: list[set[int]] = [set() for _ in task.layout.positions]
    lengths = set()
    for text, target in zip(*words(task, 3000), strict=True):
        word = text.lstrip("-")
        lengths.add(len(word))
        assert word[0] == "B"
        assert word[-1] == "E"
        at = [t for t, symbol in enumerate(word) if symbol in "XY"]
        assert len(at) == task.symbols
        for t, (low, high), positions in zip(at, task.layout.positions, drawn, strict=True):
            assert low <= t <= high
            positions.add(t)
        assert set(word[1:-1]) <= set("XYabcd")
        assert target == int("".join("01"["XY".index(word[t])] for t in at), 2)
    assert (min(lengths), max(lengths)) == (shortest, longest)
    # both ends of every span are drawn: spans are inclusive
    assert [(min(p), max(p)) for p in drawn] == list(task.layout.positions)


def test_levels_have_the_lectures_ranges_and_padding() -> None:
    assert LEVELS["easy"] == ((7, 8), ((1, 2), (4, 5)))
    assert LEVELS["hard"] == ((100, 110), ((10, 20), (50, 60)))
    lengths = [TemporalOrder(name="temporal_order", level=level).length for level in LEVELS]
    assert lengths == [9, 41, 81, 111, 501]


def test_levels_are_padded_before_the_sequence_by_at_least_one_row() -> None:
    for text, _ in zip(*words(TemporalOrder(name="temporal_order", level="easy")), strict=True):
        assert text[0] == "-"
        assert "-" not in text.lstrip("-")


def test_scaled_positions_are_the_integers_between_tenths() -> None:
    for T in range(6, 300):
        for (low, high), (a, b) in zip(scaled(T, 2).positions, ((0.1, 0.2), (0.5, 0.6)), strict=True):
            assert [t for t in range(T) if round(a * T, 9) <= t < round(b * T, 9)] == list(range(low, high + 1))


def test_classes_follow_the_lectures_order() -> None:
    xx_xy_yx_yy = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    assert spelled(xx_xy_yx_yy).tolist() == [0, 1, 2, 3]  # Q, R, S, U


@pytest.mark.parametrize("symbols", [2, 3])
def test_classes_are_equally_likely_so_guessing_is_chance(symbols: int) -> None:
    task = TemporalOrder(name="temporal_order", sequence_length=50, symbols=symbols)
    counts = np.bincount(words(task, 8000)[1], minlength=task.output_size)
    assert len(counts) * task.chance == 1
    assert abs(counts / 8000 - task.chance).max() < 5 * np.sqrt(task.chance / 8000)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"sequence_length": 5}, "too short for 2 symbols; at least 6"),
        ({"sequence_length": 5, "symbols": 3}, "too short for 3 symbols"),
        ({}, "must be given, or a level"),
        ({"level": "easy", "sequence_length": 50}, "padded to 9"),
        ({"level": "easy", "symbols": 3}, "the levels have two symbols"),
    ],
    ids=str,
)
def test_a_length_that_does_not_fit_is_refused(form: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TemporalOrder(name="temporal_order", **form)


def test_solved_is_an_accuracy_of_at_least_99_percent() -> None:
    task = TemporalOrder(name="temporal_order", sequence_length=20)
    assert task.solved(0.99)
    assert not task.solved(507 / 513)


def test_sequences_do_not_depend_on_how_many_steps_are_drawn_at_once(monkeypatch) -> None:
    task = TemporalOrder(name="temporal_order", sequence_length=101)
    whole = task.sample(generator(4, "test"), 33)
    monkeypatch.setattr(temporal_order, "STEPS_DRAWN", 7)
    chunked = task.sample(generator(4, "test"), 33)
    assert np.array_equal(whole.inputs, chunked.inputs)
    assert np.array_equal(whole.targets, chunked.targets)
