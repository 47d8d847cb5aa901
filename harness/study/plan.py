"""StudySpec → Plan: runs with content-hashed ids, and packs of runs that are trained together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any

from harness.study.matching import Value, canonical
from harness.study.section import Sections, marked
from harness.study.spec import Point, Scalar, StudySpec, no_memory, stackable
from harness.study.tuning import question

NUMERICS_VERSION = 2  # raised whenever a pinned tiny run changes its numbers
LARGEST_PACK = 16
PACK_BYTES = 200e6  # of what a pack keeps for its backward pass
ACCELERATOR_PACK, ACCELERATOR_BYTES = 1024, 8e9  # a GPU is busy only with many networks at once


@dataclass(frozen=True, slots=True)
class Run:
    """One point of the grid with one seed: the unit that is trained, committed, and judged."""

    run_id: str
    point: Point
    seed: int

    @property
    def sections(self) -> Sections:
        return self.point.sections

    def columns(self) -> dict[str, Scalar]:
        """The run's settings as columns."""
        return {**self.point.columns(), "seed": self.seed}


Pack = tuple[Run, ...]


@dataclass(frozen=True)
class TunedGroup:
    """One combination of the columns `per`: a winner is chosen for it.

    Attributes:
        per: values by column; without those that its points do not have, as an RNN no forget bias.
        name: of the choice: the metric and the runs of every candidate (`tuning.question`).
        rows: the points of the sweep in it, by their places among `StudySpec.rows`.
        run_ids: for each candidate, its runs.
    """

    per: Mapping[str, Scalar]
    name: str
    rows: tuple[int, ...]
    run_ids: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Plan:
    """All runs of a study, in the order of its grid, seeds innermost.

    Attributes:
        study: with tuning, its `points` are those of the winners that are known, and all candidates' before any is.
        runs: those that are judged; with tuning, those of the winners that are known.
        tuning_runs: every candidate's, from which winners are chosen; no figure and no verdict sees them.
        groups: the combinations for which winners are chosen.
        open_rows: places among `StudySpec.rows` of the points of the sweep whose winner is not known yet.
    """

    study: StudySpec
    runs: tuple[Run, ...]
    tuning_runs: tuple[Run, ...] = ()
    groups: tuple[TunedGroup, ...] = ()
    open_rows: tuple[int, ...] = ()

    @cached_property
    def ids(self) -> frozenset[str]:
        return frozenset(run.run_id for run in self.every)

    @cached_property
    def tuning_ids(self) -> frozenset[str]:
        return frozenset(run.run_id for run in self.tuning_runs)

    @cached_property
    def every(self) -> tuple[Run, ...]:
        """All runs that are known, each once, those of tuning first: a calibration seed may be one of tuning, too."""
        return (*self.tuning_runs, *(run for run in self.runs if run.run_id not in self.tuning_ids))

    @property
    def waiting(self) -> int:
        """How many runs are judged of winners that are not known yet."""
        return len(self.open_rows) * len(self.study.seeds)

    @property
    def waiting_seconds(self) -> float:
        """Predicted seconds of one core of those runs, as if each winner were the mean of its candidates."""
        cost, seeds = self.study.experiment.cost, len(self.study.seeds)
        rows = [self.study.rows[row] for row in self.open_rows]
        return sum(seeds * sum(cost(point.sections) for point in row) / len(row) for row in rows)

    @property
    def winners_known(self) -> int:
        """For how many combinations the winner is known."""
        return sum(not set(group.rows) & set(self.open_rows) for group in self.groups)

    def open_settings(self) -> list[dict[str, Scalar]]:
        """The points of the sweep whose winner is not known yet, as columns in which what is tuned is null."""
        tuned = dict.fromkeys(self.study.tuning.columns if self.study.tuning else ())
        return [{**self.study.rows[row][0].columns(), **tuned} for row in self.open_rows]

    def open_candidates(self) -> list[dict[str, Scalar]]:
        """All candidates of these points, as columns: one of each may be judged."""
        return [point.columns() for row in self.open_rows for point in self.study.rows[row]]

    @property
    def count(self) -> int:
        """How many runs there are in all, those of winners that are not known yet included."""
        return len(self.every) + self.waiting

    @property
    def judged_count(self) -> int:
        """How many runs are judged in all, whether or not their settings are known yet."""
        return len(self.runs) + self.waiting

    def only(self, seeds: Iterable[int]) -> Plan:
        """The plan of these seeds alone, as if no other were planned."""
        chosen = frozenset(seeds)
        study = replace(
            self.study,
            seeds=tuple(seed for seed in self.study.seeds if seed in chosen),
            calibration=tuple(seed for seed in self.study.calibration if seed in chosen),
        )
        return replace(self, study=study, runs=tuple(run for run in self.runs if run.seed in chosen))

    def costs(self, runs: Iterable[Run]) -> dict[str, float]:
        """Predicted seconds of these runs on one core, by run id; neighbours of one point share a prediction."""
        seconds: dict[str, float] = {}
        for point, of_point in groupby(runs, key=attrgetter("point")):
            seconds |= dict.fromkeys((run.run_id for run in of_point), self.study.experiment.cost(point.sections))
        return seconds

    def with_winners(self, winners: Mapping[str, int]) -> Plan:
        """The plan in which the runs of these winners are known.

        Args:
            winners: the candidate's index by the name of the group; groups that are not named stay open.
        """
        study = self.study
        if study.tuning is None:
            return self
        chosen = {row: winners[group.name] for group in self.groups if group.name in winners for row in group.rows}
        points = {
            point.sections: point for row, of_row in enumerate(study.rows) if row in chosen
            for point in [of_row[chosen[row]]]
        }  # fmt: skip
        still_open = tuple(row for row in range(len(study.rows)) if row not in chosen)
        known = replace(study, points=tuple(points.values()))
        return replace(self, study=known, runs=_runs(known.points, known.seeds), open_rows=still_open)


