"""How a sweep is run, as opposed to what the study is: settings that are checked wherever they come from.

The command line and the Python API share the checks, so that both refuse the same values in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, StudyError, nearest
from harness.study.canonical_json import canonical_json, collection
from harness.study.matching import canonical, choices, matches, ordered
from harness.study.yaml_document import parse

if TYPE_CHECKING:
    from harness.study.plan import Plan, Run
    from harness.study.spec import Experiment, StudySpec

ENGINES = ("compiled", "torch")
MOST_JOBS = 1024  # each is a process
MOST_VALUES = 50  # of a column that an error lists; beyond it, the first and the last
WORDS: Mapping[str, object] = {"null": None, "none": None, "full": None, "true": True, "false": False}


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep is run.

    Args:
        jobs: processes, one core each; -1: all cores; 1: in this process.
        engine: "compiled" (machine code from a cell's equations) or "torch".
        device: torch device; all but "cpu" take the torch engine.
        retries: how often a failed run is tried again.
        timeout: seconds that a run may take.
        fail_fast: stop at the first run that failed for good.
        retry_failed: compute again what failed before.
        force: compute again what is done.
        limit: at most so many runs.
        where: only runs with these values of these columns; a list means any of them.
        shard: (I, N): only the I-th of N shares of the runs.
        scheduler: address of a dask scheduler, on whose workers the runs are computed.
        trust: execute code that the study names (`model.factory`).
        omitted: no runs of these seeds.

    Raises:
        HarnessError: a value is out of range; the message names the option.
    """

    jobs: int = 1
    engine: str = "compiled"
    device: str = "cpu"
    retries: int = 1
    timeout: float | None = None
    fail_fast: bool = False
    retry_failed: bool = False
    force: bool = False
    limit: int | None = None
    where: Mapping[str, object] = field(default_factory=dict)
    shard: tuple[int, int] = (1, 1)
    scheduler: str | None = None
    trust: bool = False
    omitted: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        checks: Mapping[str, tuple[object, Callable[[str], object]]] = {
            "jobs": (self.jobs, jobs),
            "engine": (self.engine, engine),
            "device": (self.device, device),
            "retries": (self.retries, count),
            "timeout": (1.0 if self.timeout is None else self.timeout, seconds),
            "limit": (0 if self.limit is None else self.limit, count),
            "shard": ("/".join(map(str, self.shard)), shard),
            "scheduler": ("tcp://" if self.scheduler is None else self.scheduler, scheduler),
        }
        for name, (value, check) in checks.items():
            try:
                check(str(value))
            except (HarnessError, ValueError) as error:
                raise HarnessError(f"{name}={value!r}: {error}") from None

    @property
    def shard_name(self) -> str:
        """I-of-N, or nothing for the whole."""
        return "" if self.shard[1] == 1 else f"{self.shard[0]}-of-{self.shard[1]}"

    def owns(self, run: Run) -> bool:
        """Whether a run belongs to this shard: by its id, whatever else is in the study."""
        return int(run.run_id, 16) % self.shard[1] == self.shard[0] - 1

    def check_trust(self, study: StudySpec) -> None:
        """See that code which a study names may be executed, wherever the study lies: studies themselves are no code.

        Raises:
            HarnessError: it names code, and it is not trusted.
        """
        if not self.trust:
            for code in study.code():
                raise HarnessError(
                    f"{code.shown} is code that this sweep would execute: {code.file}; if you trust it, add --trust "
                    "(in Python: trust=True)"
                )

    def check_where(self, plan: Plan) -> None:
        """See that the condition means something: a misspelt value would select nothing, and pass for success.

        Raises:
            HarnessError: no planned run has one of the values, or all of them together.
        """
        judged = [{**row, "seed": seed} for row in plan.open_candidates() for seed in plan.study.seeds]
        check_where(self.where, [*(run.columns() for run in plan.every), *judged], plan.study)

    def notes(self, experiment: Experiment[Any], runs: Sequence[Run]) -> Sequence[str]:
        """What an experiment says of these runs before they are computed: which cells are not compiled, and why."""
        if not experiment.notes or self.engine != "compiled" or self.device != "cpu":
            return ()
        return experiment.notes([point.sections for point, _ in groupby(runs, key=attrgetter("point"))])

    def select(
        self, plan: Plan, done: frozenset[str], failed: frozenset[str], runs: Sequence[Run] | None = None
    ) -> list[Run]:
        """The runs that a sweep with these options is to compute, in the plan's order.

        Args:
            plan: whose runs.
            done: ids of the runs that have a result.
            failed: ids of the runs that failed before.
            runs: of the plan, if not all.
        """
        skipped = frozenset() if self.force else done if self.retry_failed else done | failed
        chosen = [
            run
            for run in (plan.every if runs is None else runs)
            if run.run_id not in skipped
            and self.owns(run)
            and (run.seed not in self.omitted or run.run_id in plan.tuning_ids)
            and (not self.where or matches(run.columns(), self.where))
        ]
        return chosen[: self.limit]


