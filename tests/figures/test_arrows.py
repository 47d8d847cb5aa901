"""Arrows between word vectors: from the first word to the second, and c is the mean cosine of the differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from harness.errors import HarnessError
from harness.figures.arrows import arrows, parallel
from harness.figures.codes import principal


def table(noise: float = 0.0, n: int = 5, seed: int = 0) -> pd.DataFrame:
    """Pairs that differ by one vector and some noise, of two relations."""
    draw = np.random.default_rng(seed)
    rows = []
    for relation in ("female", "past"):
        step = draw.normal(size=6)
        for k in range(n):
            first = draw.normal(size=6)
            ends = {"first": first, "second": first + step + noise * draw.normal(size=6)}
            rows += [
                {
                    "run_id": "r", "seed": 0, "text": f"{relation}{k}{side}", "code": vector.tolist(),
                    "labels": [relation, f"{relation}{k}", side],
                }
                for side, vector in ends.items()
            ]  # fmt: skip
    return pd.DataFrame(rows)


def test_c_is_the_mean_cosine_of_two_differences() -> None:
    differences = np.random.default_rng(1).normal(size=(7, 5))
    cosines = cosine_similarity(differences)
    assert parallel(differences) == pytest.approx(cosines[np.triu_indices(7, 1)].mean())
    assert np.isnan(parallel(differences[:1]))


def test_pairs_that_differ_by_one_vector_are_parallel_in_number_and_in_the_plane() -> None:
    figure = arrows(table())
    assert [ax.get_title() for ax in figure.axes] == ["female (n = 5): c = 1.00", "past (n = 5): c = 1.00"]
    for ax in figure.axes:
        drawn = [text for text in ax.texts if text.arrow_patch is not None]
        vectors = np.array([np.subtract(text.xyann if text.xyann else text.xy, text.xy) for text in drawn])
        assert len(drawn) == 5
        assert parallel(vectors) == pytest.approx(1)


def test_an_arrow_goes_from_the_first_word_to_the_second() -> None:
    frame = table(noise=0.3)
    ax = arrows(frame, relations=["past"], most=1).axes[0]
    own = frame[[labels[:2] == ["past", "past0"] for labels in frame["labels"]]]
    plane = principal(np.stack(own["code"].map(np.asarray).tolist())).points
    [arrow] = [text for text in ax.texts if text.arrow_patch is not None]
    assert arrow.xyann == pytest.approx(tuple(plane[0]))
    assert arrow.xy == pytest.approx(tuple(plane[1]))
    assert [text.get_text() for text in ax.texts if text.get_text()] == ["past0first", "past0second"]


def test_a_relation_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(HarnessError, match="no relation 'pasd'; did you mean 'past'"):
        arrows(table(), relations=["pasd"])


def test_codes_of_whole_inputs_are_no_pairs() -> None:
    frame = table().assign(labels=[["March", "Monday"]] * 20)
    with pytest.raises(HarnessError, match="not of pairs of words"):
        arrows(frame)
