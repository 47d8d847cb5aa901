"""What a study is, once it has been read: typed, frozen, without a trace of YAML.

A *section* (`task:`, `model:`, `training:`, …) is a frozen pydantic model. Which sections a study has is its
experiment's statement; which model stands behind `task` and `model` is chosen by the section's own `name` or `cell`
(a `Choice`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from harness.schema import Column

Scalar = None | bool | int | float | str
SLUG = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"


class Section(BaseModel):
    """Base of every section of a study: frozen, strict, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def setting(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    column: str | None = None,
    replica: bool = False,
    takes_list: bool = False,
    **limits: Any,
) -> Any:
    """A setting of a section: default, meaning, unit, and what the harness must know about it.

    Args:
        default: its value when the study is silent; `...` where the study must speak.
        column: its column's name in the tables where the key alone would be ambiguous.
        replica: runs that differ only here still share a pack (it changes initial weights, nothing else).
        takes_list: a list is one value of it, not an axis of a sweep.
    """
    extra: dict[str, Any] = {"unit": unit, "column": column, "replica": replica, "takes_list": takes_list}
    extra = {key: value for key, value in extra.items() if value}
    return Field(default, description=meaning, json_schema_extra=extra, **limits)


def wrong(key: str, what: str) -> PydanticCustomError:
    """The error that a section's validator raises, so that the reader can point at `key`."""
    return PydanticCustomError("setting", "{what}", {"key": key, "what": what})


def marked(info: FieldInfo, mark: str) -> Any:
    """What `setting` noted about a field under `mark`, or None."""
    extra = info.json_schema_extra
    return extra.get(mark) if isinstance(extra, dict) else None


class Training(Section):
    """How parameters change (`training:`)."""

    optimizer: Literal["sgd", "rmsprop", "adam"] = setting(
        "rmsprop", "torch.optim's optimizer of that name, its other settings at torch's defaults"
    )
    learning_rate: float = setting(1e-3, "step size", gt=0, allow_inf_nan=False)
    batch_size: int = setting(32, "sequences in a training batch", unit="sequences", ge=1)
    max_updates: int = setting(4000, "budget of parameter updates", unit="updates", ge=0)
    clip_norm: float | None = setting(
        None, "gradients longer than this are scaled to it, over all parameters of a run; null: never", gt=0
    )
    clip_value: float | None = setting(
        None, "each number of the gradient is held between minus this and this; null: never", gt=0
    )
    omega: float | None = setting(
        None, "α, weight of Pascanu's Ω, which holds ‖∂L/∂h_t‖ to the length it had a step later; null: none", gt=0
    )
    flossing: float | None = setting(
        None, "weight of the sum of squared finite-time Lyapunov exponents (gradient flossing); null: none", gt=0
    )
    flossing_exponents: int = setting(1, "how many Lyapunov exponents flossing drives to zero, largest first", ge=1)
    orthogonal: float | None = setting(
        None, "weight of ‖WᵀW − I‖² (Frobenius), summed over the recurrent blocks; null: none", gt=0
    )
    bptt_window: int | None = setting(
        None, "truncation window K: no gradient passes further back than K steps; null is full BPTT", unit="steps", ge=1
    )
    bptt_stride: int | None = setting(
        None,
        "where the loss is at every step: an update every so many steps, through the last bptt_window of them; null: "
        "as many as the window",
        unit="steps",
        ge=1,
    )
    stop_when_solved: bool = setting(True, "end a run at the first evaluation that meets the task's rule")
    dtype: Literal["float32", "float64"] = setting("float32", "arithmetic of training")

    @property
    def penalised(self) -> bool:
        """Whether something is added to the loss."""
        return any(weight is not None for weight in (self.omega, self.flossing, self.orthogonal))


class Evaluation(Section):
    """When and on how much fresh data a run is judged (`evaluation:`)."""

    every: int = setting(
        100,
        "evaluate after every so many updates, and before the first",
        unit="updates",
        column="evaluation_every",
        ge=1,
    )
    sequences: int = setting(
        512, "fresh sequences per evaluation", unit="sequences", column="evaluation_sequences", ge=1
    )


