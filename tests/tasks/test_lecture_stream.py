"""The lecture's data are those of its generator to the bit, and its published curves come out of them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from samples import sampled

from harness.errors import HarnessError
from harness.experiments.setup import Setup
from harness.experiments.training.loop import train
from harness.registry import read
from harness.study.plan import plan
from harness.tasks.lecture_stream import LectureStream
from harness.tasks.temporal_order import CLASSES, LEVELS, SYMBOLS, TemporalOrder

STUDIES = Path(__file__).parents[2] / "studies" / "lecture"


def lecture(level: str) -> TemporalOrder:
    return TemporalOrder(name="temporal_order", level=level, draw="lecture")


@pytest.mark.parametrize(("level", "digest"), [("easy", "10e63ce185dedf45"), ("hard", "3bf6746cae5422b2")])
def test_the_first_batch_is_the_lectures_to_the_bit(level: str, digest: str) -> None:
    batch = lecture(level).batch(0, "train", 0, 32)
    one_hot = (batch.inputs.T[:, :, None] == np.arange(8)).astype(np.int32)  # (B, T, D)
    assert sha256(one_hot.tobytes()).hexdigest()[:16] == digest


def test_the_first_sequences_are_those_that_the_lecture_shows() -> None:
    task = lecture("easy")
    batch = task.batch(0, "train", 0, 32)
    shown = ["".join(task.spelled(batch.inputs[:, i])) + " " + task.answered(batch.targets[i]) for i in range(5)]
    assert shown == ["BbXcXcbE Q", "BYdadYE U", "BXddbXcE Q", "BXacYdE R", "BbYbXdbE S"]


@pytest.mark.parametrize("level", ["easy", "normal"])
def test_training_and_test_batches_come_in_turn_from_one_stream(level: str) -> None:
    """Against the order of draws written out with numpy's global functions' own `choice`, over two epochs."""
    task = lecture(level)
    (shortest, longest), ((a, b), (c, d)) = task.layout
    random = np.random.RandomState(8382)

    def sequence() -> tuple[str, str]:
        length = random.randint(shortest, longest + 1)
        first, second = random.randint(a, b + 1), random.randint(c, d + 1)
        word = list(random.choice(["a", "b", "c", "d"], length))
        word[0], word[-1] = "B", "E"
        answer = random.choice(list(CLASSES))
        word[first], word[second] = ("XX", "XY", "YX", "YY")[CLASSES.index(answer)]
        return "".join(word), str(answer)

    for epoch in range(2):
        for part, index, size in [
            *(("train", 31 * epoch + i, 32) for i in range(31)),
            ("evaluate", 31 * (epoch + 1), 992),
        ]:
            batch = task.batch(5, part, index, size)
            ours = [("".join(task.spelled(batch.inputs[:, i])), task.answered(batch.targets[i])) for i in range(size)]
            assert ours == [sequence() for _ in range(size)]


def test_padding_stands_before_the_sequence() -> None:
    inputs = lecture("easy").batch(0, "train", 3, 32).inputs
    start = (inputs == SYMBOLS.index("B")).argmax(0)
    assert (start >= 1).all()
    assert ((inputs < 0) == (np.arange(9)[:, None] < start)).all()


def test_a_batch_does_not_depend_on_the_batches_drawn_before_it() -> None:
    late, early = LectureStream(*LEVELS["easy"]), LectureStream(*LEVELS["easy"])
    later = late.test(2)
    for update in (0, 31, 62):
        early.train(update)
    for one, other in zip(later, early.test(2), strict=True):
        assert np.array_equal(one, other)


def test_all_seeds_have_the_same_data_but_for_the_final_sequences() -> None:
    task = lecture("easy")
    one, other = (task.batch(seed, "evaluate", 31, 992) for seed in (1, 2))
    assert np.array_equal(one.inputs, other.inputs)
    one, other = (task.batch(seed, "final", 0, 992) for seed in (1, 2))
    assert not np.array_equal(one.inputs, other.inputs)


def test_before_the_first_update_the_first_test_set_is_evaluated() -> None:
    task = lecture("easy")
    before, after = (task.batch(1, "evaluate", update, 992) for update in (0, 31))
    assert np.array_equal(before.inputs, after.inputs)


@pytest.mark.parametrize(
    ("part", "index", "size", "message"),
    [
        ("train", 0, 20, "needs training.batch_size 32, not 20"),
        ("evaluate", 31, 512, "needs evaluation.sequences 992, not 512"),
        ("evaluate", 100, 992, "none at update 100; set evaluation.every and training.max_updates to multiples of 31"),
    ],
)
def test_a_batch_that_is_not_in_the_stream_is_refused(part, index: int, size: int, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        lecture("easy").batch(0, part, index, size)


def test_the_lectures_draw_without_a_level_is_refused() -> None:
    with pytest.raises(ValidationError, match="give a level"):
        TemporalOrder(name="temporal_order", sequence_length=50, draw="lecture")


PUBLISHED = {  # % of 992 test sequences after each epoch
    "rnn": [31.35, 37.50, 40.12, 43.85, 36.59, 41.03, 47.58, 48.69, 50.81, 52.72],
    "lstm": [29.03, 26.01, 50.71, 53.93, 50.50, 71.98, 80.14, 95.06, 99.40, 99.90],
}


@pytest.mark.parametrize("engine", sampled(["compiled", "torch"], ["compiled"]))
@pytest.mark.parametrize("cell", PUBLISHED)
def test_ten_epochs_give_the_published_curve(cell: str, engine: str) -> None:
    runs = [
        run for run in plan(read(STUDIES / "course.yaml")).runs
        if run.seed == 1 and run.columns()["cell"] == cell
    ]  # fmt: skip
    (record,) = train(runs, Setup(engine=engine))
    accuracies = [100 * float(row["accuracy"]) for row in record.rows["curves"][1:]]
    np.testing.assert_allclose(accuracies, PUBLISHED[cell], atol=0.5)
