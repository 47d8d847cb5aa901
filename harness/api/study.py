"""A study from a file, a text or a mapping; its plan; running it; and loading what has been computed."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.display import listed, paragraph, shown, table
from harness.api.results import Results
from harness.errors import HarnessError, Place, ResultsError, StudyError, check_current_folder, nearest
from harness.execution.options import SweepOptions
from harness.execution.swept_seeds import swept_seeds
from harness.registry import load_registry, read
from harness.store.location import results_folder
from harness.store.winners import resolved
from harness.study.matching import ordered
from harness.study.plan import Plan, plan
from harness.study.spec import StudySpec
from harness.study.validation import understand
from harness.study.yaml_document import YamlDocument, parse
from harness.verdicts.prospects import prospects, warnings

if TYPE_CHECKING:
    import pandas as pd

Overrides = Mapping[str, Any] | Sequence[str]


@dataclass(frozen=True, repr=False)
class Study:
    """A valid study; from `from_yaml`, `from_text` or `from_dict`.

    Args:
        spec: the study itself, typed and frozen.
        folder: its results folder, unless a call names another.

    >>> study = harness.Study.from_yaml("studies/first.yaml")
    >>> study.name, len(study.plan())
    ('first', 4)
    >>> harness.Study.from_yaml("studies/first.yaml", {"model.cell": "lstmm"})
    Traceback (most recent call last):
    ...
    harness.errors.StudyError: -S 1: model.cell: no cell 'lstmm'; did you mean 'lstm'? ...
    """

    spec: StudySpec
    folder: Path

    def __getattr__(self, name: str) -> Any:
        """`asked` is what `spec` was called; scripts use it."""
        if name == "asked":
            return self.spec
        raise AttributeError(f"'Study' object has no attribute '{name}'")

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: Overrides = ()) -> Study:
        """The study of a YAML file.

        Args:
            path: the file.
            overrides: other values of settings, {"training.max_updates": 500}, or texts as after -S on the command
                line; a list makes an axis.

        Raises:
            HarnessError: the file cannot be read, or is wrong; errors report file, line and column.
        """
        spec = read(path, texts(overrides))
        return cls(spec, results_folder(str(path), spec.name, None))

    @classmethod
    def from_text(cls, text: str, overrides: Overrides = ()) -> Study:
        """The study that a YAML text is; see `from_yaml`."""
        return cls._of(parse(text, "<text>"), overrides)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any], overrides: Overrides = ()) -> Study:
        """The study that a mapping is, with the keys of the YAML file; see `from_yaml`."""
        document = parse(yaml_text(settings), "<dict>")
        document.keys.clear()
        document.values = {(): Place("<dict>")}  # the lines of this text mean nothing to the user, who wrote a mapping
        return cls._of(document, overrides)

    @classmethod
    def _of(cls, document: YamlDocument, overrides: Overrides) -> Study:
        check_current_folder()
        document.folder = Path.cwd()
        spec = understand(document, texts(overrides), load_names=load_registry)
        return cls(spec, Path("results") / spec.name)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.spec.name

    @property
    def claim(self) -> str:
        """What the study claims."""
        return self.spec.claim

    def plan(self) -> StudyPlan:
        """All runs of the study, with their predicted cost; nothing is computed.

        With tuning, the runs of winners are among them where a sweep of the study's folder has chosen them.
        """
        return StudyPlan(self, resolved(plan(self.spec), self.folder))

    def run(
        self,
        *,
        n_jobs: int = -1,
        folder: str | Path | None = None,
        engine: str = "compiled",
        device: str = "cpu",
        where: Mapping[str, Any] | None = None,
        limit: int | None = None,
        retries: int = 1,
        timeout: float | None = None,
        retry_failed: bool = False,
        force: bool = False,
        trust: bool = False,
        seeds: str | None = None,
        progress: bool = True,
    ) -> Results:
        """Compute what is missing, and only that, as `python -m harness.sweep` does; then the results.

        Sets one thread a process, and MKL_CBWR, for this process and its workers (see `prepare`).

        Args:
            n_jobs: processes, one core each; -1: all cores; 1: in this process.
            folder: where the results go; default: that of the study.
            engine: "compiled" (machine code from a cell's equations) or "torch".
            device: torch device; all but "cpu" take the torch engine.
            where: only runs with these values of these columns; a list means any of them.
            limit: at most so many runs.
            retries: how often a failed run is tried again.
            timeout: seconds that a run may take.
            retry_failed: compute again what failed before.
            force: compute again what is done.
            trust: execute the code that the study names (`model.factory`).
            seeds: of a study with calibration seeds: "calibration", "judged" or "all"; default: calibration, and judged
                once it is frozen (`python -m harness.freeze`).
            progress: report progress on stderr.

        Raises:
            HarnessError: an argument is wrong, the folder cannot be used, or torch came first (see `prepare`).
            KeyboardInterrupt: interrupted; finished runs are kept, and the same call goes on from there.
        """
        planned = plan(self.spec)
        swept = swept_seeds(planned, seeds)
        options = SweepOptions(
            jobs=n_jobs, engine=engine, device=device, where=where or {}, limit=limit, retries=retries,
            timeout=timeout, retry_failed=retry_failed, force=force, trust=trust, omitted=swept.omitted,
        )  # fmt: skip
        known = [column.name for column in self.spec.setting_columns()]
        for name in options.where:
            if name not in known:
                raise HarnessError(f"where: no column '{name}'{nearest(name, self.spec.present_columns(), known)}")
        from harness.execution.processes import workers
        from harness.execution.sweeping import check_this_process, sweep

        if workers(n_jobs) == 1:
            check_this_process()
        prepare()
        target = self.folder if folder is None else Path(folder)
        swept.record(planned, target)
        sweep(planned, target, options, shown=progress, quiet=not progress, command=("harness.Study.run",))
        return self.results(target)

    def results(self, folder: str | Path | None = None) -> Results:
        """The results so far.

        Raises:
            HarnessError: there are no results in the folder.
        """
        from harness.verdicts.judging import judge_folder

        target = self.folder if folder is None else Path(folder)
        return Results(target, judge_folder(plan(self.spec), target))

    def _axes(self) -> list[tuple[str, str]]:
        points = [point.columns() for point in self.spec.points]
        axes = [(name, listed(ordered(p[name] for p in points if name in p))) for name in self.spec.axes()]
        return [*axes, ("seeds", listed(self.spec.seeds))]

    def __repr__(self) -> str:
        runs = plan(self.spec).count
        axes = "; ".join(f"{name}: {values}" for name, values in self._axes())
        return f"Study {self.name}: {self.claim}\n{runs} runs; {axes}"

    def _repr_html_(self) -> str:
        return paragraph(self.claim, self.name) + table(("axis", "values"), self._axes())


@dataclass(frozen=True, repr=False)
class StudyPlan:
    """The runs that a study would compute.

    Args:
        study: the study.
        planned: its plan, as the commands make it.

    >>> plan = harness.Study.from_yaml("studies/first.yaml").plan()
    >>> plan.runs[["cell", "seed"]].values.tolist()
    [['rnn', 0], ['rnn', 1], ['lstm', 0], ['lstm', 1]]
    """

    study: Study
    planned: Plan

    def __len__(self) -> int:
        return self.planned.count

    @cached_property
    def runs(self) -> pd.DataFrame:
        """A row a run: run_id, the settings that differ, the seed, and the predicted seconds of one core.

        With tuning also its role, tuning or judged; the runs of winners that are not known yet have no row.
        """
        import pandas as pd

        from harness.statistics.frames import exact

        seconds = self.planned.costs(self.planned.every)
        role = ["role"] if self.planned.tuning_runs else []
        columns = ["run_id", *role, *self.study.spec.axes(), "seed", "seconds"]
        judged = {run.run_id for run in self.planned.runs}
        rows = [
            {
                "run_id": r.run_id,
                "role": "judged" if r.run_id in judged else "tuning",
                **r.columns(),
                "seconds": seconds[r.run_id],
            }
            for r in self.planned.every
        ]
        return pd.DataFrame({name: exact([row.get(name) for row in rows]) for name in columns})

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each expectation that has too few seeds, whatever they measure."""
        return tuple(warnings(self.study.spec))

    def __repr__(self) -> str:
        from harness.execution.preview import preview

        return preview(self.planned, self.study.folder, SweepOptions(), self.warnings, prospects(self.study.spec))

    def _repr_html_(self) -> str:
        axes = self.study.spec.axes()
        cells: dict[tuple[str, ...], list[float]] = {}
        for row in self.runs.to_dict("records"):
            cells.setdefault(tuple(shown(row[name]) for name in axes), []).append(row["seconds"])
        rows = [(*key, str(len(seconds)), f"{sum(seconds):.0f}") for key, seconds in cells.items()]
        head = (*axes, "runs", "seconds of one core, at most")
        return table(head, rows) + "".join(map(paragraph, self.warnings))


def load(folder: str | Path) -> Results:
    """The results in a folder, judged by the study that was swept there last.

    Files and code that the study names are looked for where they were when it was swept; and, of a study and results
    that were moved together, where they now are.

    Raises:
        HarnessError: there are no results, or their study is no longer valid, or what it names is in neither place.
    """
    from harness.store.files import read_json
    from harness.store.journal import Journal

    target = Path(folder)
    Journal.open(target)
    note = target / "plan.json"
    try:
        document = read_json(note)
        text, path = str(document["source"]), str(document["study"])
        overrides = [str(each) for each in document["overrides"]]
        ids = frozenset(map(str, document["ids"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{note}: cannot be read ({error}); a sweep of the study writes it") from None
    valid: list[StudySpec] = []
    errors: list[StudyError] = []
    folders = _folders(document, target)
    for each in folders:
        file = each / Path(path).name
        try:
            study = parse(text, str(file) if file.is_file() else path, each)
            valid.append(understand(study, overrides, load_names=load_registry))
        except StudyError as error:
            errors.append(error)
            continue
        if len(folders) > 1 and plan(valid[-1]).ids & ids:  # of two files of one name, the one that was swept
            return Study(valid[-1], target).results()
    if not valid:
        places = " and in ".join(map(str, folders))
        raise ResultsError(
            f"{note}: the study that it holds is not valid any more:\n{errors[0]}\n"
            f"What it names was looked for in {places}. With a study that lies elsewhere, or was mended: "
            f"harness.Study.from_yaml(STUDY).results({str(target)!r}), or "
            f"python -m harness.report STUDY -o {shlex.quote(str(target.parent))}"
        )
    return Study(valid[0], target).results()


def _folders(document: Mapping[str, Any], target: Path) -> list[Path]:
    """Where what a study names may be: its folder as it was swept, then as far from the results as it was then.

    Args:
        document: plan.json.
        target: the results folder.
    """
    if "folder" not in document:  # of an older release: beside the file, or as seen from where the sweep was started
        file = str(document.get("file") or "")
        return [Path(file if os.path.isfile(file) else str(document["study"])).parent]
    moved = os.path.normpath(Path(os.path.realpath(target), str(document["folder_from_here"])))
    return [Path(each) for each in dict.fromkeys([str(document["folder"]), moved])]


def prepare() -> None:
    """Fix the arithmetic of this process; `Study.run` does so too, but too late if torch has been imported by then.

    One thread for every numerical library, and MKL_CBWR: without it the last bit of a product can depend on the
    alignment of an array in memory. This holds for the whole process: other code in it runs on one thread, too.
    """
    from harness.execution import environment

    environment.prepare()


def texts(overrides: Overrides) -> tuple[str, ...]:
    """Overrides as texts after -S."""
    if isinstance(overrides, str):
        raise HarnessError(f"overrides: a mapping or a list of texts, not one text: ['{overrides}']")
    if not isinstance(overrides, Mapping):
        return tuple(overrides)
    return tuple(f"{key}={yaml_text(value)}" for key, value in overrides.items())


def yaml_text(value: Any, indent: str = "") -> str:
    """A Python value as YAML that is read back as the same value.

    That is JSON but for what JSON does not have: infinity and NaN; numpy's numbers and arrays, ranges, paths, words of
    an enumeration; and for characters that YAML takes for line breaks or refuses as they are, which are escaped.

    Raises:
        HarnessError: the value is no setting.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return json.dumps(float(value))
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, str):
        return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))
    inner = f"{indent} "
    if isinstance(value, Mapping):
        entries = [f"{inner}{yaml_text(_key(key))}: {yaml_text(each, inner)}" for key, each in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}" if entries else "{}"
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return f"[{', '.join(yaml_text(each, inner) for each in value)}]"
    raise HarnessError(f"{value!r} is not a setting")


# Controls, NEL and the two separators, which YAML takes for line breaks; byte-order marks; halves of characters.
_NOT_IN_YAML = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def _key(key: Any) -> str:
    """A key as the text that YAML would read: true, 1, null."""
    return key if isinstance(key, str) else yaml_text(key)
