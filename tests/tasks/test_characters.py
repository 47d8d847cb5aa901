"""Characters: evaluation is on held-out text, targets are the next inputs, and references are real models."""

from math import log

import numpy as np
import pytest

from harness.tasks.characters import OFTEN, OTHER, Characters, corpus
from harness.tasks.task import PADDING
from harness.tasks.text import Corpus, bigram, cross_entropy, smoothed_bigram, unigram
from harness.tasks.text import divided as divide

TASK = Characters(name="characters")
PARTS = corpus().parts
C = TASK.output_size
TEXT = "".join(chr(97 + i % 26) for i in range(1000)) + "é" * (OFTEN - 1)


def divided(text: str) -> Corpus:
    return divide(text, often=OFTEN, other=OTHER)


def text_of(symbols: np.ndarray) -> str:
    return "".join(TASK.spelled(symbols))


def test_the_parts_are_cut_in_order_and_are_the_whole_text() -> None:
    parts = divided(TEXT).parts
    assert list(parts) == ["train", "evaluate", "final"]
    letters = divided(TEXT).alphabet
    whole = "".join(letters[token] for part in parts.values() for token in part)
    assert whole == TEXT.replace("é", OTHER)
    assert [len(part) for part in parts.values()] == pytest.approx([0.8 * len(TEXT), 102, 102], abs=1)


def test_the_alphabet_is_that_of_the_training_part_alone() -> None:
    late = "a" * 800 + "z" * 200
    assert divided(late).alphabet == ["a", OTHER]
    assert text_of(TASK.tokens("aé☃")) == f"a{OTHER}{OTHER}"


def test_a_character_is_in_the_alphabet_if_it_is_frequent_enough() -> None:
    for count, there in ((OFTEN - 1, False), (OFTEN, True)):
        assert ("é" in divided("é" * count + "a" * 2000).alphabet) is there


def test_the_real_alphabet_is_that_of_english_prose_and_code() -> None:
    assert set("abcdefghijklmnopqrstuvwxyz ETAOIN\n.,()[]{}=_'\"") <= set(TASK.alphabet)
    assert TASK.alphabet[-1] == OTHER
    assert len(set(TASK.alphabet)) == C
    assert all(part.min() >= 0 and part.max() < C for part in PARTS.values())


def test_text_to_tokens_and_back_is_the_same_text() -> None:
    text = "The assert statement\n"
    assert text_of(TASK.tokens(text)) == text == TASK.answered(TASK.tokens(text))
    assert TASK.spelled(np.array([PADDING])) == [""]


@pytest.mark.parametrize("part", ["train", "evaluate", "final"])
def test_targets_are_the_next_inputs_and_columns_are_stretches_of_their_part(part: str) -> None:
    batch = TASK.batch(4, part, 2, 7)  # type: ignore[arg-type]
    assert np.array_equal(batch.inputs[1:], batch.targets[:-1])
    around = text_of(PARTS[part]) * 2  # type: ignore[index]
    for b in range(7):
        assert text_of(np.append(batch.inputs[:, b], batch.targets[-1, b])) in around


def test_the_evaluated_and_the_final_part_are_never_trained_on() -> None:
    columns = [text_of(column) for episode in range(3) for column in TASK.batch(0, "train", episode, 5).inputs.T]
    for part in ("evaluate", "final"):
        stretch = text_of(PARTS[part][:2000])
        assert not any(stretch in column for column in columns)


def test_a_pass_shows_every_training_character_but_a_columns_remainder() -> None:
    batch = TASK.batch(0, "train", 0, 32)
    shown = np.bincount(batch.targets.ravel(), minlength=C)
    missing = np.bincount(PARTS["train"], minlength=C) - shown
    assert missing.min() >= 0
    assert 32 <= missing.sum() < 64


def test_training_columns_are_cut_elsewhere_for_another_seed_or_pass_and_held_out_ones_never() -> None:
    first = TASK.batch(0, "train", 0, 4).inputs
    assert np.array_equal(first, TASK.batch(0, "train", 0, 4).inputs)
    assert not np.array_equal(first, TASK.batch(1, "train", 0, 4).inputs)
    assert not np.array_equal(first, TASK.batch(0, "train", 1, 4).inputs)
    for part in ("evaluate", "final"):
        assert np.array_equal(TASK.batch(0, part, 0, 4).inputs, TASK.batch(1, part, 9, 4).inputs)


@pytest.mark.parametrize("smoothing", [0.001, 1.0])
@pytest.mark.parametrize("model", [unigram, bigram])
def test_a_reference_is_a_distribution_over_the_alphabet_in_every_row(model, smoothing: float) -> None:
    p = model(PARTS["train"], C, smoothing)
    assert p.shape == (C, C)
    assert p.min() > 0
    assert p.sum(axis=1) == pytest.approx(np.ones(C))


def test_a_bigram_counts_what_follows_what() -> None:
    p = bigram(np.array([0, 1, 0, 1, 0, 0]), 2, 0.0)
    assert p.tolist() == [[pytest.approx(1 / 3), pytest.approx(2 / 3)], [1.0, 0.0]]


def test_a_uniform_model_needs_log_c() -> None:
    assert cross_entropy(np.full((C, C), 1 / C), *TASK.judged) == pytest.approx(log(C))


def test_without_smoothing_a_unigram_model_of_a_text_has_its_entropy() -> None:
    text = np.array([0, 0, 0, 1])
    entropy = -(0.75 * log(0.75) + 0.25 * log(0.25))
    assert cross_entropy(unigram(text, 2, 0.0), text, text) == pytest.approx(entropy)


def test_a_model_of_more_of_the_past_has_a_lower_loss() -> None:
    one, two = unigram(PARTS["train"], C, 1.0), bigram(PARTS["train"], C, 0.1)
    assert log(C) > cross_entropy(one, *TASK.judged) > cross_entropy(two, *TASK.judged)


def test_the_memoryless_loss_is_that_of_a_bigram_model_of_the_training_part() -> None:
    assert TASK.memoryless_loss == cross_entropy(smoothed_bigram(corpus()), *TASK.judged)
    inputs, targets = TASK.judged
    fitted = bigram(PARTS["final"], C, 1e-9)
    assert TASK.memoryless_loss > cross_entropy(fitted, inputs, targets)


def test_chance_is_the_share_of_the_commonest_character() -> None:
    targets = TASK.batch(0, "final", 0, Characters.final_sequences).targets
    assert TASK.chance == pytest.approx(max((targets == c).mean() for c in range(C)))


def test_its_length_is_that_of_a_column_of_the_final_part_and_it_is_never_solved() -> None:
    assert TASK.length == len(TASK.batch(0, "final", 0, Characters.final_sequences).inputs)
    assert not TASK.solved(1.0)
