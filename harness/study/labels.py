"""How columns and values are written for people: on axes, in legends, panel titles, tables and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.study.matching import canonical, choices

# What an axis says; a column that is not here is written as its name in words, with its unit from the study.
AXES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "bptt_stride": "BPTT stride K′ (steps)",
    "bptt_window": "BPTT window K (steps)",
    "bias": "bias b",
    "cell": "cell",
    "delay": "delay T (steps)",
    "echo_lag": "echo lag n (steps)",
    "eigenvalue": "eigenvalue λ",
    "forget_bias": "forget bias",
    "gain": "gain g",
    "hidden_size": "hidden units H",
    "lag": "lag T − t (steps)",
    "learning_rate": "learning rate",
    "loss": "loss (nats, or squared error)",
    "sequence_length": "sequence length T (steps)",
    "spectral_radius": "spectral radius ρ",
    "success_rate": "success rate",
    "t": "time step t",
    "update": "parameter updates",
    "window": "BPTT window K (steps)",
}

# What a panel title or a legend says, where a letter of the papers is shorter.
SHORT: Mapping[str, str] = {
    "sequence_length": "T",
    "spectral_radius": "ρ",
    "bptt_window": "BPTT window",
    "hidden_size": "H",
    "delay": "T",
    "eigenvalue": "λ",
    "gain": "g",
}

# What a null of a column means, where it means more than "none".
NULLS: Mapping[str, str] = {"bptt_window": "full"}

CELL_ORDER = ("rnn", "lstm", "gru")

# Words whose order is not that of the alphabet: cells, and the lecture's levels.
WORD_ORDER = (*CELL_ORDER, "easy", "normal", "moderate", "hard", "nightmare")


def axis(column: str, unit: str = "") -> str:
    """A column on an axis: 'sequence length T (steps)'."""
    words = column.replace("_", " ")
    return AXES.get(column) or (f"{words} ({unit})" if unit else words)


def short(column: str) -> str:
    """A column in a title or a legend: 'T', 'forget bias'."""
    return SHORT.get(column, column.replace("_", " "))


def value(column: str, held: object) -> str:
    """A value of a column: '50', '0.001', 'lstm', and 'none' (or what it means) for a null."""
    known = canonical(held)
    if known is None:
        return NULLS.get(column, "none")
    return f"{known:.6g}" if isinstance(known, float) else known


def title(parts: Mapping[str, Any]) -> str:
    """A panel's title: 'cell = lstm, T = 100'."""
    return ", ".join(f"{short(column)} = {value(column, held)}" for column, held in parts.items())


def condition(where: Mapping[str, Any]) -> str:
    """A condition as one reads it in a verdict: 'cell=lstm, sequence_length=50|100'."""
    return ", ".join(
        f"{column}={'|'.join(value(column, choice) for choice in choices(wanted))}" for column, wanted in where.items()
    )
