"""Studies with tuning, and results of their candidates: the RNN is best at a rate of .01, the LSTM at .1."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd
from study_texts import study_text

from harness.registry import load_registry
from harness.statistics.frames import Frames
from harness.study.plan import Plan, plan
from harness.study.spec import StudySpec
from harness.study.validation import understand
from harness.study.yaml_document import parse
from harness.verdicts.choosing import chosen

GRID = "{training.learning_rate: [0.001, 0.01, 0.1], model.init: [gaussian, orthogonal]}"
RANDOM = "{training.learning_rate: {low: 1.0e-4, high: 1.0e-1, scale: log}, model.init: [gaussian, orthogonal]}"


def tuned_study(over: str = GRID, more: str = "", **sections: Any) -> StudySpec:
    tuned = f"{{over: {over}, by: final_accuracy, per: [cell, sequence_length], seeds: [100, 101]{more}}}"
    text = study_text(
        sweep="{model.cell: [rnn, lstm], task.sequence_length: [12, 15]}",
        **{"tune": tuned, "figures": "[{kind: sensitivity, row: sequence_length}]", **sections},
    )  # fmt: skip
    return understand(parse(text, "<text>"), load_names=load_registry)


def tuned_results(study: StudySpec, without: float | None = None) -> tuple[Plan, Frames]:
    """Accuracies that peak at .01 for the RNN and at .1 for the LSTM; orthogonal is better."""
    study_plan = plan(study)
    rows = []
    for run in study_plan.tuning_runs:
        columns = run.columns()
        rate, cell = float(str(columns["learning_rate"])), columns["cell"]
        accuracy = (
            0.8 - 0.2 * abs(math.log10(rate) + (2 if cell == "rnn" else 1)) + 0.1 * (columns["init"] != "gaussian")
        )
        if rate != without:
            rows.append({"run_id": run.run_id, **columns, "outcome": "unsolved", "final_accuracy": accuracy})
    runs = pd.DataFrame(rows).assign(final_loss=0.1, chance=0.25)
    new, _ = chosen(study_plan, runs, {})
    return study_plan.with_winners({each.name: each.index for each in new}), replace(
        Frames.from_tables({}), tuning=runs
    )
