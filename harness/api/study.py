"""Asking: a study from a file, a text or a mapping; its plan; running it."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import cli, sweep
from harness.api.display import listed, paragraph, shown, table
from harness.errors import HarnessError, Place, ResultsError, StudyError, nearest
from harness.registry import load_registry, read
from harness.study import plan as planning
from harness.study.matching import ordered
from harness.study.spec import StudySpec
from harness.study.validation import understand
from harness.study.yaml_document import YamlDocument, parse
from harness.verdicts.expectations import weak_seeds

if TYPE_CHECKING:
    import pandas as pd

    from harness.api.results import Results

Overrides = Mapping[str, Any] | Sequence[str]


@dataclass(frozen=True, repr=False)
class Study:
    """A question, read and found right; made by `from_yaml`, `from_text` or `from_dict`.

    Args:
        asked: the study itself, typed and frozen.
        folder: where its results are, unless another folder is named.

    >>> study = harness.Study.from_yaml("studies/first.yaml")
    >>> study.name, len(study.plan())
    ('first', 4)
    >>> harness.Study.from_yaml("studies/first.yaml", {"model.cell": "lstmm"})
    Traceback (most recent call last):
    ...
    harness.errors.StudyError: -S 1: model.cell: no cell 'lstmm'; did you mean 'lstm'? ...
    """

    asked: StudySpec
    folder: Path

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: Overrides = ()) -> Study:
        """The study of a YAML file.

        Args:
            path: the file.
            overrides: settings to ask instead, {"training.max_updates": 500}, or texts as after -S on the command
                line; a list makes an axis.

        Raises:
            HarnessError: the file cannot be read, or is wrong; every mistake is told with its place.
        """
        asked = read(path, texts(overrides))
        return cls(asked, cli.results_folder(str(path), asked.name, None))

    @classmethod
    def from_text(cls, text: str, overrides: Overrides = ()) -> Study:
        """The study that a YAML text is; see `from_yaml`."""
        return cls._of(parse(text, "<text>"), overrides)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any], overrides: Overrides = ()) -> Study:
        """The study that a mapping is, with the keys of the YAML file; see `from_yaml`."""
        document = parse(json.dumps(settings, indent=1, ensure_ascii=False, default=_plain), "<dict>")
        document.keys.clear()
        document.values = {(): Place("<dict>")}  # lines of a text that nobody has seen would tell nothing
        return cls._of(document, overrides)

    @classmethod
    def _of(cls, document: YamlDocument, overrides: Overrides) -> Study:
        asked = understand(document, texts(overrides), registry=load_registry)
        return cls(asked, Path("results") / asked.name)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.asked.name

    @property
    def claim(self) -> str:
        """What the study claims."""
        return self.asked.claim

    def plan(self) -> StudyPlan:
        """All runs of the study, with their predicted cost; nothing is computed."""
        return StudyPlan(self, planning.plan(self.asked))

    def run(
        self,
        *,
        n_jobs: int = -1,
        folder: str | Path | None = None,
        engine: str = "numba",
        device: str = "cpu",
        where: Mapping[str, Any] | None = None,
        limit: int | None = None,
        retries: int = 1,
        timeout: float | None = None,
        retry_failed: bool = False,
        force: bool = False,
        progress: bool = True,
    ) -> Results:
        """Compute what is missing, and only that, as `python -m harness.sweep` does; then the results.

        Sets one thread a process, and MKL_CBWR, for this process and its workers (see `prepare`).

        Args:
            n_jobs: processes, one core each; -1: all cores; 1: in this process.
            folder: where the results go; default: that of the study.
            engine: "numba" (fused kernels where a cell has one) or "torch".
            device: torch device; all but "cpu" take the torch engine.
            where: only runs with these values of these columns; a list means any of them.
            limit: at most so many runs.
            retries: how often a failed run is tried again.
            timeout: seconds that a run may take.
            retry_failed: take up again what failed before.
            force: do again what is done.
            progress: tell on stderr how far it is.

        Raises:
            HarnessError: an argument is wrong, the folder cannot be used, or torch came first (see `prepare`).
            KeyboardInterrupt: interrupted; what had finished is kept, and the same call goes on from there.
        """
        self._check(n_jobs, engine, device, where or {})
        from harness.execution import sweeping
        from harness.execution.local import workers

        if _torch_came_first() and workers(n_jobs) == 1:
            raise HarnessError(
                "torch was loaded before its arithmetic could be fixed, so that runs in this process would not be bit "
                "for bit those of any other; call harness.prepare() before torch is imported, or let workers compute: "
                "n_jobs=2"
            )
        prepare()
        wanted = sweeping.SweepOptions(
            jobs=n_jobs, engine=engine, device=device, where=where or {}, limit=limit, retries=retries,
            timeout=timeout, retry_failed=retry_failed, force=force,
        )  # fmt: skip
        place = self.folder if folder is None else Path(folder)
        sweeping.sweep(self.plan().planned, place, wanted, shown=progress, command=("harness.Study.run",))
        return self.results(place)

    def results(self, folder: str | Path | None = None) -> Results:
        """What has been computed so far.

        Raises:
            HarnessError: there are no results in the folder.
        """
        from harness.api.results import Results
        from harness.report.presenting import judge_folder

        place = self.folder if folder is None else Path(folder)
        return Results(self, place, judge_folder(planning.plan(self.asked), place))

    def _check(self, n_jobs: int, engine: str, device: str, where: Mapping[str, Any]) -> None:
        """What the command line refuses is refused here too."""
        try:
            sweep.jobs(str(n_jobs))
            sweep.device(device)
        except (ArgumentTypeError, ValueError) as error:
            raise HarnessError(f"n_jobs={n_jobs!r}, device={device!r}: {error}") from None
        if engine not in ("numba", "torch"):
            raise HarnessError(f"engine={engine!r}: no such engine{nearest(engine, ('numba', 'torch'))}")
        known = [column.name for column in self.asked.setting_columns()]
        for name in where:
            if name not in known:
                raise HarnessError(f"where: no column '{name}'{nearest(name, known)}")

    def _axes(self) -> list[tuple[str, str]]:
        points = [point.columns() for point in self.asked.points]
        axes = [(name, listed(ordered(p[name] for p in points if name in p))) for name in self.asked.axes()]
        return [*axes, ("seeds", listed(self.asked.seeds))]

    def __repr__(self) -> str:
        runs = len(self.asked.points) * len(self.asked.seeds)
        axes = "; ".join(f"{name}: {values}" for name, values in self._axes())
        return f"Study {self.name}: {self.claim}\n{runs} runs; {axes}"

    def _repr_html_(self) -> str:
        return paragraph(self.claim, self.name) + table(("axis", "values"), self._axes())


@dataclass(frozen=True, repr=False)
class StudyPlan:
    """What a study would compute.

    >>> plan = harness.Study.from_yaml("studies/first.yaml").plan()
    >>> plan.runs[["cell", "seed"]].values.tolist()
    [['rnn', 0], ['rnn', 1], ['lstm', 0], ['lstm', 1]]
    """

    study: Study
    planned: planning.Plan

    def __len__(self) -> int:
        return len(self.planned.runs)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row a run: run_id, the settings that differ, the seed, and the predicted seconds of one core."""
        import pandas as pd

        from harness.execution.sweeping import costs

        price, kept = costs(self.planned, self.planned.runs), ["run_id", *self.study.asked.axes(), "seed", "seconds"]
        rows = [{"run_id": r.run_id, **r.columns(), "seconds": price[r.run_id]} for r in self.planned.runs]
        return pd.DataFrame([{name: row.get(name) for name in kept} for row in rows], columns=kept)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the number of seeds cannot carry, whatever comes out."""
        said = [weak_seeds(each, len(self.study.asked.seeds)) for each in self.study.asked.expect]
        return tuple(dict.fromkeys(sentence for sentence in said if sentence))

    def __repr__(self) -> str:
        from harness.execution.preview import preview
        from harness.execution.sweeping import SweepOptions

        return preview(self.planned, self.study.folder, SweepOptions(), self.warnings)

    def _repr_html_(self) -> str:
        axes = self.study.asked.axes()
        cells: dict[tuple[str, ...], list[float]] = {}
        for row in self.runs.to_dict("records"):
            cells.setdefault(tuple(shown(row[name]) for name in axes), []).append(row["seconds"])
        rows = [(*key, str(len(seconds)), f"{sum(seconds):.0f}") for key, seconds in cells.items()]
        head = (*axes, "runs", "seconds of one core, at most")
        return table(head, rows) + "".join(map(paragraph, self.warnings))


def load(folder: str | Path) -> Results:
    """The results in a folder, with the study that was asked there last.

    Raises:
        HarnessError: there are none, or their study is no longer a valid one.
    """
    from harness.store.journal import Journal, read_json

    place = Path(folder)
    Journal.open(place)
    try:
        kept = read_json(place / "plan.json")
        text, path, overrides = str(kept["source"]), str(kept["study"]), [str(each) for each in kept["overrides"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{place / 'plan.json'}: cannot be read ({error}); a sweep of the study writes it") from None
    try:
        asked = understand(parse(text, path), overrides, registry=load_registry)
    except StudyError as error:
        raise ResultsError(f"{place / 'plan.json'}: the study that it holds is not valid any more:\n{error}") from None
    return Study(asked, place).results()


def prepare() -> None:
    """Fix the arithmetic of this process; `Study.run` does it, too late only if torch has been imported by then.

    One thread for every numerical library, and MKL_CBWR: without it a product's last bit can change with where an
    array lies in memory. Set for the whole process, so other code in it runs on one thread too.
    """
    from harness.execution import environment

    _torch_came_first()
    environment.prepare()


@cache
def _torch_came_first() -> bool:
    """Whether torch was loaded without MKL_CBWR; remembered from the first time, since `prepare` sets it."""
    return "torch" in sys.modules and "MKL_CBWR" not in os.environ


def texts(overrides: Overrides) -> tuple[str, ...]:
    """Overrides as they stand after -S; JSON is YAML."""
    if isinstance(overrides, str):
        raise HarnessError(f"overrides: a mapping or a list of texts, not one text: ['{overrides}']")
    if not isinstance(overrides, Mapping):
        return tuple(overrides)
    return tuple(f"{key}={json.dumps(value, ensure_ascii=False, default=_plain)}" for key, value in overrides.items())


def _plain(value: Any) -> Any:
    """What JSON has no word for: numpy's numbers and arrays, ranges."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Iterable):
        return list(value)
    raise HarnessError(f"{value!r} is not a setting")
