"""Echo: every scored target is an earlier input, and the lecture's run comes out to its digits."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from harness.cells.rnn import RNN
from harness.experiments.training.batches import BatchSource
from harness.experiments.training.loop import backward_pass
from harness.experiments.training.replicas import Replicas
from harness.experiments.training.settings import Training
from harness.models.sequence_to_sequence import SequenceToSequence
from harness.tasks.echo import Echo, block
from harness.tasks.task import UNSCORED

LECTURE = Echo(name="echo", lag=3, draw="lecture")
RELU = RNN(cell="rnn", nonlinearity="relu", hidden_size=4, init="lecture")


def echo(**settings) -> Echo:
    return Echo(name="echo", **{"series_length": 60, **settings})


@pytest.mark.parametrize("part", ["train", "evaluate", "final"])
@pytest.mark.parametrize("task", [echo(lag=1), echo(lag=7), echo(lag=59), LECTURE], ids=str)
def test_a_target_is_the_bit_of_lag_steps_ago(task: Echo, part) -> None:
    batch = task.batch(0, part, 0, 5)
    assert set(np.unique(batch.inputs)) <= {0, 1}
    assert np.array_equal(batch.targets[task.lag :], batch.inputs[: -task.lag, :, 0])


def test_the_cold_start_is_zero_in_training_and_unscored_elsewhere() -> None:
    task = echo(lag=7)
    assert (task.batch(0, "train", 0, 5).targets[:7] == 0).all()
    for part in ("evaluate", "final"):
        assert (task.batch(0, part, 0, 5).targets[:7] == UNSCORED).all()


def test_bits_are_fair_and_neighbours_independent() -> None:
    x = echo(series_length=5000).batch(0, "train", 0, 8).inputs[:, :, 0] - 0.5
    bound = 5 / np.sqrt(4 * x.size)  # five standard errors of a mean of ±½, or of twice a product of two
    assert abs(x.mean()) < bound
    for lag in (1, 2, 3):
        assert abs(2 * (x[lag:] * x[:-lag]).mean()) < bound


def test_the_lectures_data_are_the_same_for_all_seeds_and_no_block_has_two_parts() -> None:
    def first(part, index, seed=0):
        return LECTURE.batch(seed, part, index, 5).inputs[:100].tobytes()

    blocks = [first("evaluate", 0), first("final", 0), *(first("train", epoch) for epoch in range(8))]
    assert len(set(blocks)) == len(blocks)
    assert first("train", 2, seed=9) == first("train", 2)
    assert first("evaluate", 700) == first("evaluate", 0)


def test_a_block_is_what_numpys_choice_would_draw() -> None:
    legacy = np.random.RandomState(3)
    for number in range(3):
        assert np.array_equal(block(number), legacy.choice(2, size=(5, 20_000), p=[0.5, 0.5]).T)


def test_the_lectures_network_has_33_parameters_and_torchs_own_first_weights() -> None:
    parameters = SequenceToSequence(LECTURE, RELU, 20, "compiled").initialise(RELU, 1)
    assert sum(p.size for p in parameters.values()) == 33
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        recurrent, readout = torch.nn.RNN(1, 4, nonlinearity="relu"), torch.nn.Linear(4, 1)
    assert np.array_equal(parameters["W"], recurrent.weight_hh_l0.detach().double().numpy())
    assert np.array_equal(parameters["V"], readout.weight.detach().double().numpy())


def test_the_accuracy_of_the_lectures_first_epoch_is_reproduced_to_its_digits() -> None:
    training = Training(batch_size=5, bptt_window=20, max_updates=1000)
    model = SequenceToSequence(LECTURE, RELU, 20, "compiled")
    pack = Replicas.start([model.initialise(RELU, 1)], training, "cpu")
    batches, right = BatchSource(model, training, "cpu", [1]), 0
    for update in range(1000):
        inputs, targets = batches.batch(update)
        with torch.no_grad():
            outputs, _ = model.outputs(pack.parameters, inputs, targets, batches.state)
        right += int(model.right(pack.parameters, inputs, outputs, targets)[0].sum())
        last = backward_pass(batches, pack, (inputs, targets), None)[2]
        batches.carry(pack.parameters, inputs, targets, last, update)
        pack.optimizer.step(training.learning_rate)
    assert right / 100_000 == pytest.approx(0.607, abs=5e-4)


@pytest.mark.parametrize(("window", "stride"), [(6, 6), (6, 3), (6, 1), (8, 3), (5, 5), (4, 2)])
def test_of_the_scored_steps_those_beyond_the_lag_have_their_bit_inside_the_window(window: int, stride: int) -> None:
    lag = 5
    task = echo(lag=lag, series_length=60)
    training = Training(batch_size=1, bptt_window=window, bptt_stride=stride, max_updates=60)
    cell = RNN(cell="rnn", hidden_size=3)
    batches = BatchSource(SequenceToSequence(task, cell, window, "torch"), training, "cpu", [0])
    for update in range(7, 10):  # past the start of the series, where a window is cut short
        _, targets = batches.batch(update)
        scored = np.flatnonzero(targets[:, 0, 0] != UNSCORED)
        assert len(scored) == stride
        assert (scored >= lag).sum() == min(stride, max(0, window - lag))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lag": 60}, "no echo is heard within a series of 60 steps"),
        ({"draw": "lecture"}, "leave series_length out"),
        ({"lag": 0}, "greater than or equal to 1"),
    ],
    ids=str,
)
def test_settings_without_a_series_are_refused(settings, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        echo(**settings)


def test_the_lectures_series_is_trained_on_in_five_columns() -> None:
    with pytest.raises(ValueError, match="has 5 columns"):
        LECTURE.batch(0, "train", 0, 32)


def test_the_memoryless_loss_is_ln_2_and_the_dependency_one_more_than_the_lag() -> None:
    task = echo(lag=7)
    assert task.memoryless_loss == pytest.approx(np.log(2))
    assert task.dependency == 8


def test_a_series_is_spelled_in_bits() -> None:
    task = echo(lag=2)
    batch = task.batch(0, "train", 0, 2)
    assert "".join(task.spelled(batch.inputs[:, 0])) == "".join(str(int(bit)) for bit in batch.inputs[:, 0, 0])
