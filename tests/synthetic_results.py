"""A synthetic study and its results: real schemas and StudySpec objects, numbers drawn from a generator."""

from __future__ import annotations

import calendar
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from harness.experiments.training.settings import Training
from harness.figures import FIGURES
from harness.schema import CODES, CURVES, EVALUATIONS, EXAMPLES, GRADIENTS
from harness.statistics.frames import Frames
from harness.store.columns import RUNS
from harness.study.spec import Choice, Experiment, Point, Section, Sections, StudySpec, setting
from harness.verdicts.expectations import judge
from harness.verdicts.verdict import Verdict


class Order(Section):
    label_names: ClassVar[tuple[str, ...]] = ("month", "weekday")
    label_orders: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "month": tuple(calendar.month_name[1:]),
        "weekday": tuple(calendar.day_name),
    }
    name: Literal["temporal_order"] = "temporal_order"
    sequence_length: int = setting(50, "padded length T", unit="steps", ge=10)


class Tanh(Section):
    cell: Literal["rnn"] = "rnn"
    hidden_size: int = setting(20, "hidden units")
    spectral_radius: float | None = setting(None, "ρ(W) at initialisation", replica=True)


class Gated(Tanh):
    cell: Literal["lstm"] = "lstm"  # type: ignore[assignment]
    forget_bias: float | Literal["chrono"] | None = setting(None, "bias of the forget gate")


@dataclass(frozen=True)
class SyntheticSections(Sections):
    task: Order
    model: Tanh
    training: Training


EXPERIMENT = Experiment(
    "training",
    typed=SyntheticSections,
    choices={
        "task": Choice("name", {"temporal_order": Order}),
        "model": Choice("cell", {"rnn": Tanh, "lstm": Gated}),
    },
    entry="harness.experiments.training.loop:train",
    cost=lambda sections: 1.0,
)
SEEDS = (0, 1, 2, 3)
BUDGET = 2000
JUDGED = (20, 50, 100, 400)  # lengths


Bias = float | Literal["chrono"] | None


def point(cell: str, T: int, rho: float | None, window: int | None = None, bias: Bias = None) -> Point:
    model = Tanh(spectral_radius=rho) if cell == "rnn" else Gated(spectral_radius=rho, forget_bias=bias)
    training = Training(max_updates=BUDGET, bptt_window=window)
    return Point("training", SyntheticSections(task=Order(sequence_length=T), model=model, training=training))


def points() -> tuple[Point, ...]:
    full = [
        point(cell, T, rho, bias=1.0 if cell == "lstm" else None)
        for cell, T, rho in itertools.product(("rnn", "lstm"), (20, 50, 100), (0.8, 1.0, 1.2))
    ]
    return (*full, point("rnn", 100, 1.0, window=25), point("lstm", 100, 1.0, window=25, bias="chrono"))


