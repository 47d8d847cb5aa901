"""The rows of a table that a figure draws where it cannot draw all: one record of each run, or a single run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.study.spec import StudySpec

if TYPE_CHECKING:
    import pandas as pd

RecordedUpdate = Literal["first", "last"] | int


def at_update(frame: pd.DataFrame, update: RecordedUpdate | str) -> pd.DataFrame:
    """One record of each run and of each layer in it: its first, its last, or that of one update."""
    if isinstance(update, int):
        return frame[frame["update"] == update]
    each = [name for name in ("run_id", "layer", "direction") if name in frame.columns]
    by_run = frame.sort_values("update", kind="stable").groupby(each, sort=False)
    return by_run.head(1) if update == "first" else by_run.tail(1)


def one_run(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the run with the lowest seed, of several such runs the first in the table's order."""
    run_id = frame.sort_values("seed", kind="stable")["run_id"].iloc[0]
    rows: pd.DataFrame = frame[frame["run_id"] == run_id]
    return rows


def unprobed(study: StudySpec, probe: str) -> list[str]:
    """A sentence where a study trains, and has none of its runs measured by this probe."""
    records = [section for point in study.points if (section := point.sections.by_name().get("record")) is not None]
    measured = any(probe in getattr(section, "probes", ()) for section in records)
    return [] if measured or not records else [f"shows what {probe} measures; add it to record.probes"]
