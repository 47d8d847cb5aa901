"""Gathers the literal tables and what installed packages bring: `study` itself knows no name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import probes
from harness.cells import NETWORKS
from harness.cells.cell import Cell
from harness.errors import Place, Problem, StudyError, nearest
from harness.experiments import EXPERIMENTS
from harness.figures import FIGURES
from harness.figures.feasibility import figure_faults
from harness.figures.kind import FigureKind
from harness.store.columns import RUNS
from harness.study import validation
from harness.study.matching import Value, canonical
from harness.study.plugins import Group, Named, SectionGroup, installed
from harness.study.section import Section, plain, setting_column
from harness.study.spec import Choice, Experiment, Registry, StudySpec
from harness.tasks import TASKS
from harness.tasks.task import Task
from harness.verdicts import metrics
from harness.verdicts.feasibility import expectation_faults, tuning_faults
from harness.verdicts.metrics import METRICS, WITH_NUMBER
from harness.verdicts.roles import Roles

TASK_PLUGINS = SectionGroup("harness.tasks", "task.name", Task, TASKS)
CELL_PLUGINS = SectionGroup("harness.cells", "model.cell", Cell, NETWORKS)
FIGURE_PLUGINS = SectionGroup("harness.figures", "figures.kind", FigureKind, FIGURES)
EXPERIMENT_PLUGINS = Group("harness.experiments", "experiment", Experiment, EXPERIMENTS)
PLUGINS: tuple[Group[Any], ...] = (
    TASK_PLUGINS,
    CELL_PLUGINS,
    FIGURE_PLUGINS,
    EXPERIMENT_PLUGINS,
    metrics.PLUGINS,
    probes.PLUGINS,
)

COMPUTING = (TASK_PLUGINS, CELL_PLUGINS, EXPERIMENT_PLUGINS, probes.PLUGINS)  # what a run's numbers depend on


def load_registry(named: Named | None = None) -> Registry:
    """All names that a study can use: what is built in, and the plug-ins that it names.

    Args:
        named: the words that the study gives to its settings; None: what is built in, alone.

    Raises:
        StudyError: a plug-in that it names cannot be used.
    """
    if named is None:
        return Registry(EXPERIMENTS, FIGURES, {**METRICS, **WITH_NUMBER}, {"probe": frozenset(probes.PROBES)}, faults)
    points = installed()
    choices = {
        group.setting: Choice(group.setting.rpartition(".")[2], group.extended(points, named), group.others(points))
        for group in (TASK_PLUGINS, CELL_PLUGINS)
    }
    experiments = {
        name: _with(experiment, choices) for name, experiment in EXPERIMENT_PLUGINS.extended(points, named).items()
    }
    problems = [
        Problem(place, f"{setting}: the plug-in '{word}' has {clash}")
        for (setting, word), place in named.items()
        for clash in _all_clashes(setting, word, choices, experiments)
    ]
    if problems:
        raise StudyError(problems)
    return Registry(
        experiments,
        FIGURE_PLUGINS.extended(points, named),
        {**metrics.PLUGINS.extended(points, named), **WITH_NUMBER},
        {"probe": frozenset({*probes.PLUGINS.extended(points, named), *probes.PLUGINS.others(points)})},
        faults,
        {group.setting: group.others(points) for group in PLUGINS},
        {key: version for group in COMPUTING for key, version in group.versions(points, named).items()},
    )


def faults(study: StudySpec) -> list[tuple[str, int | str, str]]:
    """What is wrong with the figures, expectations and tuning of a study whose settings are right."""
    problems: list[tuple[str, int | str, str]] = [("figures", index, text) for index, text in figure_faults(study)]
    problems += [("expect", index, text) for index, text in expectation_faults(study)]
    return problems + [("tune", "by", f"by: {text}") for text in tuning_faults(study)]


def read(path: str | Path, overrides: Sequence[str] = ()) -> StudySpec:
    """Read a study with all names known."""
    return validation.read(path, overrides, load_names=load_registry)


def setting_roles(words: Iterable[str] = ()) -> Roles:
    """What each setting of a training is, for a leaderboard: its section and its default.

    Args:
        words: names of tasks and cells that results have; what an installed package brings of them is known as well.
    """
    points, given = installed(), set(words)
    named = {
        (group.setting, word): Place(word) for group in (TASK_PLUGINS, CELL_PLUGINS) for word in group.others(points)
        if word in given
    }  # fmt: skip
    experiment = load_registry(named or None).experiments["training"]
    sections: dict[str, str] = {}
    defaults: dict[tuple[str, str], dict[str, Value]] = {}
    for name, behind in experiment.sections.items():
        models = behind.table if isinstance(behind, Choice) else {"": behind}
        for word, model in models.items():
            columns = {setting_column(model, key).name: info for key, info in model.model_fields.items()}
            sections |= dict.fromkeys(columns, name)
            defaults[name, word] = {
                column: canonical(None if info.is_required() else plain(info.get_default(call_default_factory=True)))
                for column, info in columns.items()
            }
    tasks = experiment.sections["task"]
    assert isinstance(tasks, Choice)
    lengths = {
        word: setting_column(task, task.length_setting).name
        for word, task in tasks.table.items()
        if issubclass(task, Task) and task.length_setting
    }
    return Roles(sections, defaults, lengths)


def _with(experiment: Experiment[Any], choices: Mapping[str, Choice]) -> Experiment[Any]:
    """An experiment whose sections can be chosen from the extended tables."""
    extended = {name: choices.get(f"{name}.{choice.key}", choice) for name, choice in experiment.choices.items()}
    return replace(experiment, choices=extended)


def _all_clashes(
    setting: str, word: str, choices: Mapping[str, Choice], experiments: Mapping[str, Experiment[Any]]
) -> Iterator[str]:
    """Settings of the plug-in that a study names so whose columns would not go into one table with all others."""
    if setting in choices and word in choices[setting].table:
        model = choices[setting].table[word]
        built_in = next(group.table for group in PLUGINS if group.setting == setting)
        if word not in built_in:
            yield from _clashes(experiments["training"], setting.partition(".")[0], model)
    if setting == "experiment" and word in experiments and word not in EXPERIMENTS:
        for section in experiments[word].sections:
            for model in experiments[word].models(section):
                yield from _clashes(experiments[word], section, model)


def _clashes(experiment: Experiment[Any], section: str, plugin: type[Section]) -> Iterator[str]:
    """Settings of a section of a plug-in whose column is measured, another section's, or of another type."""
    measured = {column.name for column in RUNS.columns}
    taken = {
        column.name: (name, column.type)
        for name in experiment.sections
        for model in experiment.models(name)
        if model is not plugin
        for column in (setting_column(model, key) for key in model.model_fields)
    }
    for key in plugin.model_fields:
        column = setting_column(plugin, key)
        where, kind = taken.get(column.name, (section, column.type))
        if column.name in measured or where != section or kind != column.type:
            there = "is measured" if column.name in measured else f"is a setting of {where} ({kind})"
            yield f"a setting '{key}' with the column '{column.name}', which {there}; give it another by column="


def _main(words: Sequence[str]) -> str:
    """The JSON Schema of a study, with the plug-ins that are named; without any, what ships as study.schema.json."""
    import json

    from harness.study.json_schema import study_schema

    points = installed()
    named: dict[tuple[str, str], Place] = {}
    for word in words:
        groups = [group for group in PLUGINS if word in group.others(points)]
        if not groups:
            every = [name for group in PLUGINS for name in group.others(points)]
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
