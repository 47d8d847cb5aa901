"""What a study is, once it has been read: typed, frozen, without a trace of YAML.

Which sections a study has is its experiment's statement; which model stands behind `task` and `model` is chosen by the
section's own `name` or `cell` (a `Choice`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Generic, Literal, TypeVar, get_type_hints

import pyarrow as pa
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from harness.schema import Column
from harness.study.code import Code
from harness.study.identity import PluginVersion, Versions
from harness.study.matching import choices
from harness.study.section import Section, Sections, columns_of, marked, setting, setting_column, wrong
from harness.study.seeding import Seeds
from harness.study.tuning import Tuning

__all__ = [
    "CONFIDENCE",
    "Choice",
    "Expectation",
    "Experiment",
    "FigureSpec",
    "Judging",
    "Paper",
    "Point",
    "Registry",
    "Section",
    "Sections",
    "Study",
    "StudySpec",
    "marked",
    "setting",
    "wrong",
]

Scalar = None | bool | int | float | str
Inches = Annotated[float, Field(gt=0.5, le=40)]
Palette = (
    str
    | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    | Annotated[Mapping[Any, str], Field(strict=False)]
)
SLUG = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"

S = TypeVar("S", bound=Sections)


QUESTIONS: Mapping[str, str] = {
    "decay": "Does the gradient vanish, and how fast?",
    "remedy": "What keeps it from vanishing?",
    "learning": "What is learnt over long lags, and by whom?",
    "memory": "What does remembering cost?",
    "credit": "What is lost where the gradient is cut, or taken another way?",
    "dynamics": "What do dynamics and theory predict?",
    "state": "Which recurrences can track a state?",
}


class Paper(Section):
    """The published result that a study repeats (`paper:`)."""

    source: str = Field(min_length=1, description="author, year, and the section, equation or figure")
    tag: Literal["faithful", "scaled", "qualitative"] = Field(
        description="faithful: the paper's own setting; scaled: smaller; qualitative: the claim, in another setting"
    )
    question: Literal["decay", "remedy", "learning", "memory", "credit", "dynamics", "state"] | None = Field(
        None, description="under which question docs/papers.md lists it; null: after all others"
    )


def _no_nan(condition: Mapping[str, Any]) -> Mapping[str, Any]:
    """A condition without NaN, which would select what is null."""
    for name, expected in condition.items():
        if any(value != value for value in choices(expected)):
            raise PydanticCustomError("nan", "{name} cannot be NaN; null is what is not set", {"name": name})
    return condition


Condition = Annotated[Mapping[str, Any], Field(strict=False), AfterValidator(_no_nan)]
Contrast = Annotated[Mapping[str, Annotated[tuple[Any, Any], Field(strict=False)]], AfterValidator(_no_nan)]


class FigureSpec(Section):
    """One figure of a study: what all kinds have; each kind adds its own settings in its own file."""

    kind: str = Field(description="what kind of figure")
    name: str | None = Field(None, pattern=SLUG, description="file name without ending; default: the kind")
    where: Condition = Field(
        default_factory=dict, description="only runs with these values of these columns (a list means any of them)"
    )
    palette: Palette | None = Field(
        None,
        description="own colours: the name of a palette (seaborn's or matplotlib's), a list in the order of the "
        "levels, or a colour for each value; null: docs/figures.md",
    )
    order: Annotated[Mapping[str, Annotated[tuple[Any, ...], Field(strict=False)]], Field(strict=False)] = Field(
        default_factory=dict, description="own order of the values of a column that is shown; others follow"
    )
    size: Annotated[tuple[Inches, Inches] | None, Field(strict=False)] = Field(
        None, description="width and height in inches on paper (other styles in proportion); null: by its panels"
    )
    font: str | None = Field(None, min_length=1, description="family of the letters; null: DejaVu Sans")
    font_size: float | None = Field(
        None, ge=4, le=30, description="points of labels on paper, other letters in proportion; null: 7.5"
    )


CONFIDENCE = 0.95


class Judging(Section):
    """How expectations are judged; at the top of a study, the default of all its expectations (docs/fairness.md)."""

    judge: Literal["interval", "estimate", "value"] | None = Field(
        None,
        description="interval: a bound against the end of the confidence interval, a contrast by its paired test, with "
        "the outcomes holds, fails and undecided; estimate: on the point estimate, which reports say; value: on what "
        "these runs measured, where seeds are no sample; null: interval, of metrics without sampling the value",
    )
    confidence: float = Field(CONFIDENCE, gt=0.5, lt=1, description="of the two-sided intervals, and of the verdict")


class Expectation(Section):
    """One expectation of a study, judged over seeds.

    Either a bound (`metric` with `at_least` and/or `at_most`) for all runs that match `where`, split by the columns
    in `per`; or a `contrast` between the values of one column: the first value's metric lies above the second's, by a
    paired test, or with `apart: true` by intervals that do not touch.
    """

    metric: str = Field(description="what is judged, by its name in docs/metrics.md")
    where: Condition = Field(default_factory=dict, description="column: value, or a list of values")
    per: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="judge once for each combination of values of these columns"
    )
    at_least: float | None = Field(
        None, allow_inf_nan=False, description="lower bound: the lower end of the interval is not below it"
    )
    at_most: float | None = Field(
        None, allow_inf_nan=False, description="upper bound: the upper end of the interval is not above it"
    )
    contrast: Contrast | None = Field(
        None, description="one column and two of its values: the metric of the first lies above that of the second"
    )
    apart: bool = Field(False, description="with contrast: judged by the two intervals, which must not touch")
    judge: Literal["interval", "estimate", "value"] | None = Field(
        None, description="on what it is judged; default: what the study says"
    )
    confidence: float = Field(
        CONFIDENCE, gt=0.5, lt=1, description="of the intervals and the verdict; default: what the study says"
    )


@dataclass(frozen=True)
class Choice:
    """A section whose model is chosen by one of its own keys: `task` by `name`, `model` by `cell`."""

    key: str
    table: Mapping[str, type[Section]]
    others: tuple[str, ...] = ()  # installed plug-ins, which a study may name as well


def no_memory(sections: Sections) -> float:
    """An experiment that keeps nothing worth counting while it runs."""
    return 0.0


def stackable(sections: Sections) -> str:
    """An experiment whose runs may always be stacked."""
    return ""


def as_it_is(sections: S) -> S:
    """An experiment whose sections say all and go together however they are set."""
    return sections


@dataclass(frozen=True)
class Experiment(Generic[S]):
    """What is done with the settings of a run: the contract of an experiment, built in or brought by a package.

    Attributes:
        name: by which a study chooses it.
        typed: its sections, a dataclass with a field for each; the field's annotation is the section's model, or for
            one that is chosen by a key (see `choices`) the base of the models.
        entry: "module:function" of the function that computes it, imported where the runs are computed, so that a plan
            needs no torch. It takes the runs of a pack and a `harness.experiments.setup.Setup`, and yields a
            `harness.schema.Record` for each run as soon as that run ends.
        cost: predicted seconds of a run with these sections on the machine of the calibration; only ratios matter once
            a sweep has measured its own pace.
        memory: predicted bytes that a run keeps while it is computed, which limits how many share a pack.
        complete: sees the sections of a point together, fills in what depends on several of them, and raises
            `wrong("section.key", …)` where they do not go together.
        notes: called once, before any job, with the sections of all points that are to be computed: sentences for the
            terminal, on what will be slower than one may expect.
        alone: why a run with these sections is computed in a pack of its own; empty where it may share one. It is said
            when a study is planned.
        choices: the sections whose model is chosen by one of their keys.
        numerics: raised where the numbers of a built-in experiment are mended: the ids of its runs change then.
        refusal: why no sweep computes it; empty where one does.
    """

    name: str
    typed: type[S]
    entry: str
    cost: Callable[[S], float]
    memory: Callable[[S], float] = no_memory
    complete: Callable[[S], S] = as_it_is
    notes: Callable[[Sequence[S]], Sequence[str]] | None = None
    alone: Callable[[S], str] = stackable
    choices: Mapping[str, Choice] = field(default_factory=dict)
    numerics: int = 1
    refusal: str = ""

    @cached_property
    def sections(self) -> Mapping[str, Choice | type[Section]]:
        """What stands behind each section of the study file: a model, or a choice between models."""
        models: Mapping[str, type[Section]] = get_type_hints(self.typed)
        return {name: self.choices.get(name, model) for name, model in models.items()}

    def models(self, section: str) -> tuple[type[Section], ...]:
        """The models that may stand behind a section."""
        behind = self.sections[section]
        return tuple(behind.table.values()) if isinstance(behind, Choice) else (behind,)


@dataclass(frozen=True)
class Registry:
    """The tables that give names in a study their meaning; `study` itself knows no name.

    Attributes:
        experiments, figures, metrics: what is built in and what the study names of installed packages; a metric with a
            number in brackets by its name without them.
        words: names of further open tables, for settings that hold such names (`setting(names=…)`): {"probe": …}.
        faults: what else is wrong with a study whose settings are right: (key, its index or inner key, sentence), of
            "figures", "expect" and "tune".
        others: by setting, names of installed plug-ins, which a study may name as well.
        plugins: the versions of plug-ins that compute, by setting and name: ("model.cell", "leaky").
    """

    experiments: Mapping[str, Experiment[Any]]
    figures: Mapping[str, type[FigureSpec]]
    metrics: Mapping[str, object]
    words: Mapping[str, frozenset[str]]
    faults: Callable[[StudySpec], Sequence[tuple[str, int | str, str]]]
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plugins: Mapping[tuple[str, str], PluginVersion] = field(default_factory=dict)

    def known(self, setting: str, table: Mapping[str, object]) -> set[str]:
        """Names that a study may give to a setting: those of a table, and of installed plug-ins."""
        return {*table, *self.others.get(setting, ())}


@dataclass(frozen=True, eq=False)
class Point:
    """One cell of a study's grid: its settings, without a seed. Two points with the same settings are the same."""

    experiment: str
    sections: Sections
    versions: Versions = field(default_factory=dict)  # of code and data (`study/identity.py`)
    code: tuple[Code, ...] = ()  # that its runs execute; its versions are among `versions`

    @cached_property
    def key(self) -> str:
        """Canonical JSON of what run ids hash: experiment, settings that differ from their default, versions."""
        differing = {
            name: section.model_dump(mode="json", exclude_defaults=True, exclude=self._files(name, section))
            for name, section in self.sections.by_name().items()
        }
        settings: dict[str, Any] = {
            "experiment": self.experiment,
            **{name: values for name, values in differing.items() if values},
        }
        if self.versions:
            settings["versions"] = dict(self.versions)
        return json.dumps(settings, sort_keys=True, separators=(",", ":"))

    def _files(self, name: str, section: Section) -> set[str]:
        """Settings that name files, which count by their content: the files may move."""
        keys = type(section).model_fields if self.versions else ()
        return {key for key in keys if self.versions.get(f"{name}.{key}", "").startswith("content ")}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def columns(self) -> dict[str, Scalar]:
        """Every setting as a column of the table of runs."""
        return {"experiment": self.experiment, **columns_of(self.sections.by_name())}


