"""Learning curves as TensorBoard's event files, a folder a run; needs the extra `tensorboard`."""

from __future__ import annotations

import math
import re
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pandas as pd

from harness.errors import HarnessError, ResultsError
from harness.statistics.frames import Frames
from harness.study import labels
from harness.study.spec import StudySpec

SCALARS = ("accuracy", "loss", "gradient_norm", "spectral_radius_now", "sigma_max")  # columns of curves
LONGEST = 200  # bytes of a folder's name; file systems allow 255


def write(folder: Path, study: StudySpec, frames: Frames) -> int:
    """Write `folder`/<settings of the point>/seed_<seed>/events.out.tfevents.0 of every run; returns how many.

    Runs whose settings give the same name of a folder get their ids added.

    The step is the number of updates; a value that is not finite is left out, since TensorBoard cannot plot it. Wall
    times are 0, so that the same results give the same bytes.

    Raises:
        HarnessError: the package tensorboard is not installed.
        ResultsError: a file cannot be written.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        raise HarnessError("--tensorboard needs the package tensorboard: python -m pip install tensorboard") from None
    curves = list(frames.curves.sort_values("update").groupby("run_id", sort=True))
    names = {str(run_id): _name(study, curve) for run_id, curve in curves}
    shared = Counter(map(str.casefold, names.values()))  # some file systems take A and a for the same
    for run_id, curve in curves:
        name = names[str(run_id)]
        unique = name if shared[name.casefold()] == 1 else f"{name}_{run_id}"
        path = folder / unique / "events.out.tfevents.0"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                records = RecordWriter(file)
                records.write(Event(file_version="brain.Event:2").SerializeToString())
                for row in curve.to_dict("records"):
                    known = [(name, row[name]) for name in SCALARS if row.get(name) is not None]
                    values = [Summary.Value(tag=name, simple_value=v) for name, v in known if math.isfinite(v)]
                    event = Event(step=int(row["update"]), summary=Summary(value=values))
                    records.write(event.SerializeToString())
                records.flush()
        except OSError as error:
            raise ResultsError(f"{path}: cannot be written: {error.strerror or error}") from None
    return len(curves)


def _name(study: StudySpec, curve: pd.DataFrame) -> str:
    """A folder's name from the settings of a run."""
    first = curve.iloc[0]
    where = labels.condition({axis: first[axis] for axis in study.axes() if axis in curve.columns}) or study.name
    return f"{_folder(where)}/seed_{first['seed']}"


def _folder(where: str) -> str:
    """A folder's name for the settings of a point, and for no others: what a file system cannot write is hashed too."""
    plain = where.replace(", ", ",_")
    name = re.sub(r"[^\w=.,+-]+", "_", where)
    if name == plain and len(name.encode()) <= LONGEST and not name.startswith("."):
        return name
    return f"{name.lstrip('.')[: LONGEST // 4]}-{sha256(where.encode()).hexdigest()[:16]}"
