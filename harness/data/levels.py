"""Chance, and the loss of the best prediction from one step's input alone; both from the training part."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.parts import Half, Prepared
from harness.rng import generator

Floats = npt.NDArray[np.float64]

FOLDS = 10
MOST_PAIRS = 2048  # that the estimate is made from
NEIGHBOURS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)  # or the α of a table; 0: the same answer to every input


def chance(train: Half, C: int, tolerance: float) -> float:
    """Accuracy of the best constant answer: the commonest class, or the mean with this tolerance.

    Args:
        C: classes; 0: targets are numbers.
    """
    scored = _scored(train)
    if C:
        return float(np.bincount(scored, minlength=C).max() / len(scored))
    return float((np.abs(scored - scored.mean(dtype=np.float64)) < tolerance).mean())


def memoryless_loss(prepared: Prepared, each_step: bool) -> float:
    """Estimate of the loss of the best prediction from the input of one step alone: the last, or that of the target.

    Cross-validated in ten folds of whole sequences: a prediction for sequence n is made from other folds only.
    Numbers: from the k nearest neighbours of x (Euclidean), p(y) = (n_y + π_y)/(k + 1) with π the shares of the
    classes (n_y + 1)/(N + C), or ŷ = (Σ y + ȳ)/(k + 1). Symbols: from all pairs with the same symbol,
    p(y) = (n_xy + k π_y)/(n_x + k), or ŷ in the same manner. Of the `NEIGHBOURS` k the one with the least loss is
    taken, k = 0 being the same answer to every input. Where that is above the loss of the best constant, which is the
    entropy of the shares of the classes or the variance, the estimate is the latter: of few sequences a class the
    folds know less than a constant does.

    Nearest neighbours come to the best predictor as data grow (Stone 1977, "Consistent nonparametric regression"); of
    few data the estimate is above it. At most 2,048 pairs are used.

    Returns:
        nats, or the squared error.
    """
    train, C = prepared.parts["train"], len(prepared.classes)
    inputs, targets, sequence = _pairs(train, each_step)
    if len(inputs) > MOST_PAIRS:
        drawn = np.sort(generator(0, "pairs of the memoryless loss").permutation(len(inputs))[:MOST_PAIRS])
        inputs, targets, sequence = inputs[drawn], targets[drawn], sequence[drawn]
    answers = np.eye(C)[targets] if C else targets[:, None].astype(np.float64)  # (P, C)
    losses = np.zeros(len(NEIGHBOURS))
    # Drawn: of a file whose classes come in turn, every tenth sequence may be all of a class.
    fold = (generator(0, "folds of the memoryless loss").permutation(len(train.lengths)) % FOLDS)[sequence]
    for k in np.unique(fold):
        own, others = fold == k, fold != k
        if not others.any():  # one sequence
            others = own
        known = answers[others]
        constant = (known.sum(0) + 1) / (len(known) + C) if C else known.mean(0)
        predict = _from_symbols if inputs.ndim == 1 else _from_neighbours
        for i, predicted in enumerate(predict(inputs[own], inputs[others], known, constant)):
            truth = answers[own]
            losses[i] += -np.log((predicted * truth).sum(1)).sum() if C else ((predicted - truth) ** 2).sum()
    return min(float(losses.min() / len(inputs)), _constant_loss(_scored(train), C))


def _constant_loss(targets: npt.NDArray[Any], C: int) -> float:
    """Loss of the best constant answer on these targets: the entropy of their shares in nats, or their variance."""
    if not C:
        return float(targets.astype(np.float64).var())
    shares = np.bincount(targets, minlength=C) / len(targets)
    return float(-(shares * np.log(np.where(shares > 0, shares, 1))).sum())


def _from_neighbours(x: Floats, others: Floats, answers: Floats, constant: Floats) -> list[Floats]:
    """A prediction (P, C) for each number of neighbours."""
    distance = np.zeros((len(x), len(others)))
    for d in range(x.shape[1]):  # no matrix product, whose last bits depend on the processor
        distance += (x[:, d, None] - others[:, d]) ** 2
    nearest = np.argsort(distance, axis=1, kind="stable")
    total, before, predictions = np.zeros((len(x), answers.shape[1])), 0, []
    for k in NEIGHBOURS:
        end = min(k, len(others))
        for j in range(before, end):
            total += answers[nearest[:, j]]
        before = end
        predictions.append((total + constant) / (end + 1))
    return predictions


def _from_symbols(x: Floats, others: Floats, answers: Floats, constant: Floats) -> list[Floats]:
    K = int(max(x.max(), others.max())) + 1
    of_symbol = np.eye(K)[others.astype(int)]
    total, count = of_symbol.T @ answers, of_symbol.sum(0)[:, None]
    tables = [(total + k * constant) / (count + k) if k else np.tile(constant, (K, 1)) for k in NEIGHBOURS]
    return [table[x.astype(int)] for table in tables]


def _scored(train: Half) -> npt.NDArray[Any]:
    """All targets that are scored."""
    return train.targets if train.targets.ndim == 1 else train.targets[_present(train)]


def _present(train: Half) -> npt.NDArray[np.bool_]:
    T = train.inputs.shape[1]
    return np.asarray(np.arange(T) >= T - train.lengths[:, None])


def _pairs(train: Half, each_step: bool) -> tuple[Floats, npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Inputs (P, D) or (P,) and targets (P,) of all scored steps, and the sequence of each."""
    N = len(train.lengths)
    if not each_step:
        return train.inputs[:, -1].astype(np.float64), train.targets, np.arange(N)
    present = _present(train)
    return train.inputs[present].astype(np.float64), train.targets[present], np.nonzero(present)[0]
