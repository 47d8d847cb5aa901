"""A long training's record is a results folder: loaded, drawn and reported as any other, and it survives a kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import harness
from harness.report.__main__ import main as report
from harness.sweep import main as sweep

T, B, D, H = 6, 3, 2, 4
TRAINING = """
import sys, os, torch
import harness
from torch import nn

torch.manual_seed(0)
module = nn.LSTM(2, 4, num_layers=2, bidirectional=True)
watch = harness.watch(module, every=2, to=sys.argv[1])
for update in range(7):
    module(torch.randn(6, 3, 2))[0].square().mean().backward()
    watch.step()
os.kill(os.getpid(), 9)
"""


def trained(folder: Path, updates: range, **options: int) -> harness.Results:
    torch.manual_seed(0)
    model = nn.ModuleDict({"encoder": nn.GRU(D, H), "decoder": nn.LSTM(H, H)})
    watch = harness.watch(model, every=2, to=folder, **options)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in updates:
        y, _ = model["decoder"](model["encoder"](torch.randn(T, B, D))[0])
        optimizer.zero_grad()
        y.square().mean().backward()
        optimizer.step()
        watch.step()
    watch.close()
    return harness.load(folder)


@pytest.mark.usefixtures("drawn_once")
def test_a_watched_training_is_a_results_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    results = trained(folder, range(5))
    gradients = results.gradients()
    assert sorted(zip(gradients.module, gradients["update"], strict=True)) == [
        (module, update) for module in ("decoder", "encoder") for update in (0, 2, 4)
    ]
    assert results.runs.set_index("module").updates.to_dict() == {"decoder": 5, "encoder": 5}
    assert gradients.log10_adjoint_cell.notna().tolist() == (gradients.module == "decoder").tolist()
    long = results.gradients(long=True, columns=["module", "update"])
    assert (long.t + long.lag == T).all()
    table = pd.read_parquet(folder / "gradients.parquet")
    assert len(table) == 6
    assert results.figure("decay").axes
    report([str(folder / "study.yaml"), "-o", str(tmp_path), "--format", "png"])
    assert (folder / "report.html").exists()
    assert (folder / "figures" / "heatmap.png").exists()


def test_a_killed_training_has_its_records(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", TRAINING, str(folder)]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    gradients = harness.load(folder).gradients()
    assert gradients["update"].tolist() == [update for update in (0, 2, 4, 6) for _ in range(4)]
    assert set(zip(gradients.layer, gradients.direction, strict=True)) == {
        (layer, direction) for layer in (1, 2) for direction in ("forward", "backward")
    }


def test_a_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    first = trained(folder, range(5)).gradients()
    with pytest.raises(harness.HarnessError, match=r"has a record already; choose another folder, or .* start=u"):
        trained(folder, range(1))
    again = trained(folder, range(4, 7), start=4).gradients()
    assert again[again.module == "encoder"]["update"].tolist() == [0, 2, 4, 6]
    before = [frame[frame["update"] < 4].sort_values(["module", "update"]) for frame in (first, again)]
    for own, other in zip(before[0].log10_adjoint, before[1].log10_adjoint, strict=True):
        np.testing.assert_array_equal(own, other)


def test_a_folder_that_cannot_be_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(harness.HarnessError, match="no name of a study"):
        harness.watch(nn.RNN(D, H), to=tmp_path / "my folder")
    with pytest.raises(harness.HarnessError, match="expected an integer, 1 or more"):
        harness.watch(nn.RNN(D, H), every=0)


@pytest.mark.usefixtures("drawn_once")
def test_a_report_looks_where_the_study_lies_and_a_sweep_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "out" / "mine", range(3))
    monkeypatch.chdir(tmp_path)
    report(["out/mine/study.yaml", "--format", "png"])
    assert (tmp_path / "out" / "mine" / "report.html").exists()
    assert not (tmp_path / "results").exists()
    for options in ([], ["-n"]):
        with pytest.raises(harness.HarnessError, match=r"out/mine/study\.yaml: .*no sweep computes; .*harness\.report"):
            sweep(["out/mine/study.yaml", *options])
    with pytest.raises(harness.HarnessError, match=r"a watched training records them; give the study\.yaml in its"):
        report(["out/mine/study.yaml", "-o", "elsewhere"])


def test_a_folder_that_another_writes_to_is_refused_with_the_setting_of_a_watch(tmp_path: Path) -> None:
    first = harness.watch(nn.GRU(D, H), to=tmp_path / "mine")
    with pytest.raises(harness.HarnessError, match=r"another watch or sweep is writing here.*choose another, to=…"):
        harness.watch(nn.GRU(D, H), to=tmp_path / "mine")
    first.close()
