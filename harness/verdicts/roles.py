"""Which part each setting has in a leaderboard: a row is a cell, a column a task, and the rest are the terms."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.store import fingerprints
from harness.store.columns import RUNS
from harness.study import labels
from harness.study.matching import Value, canonical

Settings = tuple[tuple[str, Value], ...]  # column and value, in the order of their declaration

WIDTH = ("hidden_size", "match", "layer_sizes")  # counted as the number of parameters that they give
WITHOUT_EFFECT = frozenset({"evaluation_lengths"})  # judged on streams of their own, after training
WORDS = frozenset({"init", "nonlinearity"})  # columns whose words need no name beside them
BESIDE = frozenset({"experiment", "seed", "source", *fingerprints.COLUMNS, *(column.name for column in RUNS.columns)})
NAMES: Mapping[str, str] = {"task": "task", "model": "cell"}  # section → the column that says which it is


@dataclass(frozen=True)
class Roles:
    """Where each setting is declared, and what it is where a study is silent.

    Attributes:
        sections: column → its section: task, model, training, evaluation or record.
        defaults: section and its choice ("task", "adding") → its columns with their defaults, in order; a section
            without a choice has "".
        lengths: task → the column of its length, where it has one.
    """

    sections: Mapping[str, str]
    defaults: Mapping[tuple[str, str], Mapping[str, Value]]
    lengths: Mapping[str, str] = field(default_factory=dict)

    def task(self, run: Mapping[str, Any]) -> Settings:
        """The task of a run with all its settings, its name first."""
        return self._settings(run, "task")

    def cell(self, run: Mapping[str, Any], tuned: Collection[str] = ()) -> Settings:
        """The network of a run but for its width and for what was tuned of it, the cell first."""
        left_out = {*WIDTH, *tuned}
        return tuple((column, value) for column, value in self._settings(run, "model") if column not in left_out)

    def width(self, run: Mapping[str, Any]) -> Settings:
        """What says how wide a network is; `match` has been counted into it."""
        return tuple((column, canonical(run.get(column))) for column in WIDTH if column != "match")

    def terms(self, run: Mapping[str, Any], tuned: Collection[str] = ()) -> Settings:
        """All else that a result depends on: how it was trained and judged, but for the settings that were tuned."""
        settings = [*self._settings(run, "training"), *self._settings(run, "evaluation"), *self._undeclared(run)]
        return tuple(
            (column, value) for column, value in settings if column not in WITHOUT_EFFECT and column not in tuned
        )

    def default(self, section: str, settings: Settings, column: str) -> Value:
        """The default of a column of a task or cell; null where it is not declared."""
        return self.defaults.get((section, self._choice(section, dict(settings))), {}).get(column)

    def _settings(self, run: Mapping[str, Any], section: str) -> Settings:
        name = NAMES.get(section, "")
        known = self.defaults.get((section, self._choice(section, run)))
        if known is None:  # of a package that is not installed: what the table has
            columns = [name, *(column for column, place in self.sections.items() if place == section)]
            there = {column: canonical(run.get(column)) for column in columns if column}
            return tuple((column, value) for column, value in there.items() if value is not None)
        return tuple(
            # a setting that came later than the table had its default in effect
            (column, canonical(run[column]) if column in run else default)
            for column, default in known.items()
        )

    def _choice(self, section: str, run: Mapping[str, Any]) -> str:
        return str(run.get(NAMES.get(section, ""), ""))

    def _undeclared(self, run: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
        """Settings of packages that are not installed: no one knows what they do, so that they keep results apart."""
        for column in sorted(run.keys() - self.sections.keys() - BESIDE):
            if (value := canonical(run[column])) is not None:
                yield column, value


def words(column: str, value: Value) -> str:
    """A setting in a row's or a column's name: 'orthogonal', 'forget bias 1', 'ρ = 0.9'."""
    text = labels.value(column, value)
    if column in WORDS:
        return text
    short = labels.short(column)
    return f"{short} = {text}" if len(short) <= 2 else f"{short} {text}"