class Every(Section):
    """A regular schedule: `{every: 10}`."""

    every: int = Field(ge=1, description="record every so many updates")


Updates = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False)]


class Recording(Section):
    """What of the gradients is kept (`record:`)."""

    adjoints: Literal["geometric"] | Every | Updates = setting(
        "geometric",
        "when adjoints are recorded: geometric (0, 1, 2, 4, …), {every: n} or a list; always first and last",
        takes_list=True,
    )
    precision: Literal["as_trained", "float64"] = setting(
        "as_trained", "adjoints of the network as trained, or the recorded batch repeated in float64"
    )
    states: int = setting(
        0, "sequences whose states and gates are kept, step by step, at the end of a run", column="record_states", ge=0
    )
    codes: int = setting(
        0, "sequences whose code (the encoder's last state) is kept at the end of a run", column="record_codes", ge=0
    )
    examples: int = setting(
        0, "sequences whose answers are kept as text at the end of a run", column="record_examples", ge=0
    )
    probes: Annotated[tuple[str, ...], Field(strict=False)] = setting(
        (), "what else is measured at the recorded updates, by name (docs/probes.md)", takes_list=True
    )
    weights: bool = setting(False, "keep the trained parameters", column="record_weights")


class Paper(Section):
    """The published result that a study repeats (`paper:`)."""

    source: str = Field(min_length=1, description="author, year, and the section, equation or figure")
    tag: Literal["faithful", "scaled", "qualitative"] = Field(
        description="faithful: the paper's own setting; scaled: smaller; qualitative: the claim, in another setting"
    )


class FigureSpec(Section):
    """One figure of a study; each kind adds its own settings in its own file."""

    kind: str = Field(description="what kind of figure")
    name: str | None = Field(None, pattern=SLUG, description="file name without ending; default: the kind")
    where: Annotated[Mapping[str, Any], Field(strict=False)] = Field(
        default_factory=dict, description="only runs with these values of these columns (a list means any of them)"
    )


class Expectation(Section):
    """One expectation of a study, judged over seeds.

    Either a bound (`metric` with `at_least` and/or `at_most`) for all runs that match `where`, split by the columns
    in `per`; or a `contrast` between the values of one column: the first value's metric lies above the second's, and
    with `apart: true` their intervals do not touch.
    """

    metric: str = Field(description="what is judged, by name in METRICS")
    where: Annotated[Mapping[str, Any], Field(strict=False)] = Field(
        default_factory=dict, description="column: value, or a list of values"
    )
    per: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="judge once for each combination of values of these columns"
    )
    at_least: float | None = Field(None, allow_inf_nan=False, description="lower bound of the measured value")
    at_most: float | None = Field(None, allow_inf_nan=False, description="upper bound of the measured value")
    contrast: Mapping[str, Annotated[tuple[Any, Any], Field(strict=False)]] | None = Field(
        None, description="one column and two of its values: the metric of the first lies above that of the second"
    )
    apart: bool = Field(False, description="with contrast: the two intervals must not touch")


@dataclass(frozen=True)
class Choice:
    """A section whose model is chosen by one of its own keys: `task` by `name`, `model` by `cell`."""

    key: str
    table: Mapping[str, type[Section]]
    others: tuple[str, ...] = ()  # installed plug-ins, which a study may name as well