@dataclass(frozen=True)
class StudySpec:
    """A question, ready to be planned."""

    name: str
    claim: str
    experiment: Experiment[Any]
    points: tuple[Point, ...]
    seeds: tuple[int, ...]
    figures: tuple[FigureSpec, ...]
    expect: tuple[Expectation, ...]
    path: str
    source: str
    overrides: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()  # settings that were written, and that no point of the grid has a use for
    paper: Paper | None = None
    folder: str = ""  # to which paths in it are relative
    calibration: tuple[int, ...] = ()  # those of `seeds` on which thresholds may be chosen; the others are judged
    written_seeds: Seeds = field(default_factory=lambda: Seeds((0,)))  # as the file has them, before -S seeds=…

    @property
    def judged(self) -> tuple[int, ...]:
        """The planned seeds whose runs verdicts rest on."""
        others = frozenset(self.calibration)
        return tuple(seed for seed in self.seeds if seed not in others)

    @property
    def calibrates(self) -> bool:
        """Whether these are calibration seeds alone (`Plan.only`): verdicts on them decide nothing."""
        return bool(self.calibration) and not self.judged

    @property
    def seeds_replaced(self) -> bool:
        """Whether -S seeds=… chose the seeds: what is measured on them is exploratory."""
        return any(text.partition("=")[0].strip() == "seeds" for text in self.overrides)

    tuning: Tuning | None = None
    rows: tuple[tuple[Point, ...], ...] = ()  # with tuning: for each point of the sweep, its candidates in their order

    def setting_columns(self) -> tuple[Column, ...]:
        """The settings columns of this study's table of runs: all that its experiment could have, then the seed."""
        columns = {"experiment": Column("experiment", pa.string(), "", "what was done with the settings")}
        for section in self.experiment.sections:
            for model in self.experiment.models(section):
                for key in model.model_fields:
                    column = setting_column(model, key)
                    columns.setdefault(column.name, column)
        columns["seed"] = Column("seed", pa.int64(), "", "seed of every random stream of the run")
        return tuple(columns.values())

    def present_columns(self) -> tuple[str, ...]:
        """The columns of settings that some point of this study has, in the order of the table."""
        present = {name for point in self.points for name in point.columns()} | {"seed"}
        # no point: another mistake, which is reported beside, hides which settings there are
        return tuple(c.name for c in self.setting_columns() if c.name in present or not self.points)

    def code(self) -> tuple[Code, ...]:
        """The code that runs of this study execute, each function once."""
        return tuple({code.name: code for point in self.points for code in point.code}.values())

    def notes(self) -> tuple[str, ...]:
        """A sentence for each setting that was written and has no use, and for what keeps runs from sharing packs."""
        sentences = [f"a sweep of this study executes code: '{each.name}' in {each.file}" for each in self.code()]
        sentences += [text for text in {self.experiment.alone(point.sections): None for point in self.points} if text]
        for setting_name in self.unused:
            section, _, key = setting_name.partition(".")
            hints = {type(point.sections.by_name()[section]).use_of(key): None for point in self.points}
            hint = next((hint for hint in hints if hint), "")
            sentence = f"{setting_name} is set, but no point of this study has a use for it"
            sentences.append(f"{sentence}; {hint}" if hint else sentence)
        return tuple(sentences)

    def axes(self, points: Iterable[Point] | None = None) -> tuple[str, ...]:
        """The columns in which the points that have them differ; the forget_bias of LSTMs beside a GRU is none.

        Args:
            points: default: all of the study.
        """
        rows = [point.columns() for point in (self.points if points is None else points)]
        names = [column.name for column in self.setting_columns() if column.name != "seed"]
        return tuple(name for name in names if len({repr(row[name]) for row in rows if name in row}) > 1)


Study = StudySpec  # the name under which plug-ins import it
