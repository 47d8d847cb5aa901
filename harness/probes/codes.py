"""Codes of an encoder–decoder: how they are had, and how far groups of them lie apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.probes.artifacts import tensors
from harness.tasks.task import Batch

Codes = npt.NDArray[np.float64]


@torch.no_grad()
def encoded(model: Decoding, parameters: Parameters, batch: Batch) -> Codes:
    """The codes h_T of a batch by one run (R = 1), (B, H)."""
    return np.asarray(model.encode(parameters, tensors(batch, parameters)[0], None)[0][0].cpu().double().numpy())


def untrained(model: Model, parameters: Parameters, seed: int) -> Parameters:
    """The parameters of the run before its first update, (1, …) each."""
    return {
        name: torch.as_tensor(value).to(parameters[name]).unsqueeze(0)
        for name, value in model.initialise(model.cell, seed).items()
    }


def silhouette(codes: Codes, groups: npt.NDArray[Any]) -> float:
    """Mean silhouette of codes (B, H) in groups (B,), Euclidean, between −1 and 1; 0 where groups lie in one another.

    Source: Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis".
    """
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(codes, groups))


def told_by_centroid(learnt: Codes, groups: npt.NDArray[Any], codes: Codes, truth: npt.NDArray[Any]) -> float:
    """Share of codes (B, H) whose nearest mean code of a group is that of their own group `truth` (B,).

    The means are those of the codes `learnt` (N, H) in `groups` (N,): the nearest-centroid classifier.
    """
    from sklearn.metrics import pairwise_distances_argmin

    names = np.unique(groups)
    means = np.stack([learnt[groups == name].mean(axis=0) for name in names])
    return float(np.mean(names[pairwise_distances_argmin(codes, means)] == truth))
