"""Gathers the literal tables, so that the doors can hand them to the reader: `study` knows no name by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.cells import CELLS
from harness.cells.cell import Cell
from harness.errors import Place, Problem, StudyError, nearest
from harness.experiments import EXPERIMENTS
from harness.figures import FIGURES
from harness.figures.feasibility import figure_faults
from harness.figures.kind import FigureKind
from harness.schema import RUNS
from harness.study import validation
from harness.study.plugins import Group, Named, installed
from harness.study.spec import Choice, Experiment, Registry, Section, StudySpec, setting_column
from harness.tasks import TASKS
from harness.tasks.task import Task
from harness.verdicts.expectations import METRICS, expectation_faults

TASK_PLUGINS = Group("harness.tasks", "task.name", Task, TASKS)
CELL_PLUGINS = Group("harness.cells", "model.cell", Cell, CELLS)
FIGURE_PLUGINS = Group("harness.figures", "figures.kind", FigureKind, FIGURES)
PLUGINS: tuple[Group[Any], ...] = (TASK_PLUGINS, CELL_PLUGINS, FIGURE_PLUGINS)


def load_registry(named: Named | None = None) -> Registry:
    """All names that a study can use: what is built in, and the plug-ins that it names.

    Raises:
        StudyError: a plug-in that it names cannot be used.
    """
    if named is None:
        return Registry(EXPERIMENTS, FIGURES, METRICS, faults)
    found = installed()
    choices = {
        group.setting: Choice(group.setting.rpartition(".")[2], group.extended(found, named), group.others(found))
        for group in (TASK_PLUGINS, CELL_PLUGINS)
    }
    experiments = {name: _with(experiment, choices) for name, experiment in EXPERIMENTS.items()}
    problems = [
        Problem(place, f"{setting}: the plug-in '{word}' has {what}")
        for (setting, word), place in named.items()
        if setting in choices and word in choices[setting].table.keys() - _built_in(setting).keys()
        for what in _clashes(experiments["training"], setting.partition(".")[0], choices[setting].table[word])
    ]
    if problems:
        raise StudyError(problems)
    figures = FIGURE_PLUGINS.extended(found, named)
    return Registry(experiments, figures, METRICS, faults, FIGURE_PLUGINS.others(found))


def faults(study: StudySpec) -> list[tuple[str, int, str]]:
    """What is wrong with the figures and expectations of a study whose settings are right."""
    found = [("figures", index, what) for index, what in figure_faults(study)]
    return found + [("expect", index, what) for index, what in expectation_faults(study)]


def read(path: str | Path, overrides: Sequence[str] = ()) -> StudySpec:
    """Read a study with all names known."""
    return validation.read(path, overrides, registry=load_registry)


def _built_in(setting: str) -> Mapping[str, type[Section]]:
    return next(group.table for group in PLUGINS if group.setting == setting)


def _with(experiment: Experiment, choices: Mapping[str, Choice]) -> Experiment:
    """An experiment whose sections can be chosen from the extended tables."""
    sections = {
        name: choices.get(f"{name}.{behind.key}", behind) if isinstance(behind, Choice) else behind
        for name, behind in experiment.sections.items()
    }
    return replace(experiment, sections=sections)


def _clashes(experiment: Experiment, section: str, plugin: type[Section]) -> Iterator[str]:
    """Settings of a plug-in whose columns would not go into one table of runs with all others."""
    measured = {column.name for column in RUNS.columns}
    taken = {
        setting_column(key, info).name: (name, setting_column(key, info).type)
        for name in experiment.sections
        for model in experiment.models(name)
        if model is not plugin
        for key, info in model.model_fields.items()
    }
    for key, info in plugin.model_fields.items():
        column = setting_column(key, info)
        where, kind = taken.get(column.name, (section, column.type))
        if column.name in measured or where != section or kind != column.type:
            there = "is measured" if column.name in measured else f"is a setting of {where} ({kind})"
            yield f"a setting '{key}' with the column '{column.name}', which {there}; give it another by column="


def _main(words: Sequence[str]) -> str:
    """The JSON Schema of a study, with the plug-ins that are named; without any, what ships as study.schema.json."""
    import json

    from harness.study.json_schema import study_schema

    found = installed()
    named: dict[tuple[str, str], Place] = {}
    for word in words:
        groups = [group for group in PLUGINS if word in group.others(found)]
        if not groups:
            every = [name for group in PLUGINS for name in group.others(found)]
            raise StudyError([Problem(Place("harness.registry"), f"no plug-in '{word}'{nearest(word, every)}")])
        named |= {(group.setting, word): Place(word) for group in groups}
    return json.dumps(study_schema(load_registry(named or None)), indent=1, ensure_ascii=False)


if __name__ == "__main__":
    import sys

    try:
        print(_main(sys.argv[1:]))
    except StudyError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
