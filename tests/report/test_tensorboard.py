"""TensorBoard reads the values of the table of curves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_results import SyntheticResults

from harness.errors import HarnessError
from harness.report import tensorboard


def scalars(folder: Path) -> Any:
    """TensorBoard's own reading of a folder."""
    reader: Any = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra tensorboard is not installed"
    )
    return reader.EventAccumulator(str(folder)).Reload()


def test_every_run_is_a_folder_with_its_curve(synthetic: SyntheticResults, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    count = tensorboard.write(tmp_path, synthetic.study, synthetic.frames)
    files = sorted(tmp_path.rglob("events.out.tfevents.0"))
    assert count == len(files) == len(synthetic.frames.runs)
    run = synthetic.frames.curves[synthetic.frames.curves["run_id"] == "0000"].sort_values("update")
    (folder,) = {path.parent for path in files if "=20," in str(path) and "=0.8," in str(path) and "rnn" in str(path)
                 and path.parent.name == "seed_0"}  # fmt: skip
    read = scalars(folder)
    for name in ("accuracy", "loss"):
        assert [event.step for event in read.Scalars(name)] == run["update"].tolist()
        values = [event.value for event in read.Scalars(name)]
        np.testing.assert_array_equal(np.float32(values), run[name].to_numpy(dtype=np.float32))


def test_the_same_results_give_the_same_bytes(synthetic: SyntheticResults, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    for name in ("a", "b"):
        tensorboard.write(tmp_path / name, synthetic.study, synthetic.frames)
    for path in (tmp_path / "a").rglob("events*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_without_the_package_the_error_names_it(synthetic: SyntheticResults, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(HarnessError, match="pip install tensorboard"):
        tensorboard.write(tmp_path, synthetic.study, synthetic.frames)
