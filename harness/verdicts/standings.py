"""An entry of a leaderboard: the results of one network on one task, its gradient, and on what both rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.store import fingerprints
from harness.study import labels
from harness.study.spec import CONFIDENCE
from harness.verdicts.collected import Collected, ResultSource
from harness.verdicts.metric import Measured
from harness.verdicts.metrics import FINAL_ACCURACY, SOLVED_AT, SUCCESS_RATE, metric_named

SLOPES = ("initial_adjoint_slope", "final_adjoint_slope")


@dataclass(frozen=True)
class Evidence:
    """What an entry rests on.

    Attributes:
        sources: the folders that its runs are from.
        seeds: in order.
        state: of the registration of the studies, where it is known, and what -S changed of them.
        chosen: values of the settings that were tuned; empty where none were.
        versions: of the harness, its numerics and torch, and the processors; one text each that occurs.
        duplicates: runs of a seed that was there already, under the same settings; the first counts.
    """

    sources: tuple[ResultSource, ...]
    seeds: tuple[int, ...]
    state: str
    chosen: str
    versions: tuple[str, ...]
    duplicates: int = 0


@dataclass(frozen=True)
class Standing:
    """One entry: a network on a task under the terms of its column; `label` names its width where the column has two.

    `seconds`, saturation and λ₁ are medians over the runs that have them; None where no run has. `p` is that of the
    comparison with the best entry of the column, after Holm; NaN for the best itself and where it stands alone.
    """

    network: str
    label: str
    runs: pd.DataFrame
    parameters: int | None
    evidence: Evidence
    success: Measured
    accuracy: Measured
    updates: Measured
    slopes: tuple[Measured | None, Measured | None]
    saturation: tuple[float | None, float | None]
    lyapunov: tuple[float | None, float | None]
    seconds: float | None
    best: bool = False
    p: float = math.nan

    @property
    def tied(self) -> bool:
        """Whether it is not distinguishable from the best of its column, and is not the best itself."""
        return not self.best and self.p > 1 - CONFIDENCE


def standing(
    network: str, runs: Sequence[Mapping[str, Any]], collected: Collected, generator: np.random.Generator
) -> Standing:
    """The numbers of an entry, from runs of one network on one task under one set of terms.

    Args:
        network: its name on the board.
        runs: rows of the table of runs; of two with one seed, the first counts (they differ in what is recorded).
        collected: where they are from.
        generator: source of bootstrap resamples.
    """
    by_seed: dict[int, Mapping[str, Any]] = {}
    for run in runs:
        by_seed.setdefault(int(run["seed"]), run)
    frame = pd.DataFrame([by_seed[seed] for seed in sorted(by_seed)])
    counts = {int(value) for value in _column_of(frame, "parameters").dropna()}
    initial, final = (
        metric_named(name).of(frame, generator) if _column_of(frame, name).notna().any() else None for name in SLOPES
    )
    median = {name: _median(frame, name) for name in ("seconds", *fingerprints.COLUMNS)}
    return Standing(
        network,
        network,
        frame,
        counts.pop() if len(counts) == 1 else None,
        _evidence(frame, collected, len(runs) - len(frame)),
        SUCCESS_RATE.of(frame, generator),
        FINAL_ACCURACY.of(frame, generator),
        SOLVED_AT.of(frame, generator),
        (initial, final),
        (median["initial_saturation"], median["final_saturation"]),
        (median["initial_lyapunov"], median["final_lyapunov"]),
        median["seconds"],
    )


def _evidence(frame: pd.DataFrame, collected: Collected, duplicates: int) -> Evidence:
    sources = tuple(collected.sources[i] for i in sorted(set(frame["source"])))
    versions = {_versions(frame.get("versions", pd.Series(dtype=object)).iloc[i : i + 1]) for i in range(len(frame))}
    processors = {str(cpu) for cpu in _column_of(frame, "cpu").dropna()}
    overrides = [" ".join(f"-S {text}" for text in source.behind.overrides) for source in sources]
    states = dict.fromkeys(filter(None, (*(source.behind.state for source in sources), *overrides)))
    state = ", ".join(states)
    texts = (*sorted(filter(None, versions)), *sorted(processors))
    return Evidence(
        sources, tuple(int(each) for each in frame["seed"]), state, _chosen(frame, sources), texts, duplicates
    )


def _chosen(frame: pd.DataFrame, sources: Sequence[ResultSource]) -> str:
    """'0.001' of a tuned learning rate; of several settings each by its name."""
    columns = dict.fromkeys(
        column for source in sources if source.behind.search for column in source.behind.search.columns
    )
    values = {
        column: "|".join(dict.fromkeys(labels.value(column, value) for value in frame[column]))
        for column in columns
        if column in frame.columns
    }
    if len(values) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{labels.short(column)} {text}" for column, text in values.items())


def _versions(column: pd.Series[Any]) -> str:
    """'harness 0.1.0, numerics 2, torch 2.8.0' of the column's first text."""
    text = str(column.iloc[0]) if len(column) and isinstance(column.iloc[0], str) else ""
    known = dict(part.split("=", 1) for part in text.split() if "=" in part)
    return ", ".join(f"{name} {known[name]}" for name in ("harness", "numerics", "torch") if name in known)


def standing_row(task: str, terms: str, entry: Standing) -> dict[str, Any]:
    """An entry as a row of a frame."""
    measured = {
        "success_rate": entry.success,
        "final_accuracy": entry.accuracy,
        "solved_at": entry.updates,
        **dict(zip(SLOPES, entry.slopes, strict=True)),
    }
    row: dict[str, Any] = {"task": task, "terms": terms, "cell": entry.label}
    for name, group in measured.items():
        value, low, high = (math.nan,) * 3 if group is None else (group.value, group.low, group.high)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return row | {
        "seeds": len(entry.evidence.seeds),
        "chosen": entry.evidence.chosen,
        "parameters": entry.parameters,
        "seconds": entry.seconds,
        "initial_saturation": entry.saturation[0],
        "final_saturation": entry.saturation[1],
        "initial_lyapunov": entry.lyapunov[0],
        "final_lyapunov": entry.lyapunov[1],
        "best": entry.best,
        "tied": entry.tied,
        "p": entry.p,
    }


def _column_of(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    return frame[name] if name in frame.columns else pd.Series([math.nan] * len(frame), index=frame.index)


def _median(frame: pd.DataFrame, name: str) -> float | None:
    values = _column_of(frame, name).astype("float64").dropna()
    return float(values.median()) if len(values) else None