def jobs(text: str) -> int:
    """A number of jobs.

    Raises:
        ValueError: `text` is no whole number.
        HarnessError: the number is out of range.
    """
    value = int(text)
    if not 1 <= value <= MOST_JOBS and value != -1:
        raise HarnessError(f"a number of jobs is 1 to {MOST_JOBS}, or -1 for all cores")
    return value


def engine(text: str) -> str:
    """A name of an engine.

    Raises:
        HarnessError: there is no engine of that name.
    """
    if text == "numba":
        raise HarnessError("what numba computed is computed by the engine 'compiled'")
    if text not in ENGINES:
        raise HarnessError(f"no such engine{nearest(text, ENGINES)}")
    return text


def device(text: str) -> str:
    """A torch device.

    Raises:
        HarnessError: no device is called that.
    """
    if not re.fullmatch(r"(cpu|cuda|mps|xpu)(:\d+)?", text):
        raise HarnessError("a torch device is cpu, cuda, cuda:1, mps, …")
    return text


def scheduler(text: str) -> str:
    """The address of a dask scheduler.

    Raises:
        HarnessError: `text` is none; an empty one (a variable that is not set) must not mean this machine.
    """
    if not re.fullmatch(r"\w+://\S*|\S+:\d+", text):
        raise HarnessError("an address of a scheduler is tcp://host:8786")
    return text


def count(text: str) -> int:
    """A number of runs or attempts.

    Raises:
        ValueError: `text` is no whole number.
        HarnessError: the number is negative.
    """
    value = int(text)
    if value < 0:
        raise HarnessError("must be 0 or more")
    return value


def seconds(text: str) -> float:
    """A time limit.

    Raises:
        ValueError: `text` is no number.
        HarnessError: the number is not positive and finite.
    """
    value = float(text)
    if not 0 < value < float("inf"):
        raise HarnessError("a time is more than 0 seconds")
    return value


def shard(text: str) -> tuple[int, int]:
    """A share of the runs, I/N.

    Raises:
        HarnessError: `text` is not of that form, or there is no such share.
    """
    try:
        index, shares = (int(part) for part in text.split("/"))
    except ValueError:
        raise HarnessError("a shard is I/N, such as 1/4") from None
    if not 1 <= index <= shares:
        raise HarnessError(f"there is no shard {index} of {shares}; the first is 1/{shares}")
    return index, shares


def conditions(texts: Sequence[str], study: StudySpec, option: str = "--filter") -> dict[str, object]:
    """`cell=lstm` or `sequence_length=50,100` as a condition on columns.

    Args:
        texts: as given after the option, once or several times.
        study: whose columns.
        option: its name, for messages.

    Raises:
        HarnessError: a text is not of that form, or there is no such column.
    """
    where: dict[str, object] = {}
    known = {column.name for column in study.setting_columns()}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not name or not values:
            raise HarnessError(f"{option} '{text}' is not column=value or column=value,value")
        if name not in known:
            raise HarnessError(f"{option}: no column '{name}'{nearest(name, study.present_columns(), known)}")
        if name in where:
            raise HarnessError(f"{option}: {name} is there twice; give its values as one list: value,value")
        # a list or a mapping has commas of its own: it is one value
        where[name] = [WORDS.get(value.strip(), value.strip()) for value in _split(values)]
    return where


def _split(values: str) -> Sequence[str]:
    if (spelled := collection(values)) is not None:
        return [spelled]
    with suppress(StudyError):  # as a study writes it, with words that are not quoted
        data = parse(values, "value").data if values.startswith(("{", "[")) else None
        if isinstance(data, dict | list):
            return [canonical_json(data)]
    return values.split(",")


def check_where(where: Mapping[str, object], rows: Sequence[Mapping[str, object]], study: StudySpec) -> None:
    """See that runs meet a condition, each value of it included.

    Args:
        where: the condition on columns.
        rows: the settings of the planned runs.
        study: theirs.

    Raises:
        HarnessError: no planned run has one of the values, or all of them together.
    """
    from harness.study import labels  # loads pyarrow, which --help does without

    for name, expected in where.items():
        values = [row.get(name) for row in rows]
        present = {canonical(value) for value in values}
        for choice in choices(expected):
            if canonical(choice) not in present:
                known = [labels.value(name, value) for value in ordered(values)]
                written = labels.value(name, choice)
                many = f"; they have {known[0]} to {known[-1]}" if len(known) > MOST_VALUES else ""
                likely = many or nearest(written, known)
                raise HarnessError(f"no planned run of {study.name} has {name}={written}{likely}")
    if where and not any(matches(row, where) for row in rows):
        raise HarnessError(f"no planned run of {study.name} has {labels.condition(where)}")
