"""Words: pairs that are held out stand in no sentence together, and the arithmetic is exact where the vectors are."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_networks import stacked
from pydantic import ValidationError
from study_texts import study_text
from torch.nn import LSTM
from torch.nn.functional import embedding

from harness.cells import CELLS
from harness.models.language_model import LanguageModel, looked_up
from harness.probes.word_vectors import accuracy, code_measures
from harness.registry import read
from harness.study.plan import plan
from harness.tasks import TASKS
from harness.tasks.facts import RELATIONS, STATED, facts, text
from harness.tasks.words import OTHER, Words

TASK = Words(name="words", embedding=12)
LSTM_CELL = CELLS["lstm"](cell="lstm", hidden_size=12)


@cache
def sentences() -> frozenset[frozenset[str]]:
    """The words of each sentence, of sentences that come again once."""
    return frozenset(frozenset(sentence.split()) for sentence in " ".join(text()).split(" ."))


def test_no_held_out_pair_stands_in_one_sentence() -> None:
    pairs = {pair for own in facts().held_out.values() for pair in own}
    assert len(pairs) > 200
    assert not [pair for pair in pairs for words in sentences() if set(pair) <= words]


@pytest.mark.parametrize("relation", STATED)
def test_the_other_pairs_of_a_stated_relation_do(relation: str) -> None:
    shown = set(facts().pairs[relation]) - set(facts().held_out[relation])
    together = [pair for pair in shown if any(set(pair) <= words for words in sentences())]
    assert len(together) > 0.9 * len(shown)  # of 24,000 sentences some are drawn by none


def test_the_facts_are_facts() -> None:
    assert ("france", "paris") in facts().pairs["capital"]
    assert ("italy", "italian") in facts().pairs["demonym"]
    assert ("chile", "spanish") in facts().pairs["language"]
    assert ("japan", "yen") in facts().pairs["currency"]
    assert {("walking", "walked"), ("swimming", "swam")} <= set(facts().pairs["past"])


def test_every_word_of_the_text_is_one() -> None:
    assert not [word for word in set(text()) - {"."} if not word.replace("-", "").isalpha()]


@pytest.mark.parametrize("relation", RELATIONS)
def test_nearly_all_words_of_the_pairs_are_in_the_vocabulary(relation: str) -> None:
    words = set(TASK.alphabet)
    assert np.mean([set(pair) <= words for pair in facts().pairs[relation]]) > 0.95


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch) -> None:
    monkeypatch.setattr("harness.tasks.words.find_spec", lambda name: None if name == "countryinfo" else object())
    with pytest.raises(ValidationError, match=r"countryinfo is not installed; .*\.\[words\]"):
        Words(name="words")


def test_an_unknown_word_is_read_as_other() -> None:
    tokens = TASK.tokens("The king of Atlantis.")
    assert TASK.spelled(tokens) == ["the", "king", "of", OTHER, "."]


def test_pairs_that_differ_by_one_vector_are_all_answered_and_those_of_noise_are_not() -> None:
    draw = np.random.default_rng(0)
    first, step = draw.normal(size=(20, 50)), draw.normal(size=50)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    words = [f"a{i}" for i in range(20)] + [f"b{i}" for i in range(20)]
    pairs = [(f"a{i}", f"b{i}") for i in range(20)]
    assert accuracy(np.concatenate([first, first + 0.5 * step / np.linalg.norm(step)]), words, pairs, pairs) == 1
    assert accuracy(draw.normal(size=(40, 50)), words, pairs, pairs) < 0.1


def test_an_answer_that_is_a_word_of_the_question_is_no_answer() -> None:
    """France : euro = Italy : euro needs no vector."""
    vectors = np.random.default_rng(0).normal(size=(3, 5))
    pairs = [("france", "euro"), ("italy", "euro")]
    assert accuracy(vectors, ["france", "italy", "euro"], pairs, pairs[1:]) is None


@pytest.mark.parametrize("tied", [False, True])
def test_the_model_is_torchs_embedding_lstm_and_linear_map(tied: bool) -> None:
    task = Words(name="words", embedding=12, tied=tied)
    model = LanguageModel(task, LSTM_CELL, None, "torch")
    p = stacked([model.initialise(LSTM_CELL, seed) for seed in (1, 2)])
    assert ("V" in p) is not tied
    tokens = torch.as_tensor(np.random.default_rng(0).integers(task.output_size, size=(7, 2, 3)))
    logits, _ = model.outputs(p, tokens, tokens)
    for r in range(2):
        twin = LSTM(12, 12).double()
        names = {"weight_ih_l0": "U", "weight_hh_l0": "W", "bias_ih_l0": "b_x", "bias_hh_l0": "b_h"}
        own = {torchs: p[ours][r] for torchs, ours in names.items()}
        h, _ = torch.func.functional_call(twin, own, (embedding(tokens[:, r], p["E"][r]),))
        V = p["E"] if tied else p["V"]
        torch.testing.assert_close(logits[:, r], h @ V[r].mT + p["b_y"][r])


def test_a_row_of_the_table_has_the_gradient_of_the_steps_that_read_it() -> None:
    E = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    tokens = torch.tensor([[[0, 4], [3, 3]], [[0, 1], [3, 2]]])  # (T, R, B)
    looked_up(E, tokens).sum().backward()
    assert E.grad is not None
    assert E.grad[:, :, 0].tolist() == [[2, 1, 0, 0, 1], [0, 0, 1, 3, 0]]


def test_vectors_that_have_not_been_trained_answer_as_those_before_training() -> None:
    model = LanguageModel(TASK, LSTM_CELL, None, "torch")
    parameters = {name: value.detach() for name, value in stacked([model.initialise(LSTM_CELL, 3)]).items()}
    measures = code_measures(model, parameters, 3)
    for relation in RELATIONS:
        assert measures[f"analogy_{relation}"] == measures[f"analogy_{relation}_untrained"] < 0.05


def own_text(folder: Path, text: str, kind: str = "words") -> Any:
    (folder / "own.txt").write_text(text, encoding="utf-8")
    return TASKS[kind].model_validate({"name": kind, "text": "own.txt"}, context={"folder": folder})


def test_a_text_of_ones_own_is_cut_as_the_built_in_one(tmp_path: Path) -> None:
    task = own_text(tmp_path, "The cat sat on the mat. " * 200)
    assert task.alphabet == [".", "cat", "mat", "on", "sat", "the", OTHER]
    assert [len(part) for part in task.corpus.parts.values()] == [1120, 140, 140]
    assert task.memoryless_loss == pytest.approx(2 / 7 * np.log(2), abs=0.02)  # "the" goes on in two ways
    letters = own_text(tmp_path, "abc " * 400, "characters")
    assert letters.alphabet == [" ", "a", "b", "c", "\N{REPLACEMENT CHARACTER}"]
    assert letters.memoryless_loss == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 words; a text needs 640 or more"),
        ("word " * 300, "300 words; a text needs 640 or more"),
        (" ".join(map(str, range(2000))), "no word occurs 2 times in the first eight tenths"),
    ],
)
def test_an_empty_text_or_a_short_one_is_refused_with_what_it_needs(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        own_text(tmp_path, text)


def test_a_text_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_bytes(b"caf\xe9 " * 500)
    for name, message in (("novell.txt", "did you mean 'novel.txt'"), ("novel.txt", "cannot be read: .*utf-8")):
        with pytest.raises(ValidationError, match=message):
            Words.model_validate({"name": "words", "text": name}, context={"folder": tmp_path})


def test_a_run_of_another_text_is_another_run(tmp_path: Path) -> None:
    ids = []
    for times in (200, 201):
        (tmp_path / "own.txt").write_text("the cat sat on the mat . " * times)
        path = tmp_path / "study.yaml"
        path.write_text(study_text(task={"name": "words", "text": "own.txt"}, training={"batch_size": 8}))
        ids.append({run.run_id for run in plan(read(path)).runs})
    assert not ids[0] & ids[1]
