"""A results folder of a watched training: a run for each module and call, committed anew with each record.

The folder is that of a study, study.yaml, which is written beside: so `harness.load`, the figures and
`python -m harness.report` read it as any other. A training that is killed loses at most the record it was writing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

from harness.errors import HarnessError
from harness.execution.provenance import write_plan
from harness.registry import read
from harness.schema import STEP_COLUMNS, Record
from harness.store import tables
from harness.store.files import replace_file
from harness.store.journal import Journal
from harness.store.locks import controller_lock
from harness.study.plan import Plan, Run, plan
from harness.watching.levels import Levels
from harness.watching.tables import wide

STUDY = "study.yaml"
REFRESH = 10.0  # seconds between two writings of the tables, which are derived from the commits
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
HEAD = """\
# Written by harness.watch. Draw it again: python -m harness.report {path}
name: {name}
claim: The gradients of a watched training.
experiment: watched
"""
FIGURES = """\
seeds: [0]
figures:
  - {kind: decay, hue: layer, col: module, row: direction, update: first, theory: []}
  - {kind: decay, name: decay-last, hue: layer, col: module, row: direction, update: last, theory: []}
  - {kind: heatmap, col: module, row: direction}
"""
COLUMNS = ("update", "layer", "direction", *STEP_COLUMNS)
Key = tuple[str, int, str]


class WatchFolder:
    """The folder, open for writing until `close`.

    Raises:
        HarnessError: its name cannot be a study's, or it has a record already and this training starts anew.
        ResultsError: it cannot be written, or another process is writing there.
    """

    def __init__(self, folder: Path, start: int) -> None:
        if not NAME.fullmatch(folder.name):
            raise HarnessError(f"to: '{folder.name}' is no name of a study: letters, digits, _ and - alone")
        self.folder, self.start = folder, start
        self.rows: dict[Key, list[Mapping[str, Any]]] = {}
        self._journal = Journal.create(folder)
        self._open = ExitStack()
        self._open.enter_context(controller_lock(folder))
        self._refreshed = -REFRESH
        try:
            self._read_earlier()
        except BaseException:
            self._open.close()
            raise

    def _read_earlier(self) -> None:
        """The rows before `start` of a record that is there already."""
        if not (self.folder / STUDY).exists():
            return
        earlier = self._plan()
        settings = {run.run_id: run.point.columns() for run in earlier.runs}
        for commit in self._journal.read(settings):
            columns = settings[commit.run_id]
            key = (str(columns["module"]), int(str(columns["call"])), str(columns["state"]))
            rows = commit.tables["gradients"].to_pylist() if "gradients" in commit.tables else []
            own = [{name: value for name, value in row.items() if name != "run_id"} for row in rows]
            if self.start == 0 and own:
                raise HarnessError(
                    f"{self.folder}: has a record already; choose another folder, or go on from a checkpoint after u "
                    "updates with start=u"
                )
            self.rows[key] = [row for row in own if row["update"] < self.start]

    def add(self, levels: Sequence[Levels], updates: int) -> None:
        """Commit a record.

        Args:
            levels: of one update.
            updates: made when it has ended.
        """
        for row in wide(levels):
            key = (row["module"] or "model", row["call"], row["state"])
            self.rows.setdefault(key, []).append({name: row[name] for name in COLUMNS})
        if not self.rows:
            return
        self._write_study()
        now = self._plan()
        changed = {(row["module"] or "model", row["call"], row["state"]) for row in wide(levels)}
        journal = Journal(self.folder, replace=True, writing=True)
        for run in now.runs:
            columns = run.point.columns()
            key = (str(columns["module"]), int(str(columns["call"])), str(columns["state"]))
            if key in changed:
                journal.commit(_record(run, self.rows[key], updates), run.columns())
        write_plan(now, self.folder)
        if monotonic() - self._refreshed >= REFRESH:
            self._refresh(now)

    def _refresh(self, now: Plan) -> None:
        tables.refresh(self._journal, now)
        self._refreshed = monotonic()

    def _write_study(self) -> None:
        path = self.folder / STUDY
        head = HEAD.format(path=path, name=self.folder.name)
        axes = [
            f"  - {{watch.module: [{_quoted(module)}], watch.call: [{call}], watch.state: [{_quoted(state)}]}}\n"
            for module, call, state in sorted(self.rows)
        ]
        text = f"{head}sweep:\n{''.join(axes)}{FIGURES}".encode()
        if not path.exists() or path.read_bytes() != text:
            replace_file(path, text)

    def _plan(self) -> Plan:
        return plan(read(self.folder / STUDY))

    def close(self) -> None:
        """Write the tables, and let others write."""
        try:
            if self.rows:
                self._refresh(self._plan())
        finally:
            self._open.close()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _record(run: Run, rows: Sequence[Mapping[str, Any]], updates: int) -> Record:
    """A run's commit; of a training without a task nothing says that it is solved."""
    first = [row for row in rows if (row["layer"], row["direction"]) == (1, "forward")]
    finite = all(entry < float("inf") for entry in rows[-1]["log10_adjoint"])
    row = {
        "outcome": "unsolved" if finite else "diverged",
        "updates": updates,
        "initial_adjoint_slope": _slope(first[0]["log10_adjoint"]) if first else None,
        "initial_adjoint_cell_slope": _slope(first[0]["log10_adjoint_cell"]) if first else None,
        "final_adjoint_slope": _slope(first[-1]["log10_adjoint"]) if first else None,
        "initial_adjoint_slope_geometric": _slope(first[0]["log10_adjoint_geometric"]) if first else None,
        "final_adjoint_slope_geometric": _slope(first[-1]["log10_adjoint_geometric"]) if first else None,
        "initial_adjoint_slope_median": _slope(first[0]["log10_adjoint_q50"]) if first else None,
        "final_adjoint_slope_median": _slope(first[-1]["log10_adjoint_q50"]) if first else None,
        "engine": "compiled",
        "device": "cpu",
    }
    return Record(run.run_id, row, {"gradients": rows})


def _slope(levels: Sequence[float] | None) -> float | None:
    """Mean change of the logarithm over one step back in time."""
    if levels is None or len(levels) < 2 or not isfinite(levels[-1]):
        return None
    return (levels[0] - levels[-1]) / (len(levels) - 1)
