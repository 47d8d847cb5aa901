"""Columns that a frame of runs has of the table of evaluations: what was measured at one length, one column a length.

Metrics measure groups of runs, a row a run, so that a run's rows of the table of evaluations stand side by side there.
"""

from __future__ import annotations

QUANTITIES = ("accuracy", "loss", "chance")
MARK = "_at_length("


def at_length(quantity: str, length: int | str) -> str:
    """The name of what was measured at one length: 'accuracy_at_length(200)'."""
    return f"{quantity}{MARK}{length})"


def is_at_length(column: str) -> bool:
    """Whether a column is such a one."""
    return column.partition(MARK)[0] in QUANTITIES and MARK in column
