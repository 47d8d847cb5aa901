"""Arithmetic with word vectors: man is to woman as king is to which word?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.models.language_model import TABLE
from harness.models.model import Model, Parameters
from harness.rng import generator
from harness.tasks.facts import Pair, facts
from harness.tasks.words import Words

Vectors = npt.NDArray[np.float64]


def code_measures(model: Model, parameters: Parameters, seed: int) -> dict[str, float | None]:
    """Share of analogies answered, for each relation, as columns of the table of runs.

    Returns:
        analogy_…: with the trained vectors (R = 1); analogy_…_untrained: with those before the first update;
        analogy_…_random: with as many normal vectors of the same width. Nothing of a text of the user's own, in which
        no pair is held out.
    """
    task = model.task
    assert isinstance(task, Words)
    if task.text is not None:
        return {}
    trained = parameters[TABLE][0].detach().cpu().double().numpy()
    tables = {
        "": trained,
        "_untrained": model.initialise(model.cell, seed)[TABLE],
        "_random": generator(seed, "random vectors").normal(size=trained.shape),
    }
    return {
        f"analogy_{relation}{suffix}": accuracy(vectors, task.alphabet, facts().pairs[relation], held_out)
        for relation, held_out in facts().held_out.items()
        for suffix, vectors in tables.items()
    }


def accuracy(vectors: Vectors, words: Sequence[str], pairs: Sequence[Pair], held_out: Sequence[Pair]) -> float | None:
    """Share of analogies a : b = c : ? answered with d, over all held-out (c, d) and all other pairs (a, b).

    The answer is the word, none of a, b and c, whose vector has the largest cosine with b̂ − â + ĉ, hats for vectors of
    length 1: 3CosAdd. Pairs with a word outside the vocabulary, and analogies with b = d, are left out.

    Source: Mikolov, Yih & Zweig 2013, section 4; the name is Levy & Goldberg's, 2014, "Linguistic regularities in
    sparse and explicit word representations".
    """
    index = {word: i for i, word in enumerate(words)}
    known = [(index[a], index[b]) for a, b in pairs if a in index and b in index]
    targets = [(index[c], index[d]) for c, d in held_out if c in index and d in index]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    right = []
    for c, d in targets:
        own = np.array([(a, b) for a, b in known if b != d and a != c])
        if not len(own):
            continue
        scores = (unit[own[:, 1]] - unit[own[:, 0]] + unit[c]) @ unit.T
        scores[np.arange(len(own)), own[:, 0]] = scores[np.arange(len(own)), own[:, 1]] = -np.inf
        scores[:, c] = -np.inf
        right += (scores.argmax(1) == d).tolist()
    return float(np.mean(right)) if right else None