@dataclass(frozen=True)
class Experiment:
    """What is done with the settings: which sections it has, and the function that takes runs and yields records.

    `entry` is "module:function", imported where the run is computed, so that a plan needs no torch. Two predictions
    from the sections of a run: `cost`, the seconds it takes on the machine of the calibration (only ratios matter
    once a sweep has measured its own pace), and `memory`, the bytes it keeps while it trains (how many can share a
    pack). `complete` sees the sections of a point together: it fills in what depends on several of them, and raises
    `wrong("section.key", …)` for what cannot go together. `prepare` is called once, before any job, with the sections
    of all points that are to be computed: time to compile.
    """

    name: str
    sections: Mapping[str, Choice | type[Section]]
    entry: str
    cost: Callable[[Mapping[str, Any]], float]
    memory: Callable[[Mapping[str, Any]], float] = lambda sections: 0.0
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda sections: sections
    prepare: Callable[[Sequence[Mapping[str, Any]]], None] | None = None

    def models(self, section: str) -> tuple[type[Section], ...]:
        """The models that may stand behind a section."""
        behind = self.sections[section]
        return tuple(behind.table.values()) if isinstance(behind, Choice) else (behind,)


@dataclass(frozen=True)
class Registry:
    """The tables that give names in a study their meaning; `study` itself knows no name."""

    experiments: Mapping[str, Experiment]
    figures: Mapping[str, type[FigureSpec]]
    metrics: Mapping[str, object]
    faults: Callable[
        [StudySpec], Sequence[tuple[str, int, str]]
    ]  # what else is wrong: ("figures" or "expect", index, sentence)
    other_figures: tuple[str, ...] = ()  # installed plug-ins, which a study may name as well


@dataclass(frozen=True)
class Point:
    """One cell of a study's grid: its settings, without a seed."""

    experiment: str
    sections: Mapping[str, Section]

    def columns(self) -> dict[str, Scalar]:
        """Every setting as a column of the table of runs."""
        values: dict[str, Scalar] = {"experiment": self.experiment}
        for section in self.sections.values():
            for key, info in type(section).model_fields.items():
                values[column_name(key, info)] = _plain(getattr(section, key))
        return values


@dataclass(frozen=True)
class StudySpec:
    """A question, ready to be planned."""

    name: str
    claim: str
    experiment: Experiment
    points: tuple[Point, ...]
    seeds: tuple[int, ...]
    figures: tuple[FigureSpec, ...]
    expect: tuple[Expectation, ...]
    path: str
    source: str
    overrides: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()  # settings that were written, and that no point of the grid has a use for
    paper: Paper | None = None

    def setting_columns(self) -> tuple[Column, ...]:
        """The settings columns of this study's table of runs: all that its experiment could have, then the seed."""
        columns = {"experiment": Column("experiment", pa.string(), "", "what was done with the settings")}
        for section in self.experiment.sections:
            for model in self.experiment.models(section):
                for key, info in model.model_fields.items():
                    column = setting_column(key, info)
                    columns.setdefault(column.name, column)
        columns["seed"] = Column("seed", pa.int64(), "", "seed of every random stream of the run")
        return tuple(columns.values())

    def axes(self) -> tuple[str, ...]:
        """The columns in which the points that have them differ; the forget_bias of LSTMs beside a GRU is none."""
        rows = [point.columns() for point in self.points]
        names = [column.name for column in self.setting_columns() if column.name != "seed"]
        return tuple(name for name in names if len({repr(row[name]) for row in rows if name in row}) > 1)


Study = StudySpec  # the name under which plug-ins import it


def column_name(key: str, info: FieldInfo) -> str:
    """The column of a setting: its own key unless `setting(column=…)` names another."""
    return str(marked(info, "column") or key)


def setting_column(key: str, info: FieldInfo) -> Column:
    """A setting as a column of the table of runs."""
    return Column(column_name(key, info), _arrow(info), marked(info, "unit") or "", info.description or "")


def _plain(value: object) -> Scalar:
    """A setting as one cell of a table; what is not a scalar is written as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return repr(value.model_dump()) if isinstance(value, Section) else repr(value)


def _arrow(info: FieldInfo) -> pa.DataType:
    """The arrow type of a setting: that of its annotation, or text where it mixes numbers and words."""
    text = str(info.annotation)
    if "str" in text or ("Literal" in text and "'" in text) or "Every" in text:
        return pa.string()
    if "float" in text:
        return pa.float64()
    if "bool" in text:
        return pa.bool_()
    return pa.int64()
