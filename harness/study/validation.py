"""A YAML file and its overrides → Study. All mistakes are reported at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.errors import Place, Problem, StudyError, nearest
from harness.study import tuned_grid
from harness.study.grid import Grid, explain
from harness.study.seeding import Seeds, check_disjoint, seeds_of
from harness.study.spec import (
    SLUG,
    Expectation,
    Experiment,
    FigureSpec,
    Judging,
    Paper,
    Point,
    Registry,
    Section,
    StudySpec,
    marked,
)
from harness.study.tuning import Tuning
from harness.study.yaml_document import YamlDocument, load, named, override

HEAD = ("name", "claim", "paper", "experiment", "seeds", "sweep", "tune", "figures", "judge", "confidence", "expect")
MOST_RUNS = 1_000_000

S = TypeVar("S", bound=Section)


RegistryLoader = Callable[[Mapping[tuple[str, str], Place]], Registry]


def read(path: str | Path, overrides: Sequence[str] = (), *, load_names: RegistryLoader) -> StudySpec:
    """Read and validate a study.

    Args:
        path: the study's YAML file.
        overrides: `key=value` texts, as given with -S.
        load_names: what names mean, those that the study uses being told to it (see `named`).

    Raises:
        HarnessError: the file cannot be read.
        StudyError: every mistake in it.
    """
    return understand(load(Path(path)), overrides, load_names=load_names)


def understand(document: YamlDocument, overrides: Sequence[str] = (), *, load_names: RegistryLoader) -> StudySpec:
    """Validate a document that has been parsed; see `read`."""
    registry = load_names(named(document, overrides))
    written = deepcopy(document.data.get("seeds", 1)) if isinstance(document.data, dict) else 1
    takes_list = frozenset(
        f"{section}.{key}"
        for experiment in registry.experiments.values()
        for section in experiment.sections
        for model in experiment.models(section)
        for key, info in model.model_fields.items()
        if marked(info, "takes_list")
    )
    for number, text in enumerate(overrides, start=1):
        override(document, number, text, takes_list)
    return _Reader(document, registry, written).study(tuple(overrides))


class _Reader:
    """One pass over one document; collects problems instead of stopping at the first."""

    def __init__(self, document: YamlDocument, registry: Registry, written_seeds: Any) -> None:
        self.document = document
        self.written_seeds = written_seeds
        self.registry = registry
        self.problems: list[Problem] = list(document.problems)

    def report(self, place: Place, message: str) -> None:
        self.problems.append(Problem(place, message))

    def study(self, overrides: tuple[str, ...]) -> StudySpec:
        data = self.document.data
        if not isinstance(data, dict):
            raise StudyError(
                [
                    Problem(
                        Place(self.document.source, 1, 1),
                        "a study is a mapping with the keys name, claim, task, model, …",
                    )
                ]
            )
        experiment = self._experiment(data.get("experiment", "training"))
        allowed = (*HEAD, *experiment.sections)
        grid = Grid(self.document, experiment, self.registry, self.report)
        for key in data:
            if key not in allowed:
                likely = nearest(key, allowed, grid.dotted())
                self.report(self.document.place(key, key=True), f"{key}: no such key{likely}")
        name, claim = self._text("name", SLUG), self._text("claim")
        seeds, written = self._seeds(data.get("seeds", 1), bool(overrides))
        tuning = tuned_grid.tuning(self.document, grid, self.report, seeds.judged)
        # where tuning is wrong, the grid without it would be another question: its mistakes are left for later
        rows = tuned_grid.rows(grid, tuning.candidates) if tuning else ()
        points = tuple({p.sections: p for row in rows for p in row}.values()) if tuning else self._untuned(grid)
        if tuning:
            tuning = self._per(tuning, grid)
        planned = len(seeds.planned)
        runs = len(points) * len(tuning.seeds) + len(rows) * planned if tuning else len(points) * planned
        if runs > MOST_RUNS and tuning:
            message = f"{runs:,} runs of tuning and of winners are more than {MOST_RUNS:,}"
            self.report(self.document.place("tune"), f"tune: {message}; give a budget, or make several studies of it")
        elif runs > MOST_RUNS:
            message = f"{len(points):,} points of the grid with {planned:,} seeds each are more than {MOST_RUNS:,} runs"
            self.report(self.document.place("seeds"), f"seeds: {message}; make several studies of it")
        figures = self._figures(data.get("figures"))
        expect = self._expectations(data.get("expect"))
        study = StudySpec(
            name,
            claim,
            experiment,
            points,
            seeds.planned,
            figures,
            expect,
            self.document.source,
            self.document.text,
            overrides,
            grid.unused(points),
            self._paper(data.get("paper")),
            str(grid.folder),
            calibration=seeds.calibration,
            written_seeds=written,
            tuning=tuning,
            rows=rows,
        )
        self._columns(study)
        if not self.problems:  # where points are missing because something is wrong, what selects them proves nothing
            for key, index, message in self.registry.faults(study):
                self.report(self.document.place(key, index), f"{key}: {message}")
        if self.problems:
            raise StudyError(self.problems)
        return study

    def _untuned(self, grid: Grid) -> tuple[Point, ...]:
        return () if self.document.data.get("tune") is not None else grid.points()

    def _per(self, tuning: Tuning, grid: Grid) -> Tuning:
        """The tuning with its `per`, which without one is every axis of the sweep."""
        if self.document.data["tune"].get("per") is None:
            return replace(tuning, per=tuned_grid.swept_columns(grid))
        for index, name in enumerate(tuning.per):
            if name in (*tuning.columns, "seed"):
                sentence = "is tuned itself" if name != "seed" else "is no setting: a winner is chosen over all seeds"
                self.report(self.document.place("tune", "per", index), f"tune: per: {name} {sentence}")
        return tuning

    def _paper(self, value: Any) -> Paper | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self.report(self.document.place("paper"), "paper: must be a mapping with the keys source and tag")
            return None
        return self._model(Paper, value, "paper")

    def _experiment(self, word: Any) -> Experiment[Any]:
        known = self.registry.experiments
        names = self.registry.known("experiment", known)
        if not isinstance(word, str) or word not in known:
            self.report(self.document.place("experiment"), f"experiment: no experiment '{word}'{nearest(word, names)}")
            return known["training"]
        return known[word]

    def _text(self, key: str, pattern: str = r".*\S.*") -> str:
        value = self.document.data.get(key)
        if isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL):
            return value
        message = "must be given" if value is None else f"{value!r} will not do"
        hint = "letters, digits, - and _, at most 100" if pattern == SLUG else "a sentence or two"
        self.report(self.document.place(key), f"{key}: {message} ({hint})")
        return "study"

    def _seeds(self, value: Any, overridden: bool) -> tuple[Seeds, Seeds]:
        """The seeds that are planned, and those of the file, which differ where -S seeds=… replaces the judged list.

        The calibration seeds of the file are then not planned, but may not be judged either.
        """
        seeds = seeds_of(value, lambda path, message: self.report(self.document.place(*path), message))
        if not overridden:
            return seeds, seeds
        written = seeds_of(self.written_seeds, lambda path, message: None)
        if not seeds.calibration:
            check_disjoint(
                seeds.judged, written.calibration, value, ("seeds",),
                lambda path, message: self.report(self.document.place(*path), message),
            )  # fmt: skip
        return seeds, written

    def _figures(self, value: Any) -> tuple[FigureSpec, ...]:
        figures: list[FigureSpec] = []
        names: set[str] = set()
        for index, item in self._items("figures", value):
            kind = item.get("kind")
            if not isinstance(kind, str) or kind not in self.registry.figures:
                known = self.registry.known("figures.kind", self.registry.figures)
                where = self.document.place("figures", index, "kind")
                self.report(where, f"figures: no kind '{kind}'{nearest(kind, known)}")
                continue
            figure = self._model(self.registry.figures[kind], item, "figures", index)
            if figure is not None:
                label = figure.name or figure.kind
                if label in names:
                    self.report(
                        self.document.place("figures", index),
                        f"figures: two figures are called '{label}'; give one a name: of its own",
                    )
                names.add(label)
                figures.append(figure)
        return tuple(figures)

    def _expectations(self, value: Any) -> tuple[Expectation, ...]:
        expectations: list[Expectation] = []
        judging = self._judging()
        for index, item in self._items("expect", value):
            if not isinstance(item.get("metric", ""), str):
                self.report(self.document.place("expect", index, "metric"), "expect: metric: must be a name")
                continue
            if "metric" in item and item["metric"].partition("(")[0] not in self.registry.metrics:
                where = self.document.place("expect", index, "metric")
                known = self.registry.known("expect.metric", self.registry.metrics)
                self.report(where, f"expect: no metric '{item['metric']}'{nearest(item['metric'], known)}")
                continue
            expectation = self._model(Expectation, {**judging, **item}, "expect", index)
            if expectation is not None:
                sampled = getattr(self.registry.metrics.get(expectation.metric), "sampled", True)
                if not sampled and item.get("judge") in ("interval", "estimate"):
                    self.report(
                        self.document.place("expect", index, "judge"),
                        f"expect: judge: {expectation.metric} is no sample of anything and has no interval: "
                        "it is judged on its value; leave this out",
                    )
                bounds = expectation.at_least is not None or expectation.at_most is not None
                if bounds == (expectation.contrast is not None):
                    self.report(
                        self.document.place("expect", index), "expect: give either at_least/at_most or a contrast"
                    )
                expectations.append(expectation)
        return tuple(expectations)

    def _judging(self) -> Mapping[str, Any]:
        """How the study's expectations are judged where they do not say it themselves: what is written, if right."""
        written = {key: self.document.data[key] for key in Judging.model_fields if key in self.document.data}
        try:
            Judging.model_validate(written)
        except ValidationError as error:
            for key, message in explain(error, Judging):
                self.report(self.document.place(key), f"{key}: {message}")
            return {}
        return written

    def _items(self, key: str, value: Any) -> Sequence[tuple[int, Mapping[str, Any]]]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self.report(self.document.place(key), f"{key}: must be a list")
            return ()
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                self.report(self.document.place(key, index), f"{key}: each entry is a mapping, not {item!r}")
        return [(index, item) for index, item in enumerate(value) if isinstance(item, dict)]

    def _model(self, model: type[S], item: Mapping[str, Any], key: str, *index: int) -> S | None:
        try:
            return model.model_validate(item)
        except ValidationError as error:
            for inner, message in explain(error, model):
                place = self.document.place(key, *index, *([inner] if inner else []), key="no such" in message)
                self.report(place, f"{key}: {inner}: {message}" if inner else f"{key}: {message}")
            return None

    def _columns(self, study: StudySpec) -> None:
        """Columns named in `where`, `per` and `contrast` must be columns of the table of runs."""
        settings = {column.name for column in study.setting_columns()}
        for index, name in enumerate(study.tuning.per if study.tuning else ()):
            if name not in settings:
                likely = nearest(name, study.present_columns(), settings)
                self.report(self.document.place("tune", "per", index), f"tune: per: no column '{name}'{likely}")
        for key, known in (("figures", settings | {"outcome"}), ("expect", settings)):
            for index, item in self._items(key, self.document.data.get(key)):
                for part in ("where", "per", "contrast"):
                    named = item.get(part)
                    if part == "per" and isinstance(named, str):
                        place = self.document.place(key, index, part)
                        self.report(place, f"{key}: per: must be a list of columns, such as [{named}]")
                    for name in named if isinstance(named, dict | list) else ():
                        if isinstance(name, str) and name not in known:
                            place = self.document.place(key, index, part, name, key=True)
                            likely = nearest(name, study.present_columns(), known)
                            self.report(place, f"{key}: {part}: no column '{name}'{likely}")