def plan(study: StudySpec) -> Plan:
    """The plan of a study; two plans of the same question have the same ids, wherever and whenever made.

    Of a study with tuning, the runs of the winners are not known here: see `Plan.with_winners`.
    """
    if study.tuning is None:
        return Plan(study, _runs(study.points, study.seeds))
    runs = {run.run_id: run for of_row in study.rows for run in _runs(of_row, study.tuning.seeds)}
    return Plan(study, (), tuple(runs.values()), _groups(study), tuple(range(len(study.rows))))


def _runs(points: Iterable[Point], seeds: Sequence[int]) -> tuple[Run, ...]:
    """The runs of these points, seeds innermost."""
    runs = []
    for point in points:
        head = sha256(f"{NUMERICS_VERSION}\n{point.key}\n".encode())
        for seed in seeds:
            digest = head.copy()
            digest.update(str(seed).encode())
            # 64 bits: with a million runs two share an id with probability 3e-8
            runs.append(Run(digest.hexdigest()[:16], point, seed))
    return tuple(runs)


def _groups(study: StudySpec) -> tuple[TunedGroup, ...]:
    """The rows of a study by their values of the columns `per`."""
    if study.tuning is None:
        return ()
    rows: dict[tuple[Value, ...], list[int]] = {}
    for place, row in enumerate(study.rows):
        columns = row[0].columns()
        rows.setdefault(tuple(canonical(columns.get(name)) for name in study.tuning.per), []).append(place)
    groups = []
    for places in rows.values():
        columns = study.rows[places[0]][0].columns()
        runs = tuple(
            tuple(run.run_id for place in places for run in _runs([study.rows[place][i]], study.tuning.seeds))
            for i in range(len(study.tuning.candidates))
        )
        per = {name: columns[name] for name in study.tuning.per if name in columns}
        groups.append(TunedGroup(per, question(study.tuning.by, runs), tuple(places), runs))
    return tuple(groups)


def packs(
    runs: Iterable[Run],
    *,
    jobs: int = 1,
    cost: Mapping[str, float] | None = None,
    memory: Callable[[Any], float] = no_memory,
    alone: Callable[[Any], str] = stackable,
    started: Mapping[str, int] | None = None,
    device: str = "cpu",
) -> list[Pack]:
    """Runs grouped into packs, dearest first.

    Runs of a pack have the same settings but for those that change initial weights only (`setting(replica=True)`),
    and at most `LARGEST_PACK` are together, fewer where they would keep more than `PACK_BYTES`. A group is cut
    evenly, so that no straggler of one run is left; and into as many packs as there are jobs where it alone would
    keep one job busy while others idle.

    Args:
        cost: predicted cost by run id; without it every run costs the same.
        memory: predicted bytes of a run with these sections.
        alone: why a run with these sections shares no pack; empty where it may.
        device: that computes them; all but the CPU take many more runs at once.
        started: updates made so far by run id; runs of a pack must stand at the same one to go on from there.
    """
    groups: dict[str, list[Run]] = {}
    keys: dict[Point, str] = {}
    for run in runs:
        if run.point not in keys:
            keys[run.point] = pack_key(run.point)
        groups.setdefault(f"{keys[run.point]} {(started or {}).get(run.run_id, 0)}", []).append(run)
    price = cost or {}
    total = sum(price.get(run.run_id, 1.0) for group in groups.values() for run in group)
    all_packs: list[Pack] = []
    for group in groups.values():
        share = sum(price.get(run.run_id, 1.0) for run in group) / total if total else 0.0
        most, most_bytes = (LARGEST_PACK, PACK_BYTES) if device == "cpu" else (ACCELERATOR_PACK, ACCELERATOR_BYTES)
        largest = max(1, min(most, int(most_bytes / max(memory(group[0].sections), 1.0))))
        largest = 1 if alone(group[0].sections) else largest
        parts = max(-(-len(group) // largest), min(len(group), round(share * 2 * jobs) if jobs > 1 else 1))
        all_packs += _even(group, parts)
    return sorted(all_packs, key=lambda pack: -sum(price.get(run.run_id, 1.0) for run in pack))


def pack_key(point: Point) -> str:
    """Equal for points whose runs may share a pack."""
    shared = {}
    for name, section in point.sections.by_name().items():
        fields = type(section).model_fields
        replica = {key for key, info in fields.items() if marked(info, "replica")}
        shared[name] = section.model_dump(mode="json", exclude=replica)
    return json.dumps([point.experiment, shared], sort_keys=True)


def _even(group: Sequence[Run], parts: int) -> list[Pack]:
    """A group cut into `parts` whose sizes differ by at most one."""
    size, larger = divmod(len(group), parts)
    cuts = [index * size + min(index, larger) for index in range(parts + 1)]
    return [tuple(group[start:end]) for start, end in pairwise(cuts)]
