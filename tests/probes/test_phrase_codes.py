"""Measures of codes by kind: one where kinds are corners, chance where they are shuffled."""

from __future__ import annotations

import numpy as np
import pytest
from made_networks import stacked
from sklearn.metrics import pairwise_distances

from harness.cells import CELLS
from harness.models.encoder_decoder import EncoderDecoder
from harness.probes.codes import silhouette, told_by_centroid, untrained
from harness.probes.phrase_codes import apart, code_measures
from harness.schema import RUN_COLUMNS
from harness.tasks.phrase_pairs import KINDS
from harness.tasks.phrases import MEASURES, Phrases

TASK = Phrases(name="phrases")
GRU = CELLS["gru"](cell="gru", hidden_size=6)


def test_kinds_that_are_corners_are_told_and_apart() -> None:
    kinds = np.arange(80) % 8
    assert apart(np.eye(8)[kinds], kinds, np.eye(8)[kinds], kinds) == (pytest.approx(1), 1)


def test_the_nearest_centroid_is_that_of_the_smallest_distance_to_a_mean() -> None:
    draw = np.random.default_rng(0)
    learnt, codes = draw.normal(size=(300, 4)), draw.normal(size=(100, 4))
    groups, truth = draw.integers(3, size=300), draw.integers(3, size=100)
    means = np.stack([learnt[groups == k].mean(0) for k in range(3)])
    nearest = pairwise_distances(codes, means).argmin(1)
    assert told_by_centroid(learnt, groups, codes, truth) == pytest.approx((nearest == truth).mean())


def test_a_silhouette_is_that_of_its_definition() -> None:
    draw = np.random.default_rng(1)
    codes, groups = draw.normal(size=(40, 3)), np.arange(40) % 3
    D = pairwise_distances(codes)
    own = [D[i, (groups == groups[i]) & (np.arange(40) != i)].mean() for i in range(40)]
    other = [min(D[i, groups == k].mean() for k in range(3) if k != groups[i]) for i in range(40)]
    expected = np.mean([(b - a) / max(a, b) for a, b in zip(own, other, strict=True)])
    assert silhouette(codes, groups) == pytest.approx(expected)


def test_an_encoder_that_has_not_been_trained_gains_nothing_and_writes_nothing_right() -> None:
    model = EncoderDecoder(TASK, GRU, None, "torch")
    parameters = {name: value.detach() for name, value in stacked([model.initialise(GRU, 3)]).items()}
    again = untrained(model, parameters, 3)
    assert all(bool((again[name] == parameters[name]).all()) for name in parameters)
    measures = code_measures(model, parameters, 3)
    assert set(measures) == {column.name for column in MEASURES}
    assert measures["kind_silhouette_gain"] == measures["kind_accuracy_gain"] == 0
    assert [measures[f"{kind}_accuracy"] for kind in KINDS] == [0] * len(KINDS)
    assert measures["kind_accuracy_shuffled"] == pytest.approx(1 / len(KINDS), abs=0.06)
    assert measures["kind_silhouette_shuffled"] == pytest.approx(0, abs=0.1)
    assert not set(measures) & {column.name for column in RUN_COLUMNS}
