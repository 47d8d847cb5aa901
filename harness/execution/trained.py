"""A network that a sweep has trained, rebuilt from its committed parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.errors import HarnessError, NoResultsError
from harness.experiments.training.settings import TrainingSections
from harness.models import model_of
from harness.models.model import Model
from harness.store.commit import Commit
from harness.store.journal import Journal
from harness.study.plan import Run


@dataclass(frozen=True)
class Trained:
    """A run, its model, its parameters with one replica, each (1, …), and its final loss."""

    run: Run
    model: Model
    parameters: Mapping[str, Tensor]
    final_loss: float


def best(runs: Sequence[Run], journal: Journal) -> Trained:
    """The network of the run with the lowest final loss; of equal ones, the first of the plan.

    Raises:
        HarnessError: no run is done, none ended with a finite loss, or its parameters were not recorded.
    """
    commits = {commit.run_id: commit for commit in journal.read(run.run_id for run in runs)}
    if not commits:
        raise NoResultsError(f"none of these {len(runs)} runs is done yet; python -m harness.sweep STUDY computes them")
    losses = {run.run_id: _loss(commits[run.run_id]) for run in runs if run.run_id in commits}
    chosen = min((run for run in runs if run.run_id in losses), key=lambda run: losses[run.run_id])
    if not isfinite(losses[chosen.run_id]):
        raise HarnessError("none of the runs that are done has a finite loss: they diverged")
    rows = _rows(commits[chosen.run_id], "weights")
    if not rows:
        raise HarnessError(
            f"run {chosen.run_id} recorded no parameters; set record: {{weights: true}} in the study and sweep again"
        )
    sections = chosen.sections.typed(TrainingSections)
    dtype = getattr(torch, sections.training.parameter_dtype)
    parameters = {
        row["name"]: torch.as_tensor(np.reshape(row["values"], (1, *row["shape"])), dtype=dtype) for row in rows
    }
    # the torch engine: sampling takes one step at a time, where machine code saves nothing
    model = model_of(sections.task, sections.model)
    return Trained(chosen, model, parameters, losses[chosen.run_id])


def _rows(commit: Commit, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = commit.tables[table].to_pylist() if table in commit.tables else []
    return rows


def _loss(commit: Commit) -> float:
    loss = _rows(commit, "runs")[0]["final_loss"]
    return float("inf") if loss is None or loss != loss else float(loss)
