"""The sections of a study that trains: what `training:`, `evaluation:` and `record:` may say, beside task and model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from harness.cells.cell import Cell
from harness.experiments.training.optimizer_keywords import OPTIMIZER
from harness.experiments.training.schedules import SCHEDULE
from harness.gradients.methods import BACK, METHOD, name_of
from harness.study.keywords import Named
from harness.study.section import Section, Sections, Unbounded, setting, wrong
from harness.tasks.task import Task


class Training(Section):
    """How parameters change (`training:`)."""

    optimizer: Annotated[str | Named, OPTIMIZER] = setting(
        "rmsprop",
        "torch.optim's optimizer of that name; in the long form with torch's keywords, the others at torch's defaults",
    )
    learning_rate: float = setting(1e-3, "step size", sequential=True, gt=0, allow_inf_nan=False)
    schedule: Annotated[str | Named, SCHEDULE] = setting(
        "constant",
        "the learning rate over the updates: torch.optim.lr_scheduler's schedule of that name; in the long form with "
        "torch's keywords, and with warm_up: n, which gives the first n updates 1/n, 2/n, …, 1 of the learning rate",
    )
    batch_size: int = setting(32, "sequences in a training batch", unit="sequences", ge=1)
    max_updates: int = setting(4000, "budget of parameter updates", unit="updates", ge=0)
    clip_norm: Unbounded | None = setting(
        None, "gradients longer than this are scaled to it, over all parameters of a run; null: never", unset="never"
    )
    clip_value: Unbounded | None = setting(
        None, "each number of the gradient is held between minus this and this; null: never", unset="never"
    )
    omega: float | None = setting(
        None, "α, weight of Pascanu's Ω, which holds ‖∂L/∂h_t‖ to the length it had a step later; null: none", gt=0
    )
    flossing: float | None = setting(
        None,
        "weight of the sum of squared finite-time Lyapunov exponents (gradient flossing); null: none",
        numerics=2,  # the derivative with respect to c_t also followed h_t = o·tanh c_t
        gt=0,
    )
    flossing_exponents: int = setting(1, "how many Lyapunov exponents flossing drives to zero, largest first", ge=1)
    orthogonal: float | None = setting(
        None, "weight of ‖WᵀW − I‖² (Frobenius), summed over the recurrent blocks; null: none", gt=0
    )
    method: Annotated[str | Named, METHOD] = setting(
        "bptt",
        "how the gradient is taken: bptt, back through time; tbptt, the same within a bptt_window; forward in time: "
        "rtrl, exact; snap1, a unit's own parameters on that unit; uoro and pes, random and right on average",
    )
    bptt_window: int | None = setting(
        None,
        "truncation window K: no gradient passes further back than K steps (where the state is carried on: chunks of K "
        "steps); null is full BPTT",
        unit="steps",
        label="BPTT window K (steps)",
        short="BPTT window",
        null="full",
        sequential=True,
        ge=1,
    )
    bptt_stride: int | None = setting(
        None,
        "where the loss is at every step: an update every so many steps, through the last bptt_window of them; null: "
        "as many as the window",
        unit="steps",
        label="BPTT stride K′ (steps)",
        sequential=True,
        ge=1,
    )
    stop_when_solved: bool = setting(True, "end a run at the first evaluation that meets the task's rule")
    dtype: Literal["float32", "float64", "bfloat16"] = setting(
        "float32",
        "arithmetic of training; bfloat16: torch's autocast, with matrix products in bfloat16 and parameters, states "
        "and all else in float32",
    )

    def window(self, T: int) -> int:
        """K on a sequence of T steps: all of them without a window, or with one that is longer."""
        return min(self.bptt_window or T, T)

    def truncates(self, T: int) -> bool:
        """Whether the window cuts a sequence of T steps."""
        return self.window(T) < T

    @property
    def optimizer_name(self) -> str:
        """The optimizer's name without its keywords."""
        return self.optimizer if isinstance(self.optimizer, str) else str(self.optimizer["name"])

    @property
    def goes_forward(self) -> bool:
        """Whether the gradient is taken forward in time, by a way that needs no stored states."""
        return name_of(self.method) not in BACK

    @property
    def autocasts(self) -> bool:
        """Whether matrix products are computed with fewer digits than everything else."""
        return self.dtype == "bfloat16"

    @property
    def parameter_dtype(self) -> str:
        """The type of parameters, states and gradients."""
        return "float32" if self.autocasts else self.dtype

    @property
    def penalised(self) -> bool:
        """Whether something is added to the loss."""
        return any(weight is not None for weight in (self.omega, self.flossing, self.orthogonal))


def _each_once(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """Lengths in ascending order, so that the order in which they are written makes no other run."""
    twice = sorted({length for length in lengths if lengths.count(length) > 1})
    if twice:
        raise wrong("lengths", f"names {', '.join(map(str, twice))} twice")
    return tuple(sorted(lengths))


Lengths = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False), AfterValidator(_each_once)]


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
    lengths: Lengths = setting(
        (),
        "lengths at which the network is judged once more at the end of a run: values of the task's own setting "
        "(sequence_length, delay, series_length)",
        unit="steps",
        column="evaluation_lengths",
        takes_list=True,
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
        (),
        "what else is measured at the recorded updates, by name (docs/probes.md); like every record it is part "
        "of a run's id",
        takes_list=True,
        names="probe",
    )
    weights: bool = setting(False, "keep the trained parameters", column="record_weights")


@dataclass(frozen=True)
class TrainingSections(Sections):
    """The sections of a training run, typed."""

    task: Task
    model: Cell
    training: Training
    evaluation: Evaluation
    record: Recording