def figures(*settings: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(FIGURES[each["kind"]](**each) for each in settings)


@dataclass(frozen=True)
class SyntheticResults:
    """A study, its planned runs, and its tables of results."""

    study: StudySpec
    planned: pd.DataFrame
    tables: Mapping[str, pa.Table]

    @property
    def frames(self) -> Frames:
        return Frames.from_tables(self.tables)

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts on the study's expectations."""
        runs = self.frames.runs
        return [verdict for each in self.study.expect for verdict in judge(each, runs, self.planned)]


def simulate(grid: Sequence[Point] = points(), seeds: Sequence[int] = SEEDS, **changes: Any) -> SyntheticResults:
    """Results of a grid: the RNN fails at T = 100, the LSTM does not; adjoints fall by their rate, with noise."""
    study = StudySpec(
        "synthetic",
        "An RNN fails where an LSTM does not.",
        EXPERIMENT,
        tuple(grid),
        tuple(seeds),
        (),
        (),
        "synthetic.yaml",
        "",
    )
    study = replace(study, **changes)
    runs, curves, gradients, examples, codes, judged, planned = [], [], [], [], [], [], []
    for i, (each, seed) in enumerate(itertools.product(grid, seeds)):
        generator = np.random.default_rng([i, seed])
        columns = each.columns() | {"seed": seed}
        run_id = f"{i:04d}"
        planned.append(columns | {"run_id": run_id})
        run, evaluations = _run(columns, generator)
        runs.append(columns | run | {"run_id": run_id})
        curves += [row | {"run_id": run_id} for row in evaluations]
        gradients += [row | {"run_id": run_id} for row in _adjoints(columns, run["updates"], generator)]
        examples += [row | {"run_id": run_id} for row in _examples(columns["cell"] == "rnn")]
        codes += [row | {"run_id": run_id} for row in _codes(generator)]
        judged += [row | {"run_id": run_id} for row in _at_lengths(columns, generator)]
    schema = RUNS.schema(study.setting_columns())
    tables = {
        "runs": pa.Table.from_pylist([_typed(row, schema) for row in runs], schema=schema),
        "curves": pa.Table.from_pylist(curves, schema=CURVES.schema()),
        "gradients": pa.Table.from_pylist(gradients, schema=GRADIENTS.schema()),
        "examples": pa.Table.from_pylist(examples, schema=EXAMPLES.schema()),
        "codes": pa.Table.from_pylist(codes, schema=CODES.schema()),
        "evaluations": pa.Table.from_pylist(judged, schema=EVALUATIONS.schema()),
    }
    return SyntheticResults(study, pd.DataFrame(planned), tables)


def _typed(row: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    text = {field.name for field in schema if field.type == pa.string()}
    return {name: str(value) if name in text and value is not None else value for name, value in row.items()}


def _run(columns: Mapping[str, Any], generator: np.random.Generator) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    T, rnn = columns["sequence_length"], columns["cell"] == "rnn"
    scale = {20: 250, 50: 1500, 100: 9000}[T] if rnn else {20: 200, 50: 350, 100: 900}[T]
    solved_at = int(np.ceil(generator.gamma(4, scale / 4) / 100) * 100)
    outcome = "solved" if solved_at <= BUDGET else "unsolved"
    if rnn and columns["spectral_radius"] == 1.2 and generator.random() < 0.2:
        outcome, solved_at = "diverged", min(solved_at, 700)
    end = min(solved_at, BUDGET)
    updates = np.arange(0, end + 1, 100)
    rise = 1 / (1 + np.exp(-(updates - 0.8 * solved_at) / (0.08 * solved_at)))
    accuracy = np.clip(0.25 + 0.75 * rise + generator.normal(0, 0.02, len(updates)), 0, 1)
    if outcome == "solved":
        accuracy[-1] = 1.0
    rows = [
        {"update": int(u), "sequences": 32 * int(u), "loss": float(1.4 * (1 - a)), "accuracy": float(a),
         "gradient_norm": 0.1, "clipped": False, "spectral_radius_now": 1.0, "sigma_max": 1.8}
        for u, a in zip(updates, accuracy, strict=True)
    ]  # fmt: skip
    run = {
        "outcome": outcome, "updates": end, "solved_at": end if outcome == "solved" else None,
        "initial_adjoint_slope": -0.1,
        "initial_adjoint_cell_slope": -0.1,
        "final_accuracy": None if outcome == "diverged" else float(accuracy[-1]), "chance": 0.25, "final_loss": 0.1,
        "switch_error": 1e-7,
        "measured": 0.5,
        "residual": 1e-7,
        "initial_spectral_radius": columns["spectral_radius"], "engine": "torch", "seconds": 1.0,
    }  # fmt: skip
    return run, rows


def _examples(rnn: bool) -> list[dict[str, Any]]:
    """Sums of k and k, up to six; the RNN is right for even k only, and every network is wrong for six."""
    answers = [(k, 2 * k + (k == 6 or (rnn and k % 2 == 1))) for k in range(1, 7)]
    return [
        {"text": f"a={k}\nprint((a+{k}))", "target": str(2 * k), "answer": str(answer), "right": answer == 2 * k}
        for k, answer in answers
    ]


def _codes(generator: np.random.Generator) -> list[dict[str, Any]]:
    """Codes in two clusters, by month; weekdays do not matter."""
    return [
        {"sequence": k, "text": str(k), "labels": [("March", "June")[k % 2], ("Monday", "Friday")[k // 12]],
         "code": (generator.normal(size=5) + 9 * (k % 2)).tolist()}
        for k in range(24)
    ]  # fmt: skip


def _at_lengths(columns: Mapping[str, Any], generator: np.random.Generator) -> list[dict[str, Any]]:
    """Accuracies at four lengths: all is known of the one in training, of others an LSTM knows half, an RNN nothing."""
    T = columns["sequence_length"]
    rows = []
    for length in JUDGED:
        known = 1.0 if length == T else 0.5 if columns["cell"] == "lstm" else 0.0
        accuracy = np.clip(0.25 + 0.75 * known + generator.normal(0, 0.02), 0, 1)
        rows.append(
            {"length": length, "trained_length": T, "sequences": 2048, "accuracy": float(accuracy), "loss": 0.5,
             "chance": 0.25, "memoryless_loss": 1.4}
        )  # fmt: skip
    return rows


def _adjoints(columns: Mapping[str, Any], end: int, generator: np.random.Generator) -> list[dict[str, Any]]:
    T, window = columns["sequence_length"], columns["bptt_window"]
    rho = columns["spectral_radius"] or 0.9
    rows = []
    for update in sorted({0, *(2**k for k in range(11) if 2**k <= end), end}):
        rate = 0.92 * rho if columns["cell"] == "rnn" else 0.7 + 0.25 * np.log1p(update) / np.log1p(BUDGET)
        lag = T - np.arange(1, T + 1)
        adjoint = -1 + lag * np.log10(rate) + np.cumsum(generator.normal(0, 0.03, T))[::-1]
        if window is not None:
            adjoint[lag >= window] = -np.inf
        immediate = np.where(lag == 0, adjoint, -np.inf)
        cell = None if columns["cell"] == "rnn" else (adjoint + 0.3).tolist()
        rows.append(
            {
                "update": update,
                "log10_adjoint": adjoint.tolist(),
                "log10_immediate": immediate.tolist(),
                "log10_adjoint_cell": cell,
            }
        )
    return rows
