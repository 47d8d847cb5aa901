"""Sampling: temperature and top-k shape a true distribution, and draws depend on seed and position alone."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_networks import stacked
from samples import sampled

from harness.cells import CELLS
from harness.models import MODELS
from harness.models.sampling import continuation, probabilities, read_on
from harness.rng import generator
from harness.tasks.characters import Characters

LOGITS = arrays(np.float64, 9, elements=st.floats(-50, 50))
TASK = Characters(name="characters")
PROMPT = TASK.tokens("def f(x):")


@pytest.fixture(scope="module", params=["rnn", "lstm"])
def network(request):
    """An untrained network whose readout is large enough for unequal probabilities."""
    cell = CELLS[request.param](cell=request.param, hidden_size=6)
    model = MODELS[TASK.shape](TASK, cell, None, "torch")
    parameters = stacked([model.initialise(cell, 5)])
    return model, {name: value.detach() * (8 if name == "V" else 1) for name, value in parameters.items()}


def continued(network, length: int = 40, **settings) -> list[int]:
    return list(islice(continuation(*network, PROMPT, **settings), length))


@given(LOGITS, st.floats(0, 10), st.integers(1, 12))
def test_probabilities_sum_to_one_and_only_the_k_likeliest_have_any(logits, temperature: float, k: int) -> None:
    p = probabilities(logits, temperature, k)
    assert p.sum() == pytest.approx(1)
    assert p.min() >= 0
    assert np.count_nonzero(p) <= k
    assert p[logits.argmax()] == p.max()


@given(LOGITS, st.floats(0.05, 10))
def test_probabilities_are_the_softmax_of_logits_over_temperature(logits, temperature: float) -> None:
    expected = torch.softmax(torch.as_tensor(logits) / temperature, 0).numpy()
    assert probabilities(logits, temperature) == pytest.approx(expected)


@given(LOGITS)
def test_top_1_is_temperature_0_is_the_argmax(logits) -> None:
    likeliest = np.eye(len(logits))[logits.argmax()]
    assert np.array_equal(probabilities(logits, 0.0), likeliest)
    assert np.array_equal(probabilities(logits, 2.0, 1), likeliest)


@given(LOGITS)
def test_temperature_0_is_the_limit_of_low_temperatures(logits) -> None:
    gap = np.diff(np.sort(logits))[-1]
    if gap > 1e-6:
        assert probabilities(logits, 1e-300) == pytest.approx(probabilities(logits, 0.0))


def test_top_k_does_not_change_the_odds_of_those_that_remain() -> None:
    logits = np.array([3.0, 1.0, 2.0, 0.0])
    all_of_them, two = probabilities(logits), probabilities(logits, 1.0, 2)
    assert two[[1, 3]].tolist() == [0, 0]
    assert two[0] / two[2] == pytest.approx(all_of_them[0] / all_of_them[2])


@pytest.mark.parametrize("temperature", sampled([0.5, 1.0, 2.0], [0.5]))
def test_draws_follow_the_softmax(network, temperature: float) -> None:
    prompt = PROMPT[:1]  # a longer one costs time and changes nothing
    p = probabilities(read_on(*network, prompt)[0], temperature)
    n = 4000
    first = [next(continuation(*network, prompt, temperature=temperature, seed=seed)) for seed in range(n)]
    counts = np.bincount(first, minlength=len(p))
    often = n * p >= 5
    chi2 = ((counts - n * p)[often] ** 2 / (n * p)[often]).sum()
    freedom = often.sum()
    assert chi2 < freedom + 5 * np.sqrt(2 * freedom)


def test_a_seed_always_gives_the_same_text_and_another_seed_another(network) -> None:
    assert continued(network, seed=3) == continued(network, seed=3)
    assert continued(network, seed=3) != continued(network, seed=4)


def test_a_longer_text_begins_with_the_shorter_one(network) -> None:
    assert continued(network, 40)[:15] == continued(network, 15)


def test_each_symbol_has_a_stream_of_its_own(network) -> None:
    p = probabilities(read_on(*network, [*PROMPT, *continued(network, 7, seed=2)])[0])
    assert continued(network, 8, seed=2)[7] == generator(2, "sample", 7).choice(len(p), p=p)


def test_at_temperature_0_every_symbol_is_the_likeliest_after_all_before_it(network) -> None:
    text = continued(network, 10, temperature=0.0)
    assert text == continued(network, 10, temperature=3.0, top_k=1, seed=9)
    for n, token in enumerate(text):
        assert token == read_on(*network, [*PROMPT, *text[:n]])[0].argmax()


def test_a_prompt_in_two_parts_with_the_state_carried_is_the_whole_prompt(network) -> None:
    _, state = read_on(*network, PROMPT[:4])
    logits, _ = read_on(*network, PROMPT[4:], state)
    assert logits == pytest.approx(read_on(*network, PROMPT)[0])
