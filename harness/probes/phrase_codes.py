"""What the codes of phrases know: whether phrases of one kind lie together, beside what says nothing of meaning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.probes.artifacts import tensors
from harness.probes.codes import Codes, encoded, silhouette, told_by_centroid, untrained
from harness.rng import generator
from harness.tasks.phrase_pairs import KINDS
from harness.tasks.phrases import Phrases
from harness.tasks.task import Batch, Part

LEARNT, TESTED = 4096, 2048  # phrases behind the mean codes, and held-out phrases; no phrase is in both


@dataclass(frozen=True)
class Drawn:
    """Phrases of one part: the batch and the kinds (B,), indices into KINDS."""

    batch: Batch
    kinds: npt.NDArray[np.int64]


def code_measures(model: Model, parameters: Parameters, seed: int) -> dict[str, float | None]:
    """Measures of the codes of one run (R = 1), as columns of the table of runs.

    Two baselines say how much of a measure is the encoder's learning. *Shuffled*: the same codes, their kinds permuted
    (of held-out phrases for the silhouette, of training phrases for the centroids). *Untrained*: the encoder before its
    first update, of the same seed, whose codes tell the last characters of a phrase.

    Returns:
        kind_silhouette, kind_silhouette_shuffled, kind_silhouette_untrained: mean silhouette of held-out codes by kind.
        kind_silhouette_gain: trained less untrained.
        kind_accuracy, kind_accuracy_shuffled, kind_accuracy_untrained: share of held-out codes nearest to the mean code
            of training phrases of their own kind.
        kind_accuracy_gain: trained less untrained.
        …_accuracy of each kind: exact match on held-out phrases of that kind; None where none was drawn.
    """
    task = model.task
    assert isinstance(model, Decoding)
    assert isinstance(task, Phrases)
    learnt, tested = drawn(task, seed, "train", LEARNT), drawn(task, seed, "final", TESTED)
    first = untrained(model, parameters, seed)
    before = apart(encoded(model, first, learnt.batch), learnt.kinds, encoded(model, first, tested.batch), tested.kinds)
    centres, codes = encoded(model, parameters, learnt.batch), encoded(model, parameters, tested.batch)
    trained = apart(centres, learnt.kinds, codes, tested.kinds)
    draw = generator(seed, "shuffle kinds")
    permuted = draw.permutation(learnt.kinds), draw.permutation(tested.kinds)
    shuffled = apart(centres, permuted[0], codes, tested.kinds, permuted[1])
    right = exact(model, parameters, tested.batch)
    return {
        "kind_silhouette": trained[0],
        "kind_silhouette_shuffled": shuffled[0],
        "kind_silhouette_untrained": before[0],
        "kind_silhouette_gain": trained[0] - before[0],
        "kind_accuracy": trained[1],
        "kind_accuracy_shuffled": shuffled[1],
        "kind_accuracy_untrained": before[1],
        "kind_accuracy_gain": trained[1] - before[1],
        **{
            f"{name}_accuracy": float(right[tested.kinds == kind].mean()) if (tested.kinds == kind).any() else None
            for kind, name in enumerate(KINDS)
        },
    }


def apart(
    learnt: Codes,
    kinds: npt.NDArray[np.int64],
    tested: Codes,
    truth: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64] | None = None,
) -> tuple[float, float]:
    """Silhouette of the tested codes in `groups`, by default their kinds, and the share told by centroids."""
    return silhouette(tested, truth if groups is None else groups), told_by_centroid(learnt, kinds, tested, truth)


def drawn(task: Phrases, seed: int, part: Part, size: int) -> Drawn:
    """Phrases of one part and their kinds."""
    batch = task.batch(seed, part, 0, size)
    return Drawn(batch, np.array([KINDS.index(task.labels(column)[0]) for column in batch.inputs.T]))


@torch.no_grad()
def exact(model: Decoding, parameters: Parameters, batch: Batch) -> npt.NDArray[np.bool_]:
    """Whether the network, free running, writes the whole text of each phrase, (B,)."""
    inputs, targets = tensors(batch, parameters)
    return np.asarray(model.answers(parameters, inputs, targets)[1][0].cpu().numpy())
