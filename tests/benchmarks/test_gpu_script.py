"""The script for a GPU, on the CPU: its numbers are those of the CPU, and its output is complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import gpu


def test_the_script_runs_on_the_cpu_and_writes_every_row(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(gpu, "T", 5)
    output = tmp_path / "gpu.json"
    sizes = ["--widths", "4", "--packs", "1", "2", "--repeats", "1"]
    assert gpu.main(["--device", "cpu", "--output", str(output), *sizes]) == 0
    results = json.loads(output.read_text())
    assert all(row["difference"] == 0 for row in results["differences"])
    assert [(row["cell"], row["replicas"]) for row in results["times"]] == [
        (cell, R) for cell in ("rnn", "lstm", "gru") for R in (1, 2)
    ]
    assert all(row["eager"] > 0 and row["module"] > 0 for row in results["times"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_script_says_so(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        gpu.main(["--output", str(tmp_path / "gpu.json")])
    assert "no CUDA device" in capsys.readouterr().err
