"""Figures of a watch show every record, also where sequences differ in length, and refuse what they cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import harness
from harness.report.__main__ import main as report

B, D, H = 3, 2, 4


def watched(lengths: tuple[int, ...], to: Path | None = None) -> Any:
    torch.manual_seed(0)
    module = nn.GRU(D, H)
    watch = harness.watch(module, to=to)
    for T in lengths:
        module(torch.randn(T, B, D))[0][-1].sum().backward()
        watch.step()
    watch.close()
    return watch


def drawn(figure: Any) -> np.ndarray:
    """The map of the first panel: rows are updates."""
    return np.ma.filled(figure.axes[0].images[1].get_array(), np.nan)


@pytest.mark.parametrize("lengths", [(6, 6, 6, 6), (6, 3, 5)], ids=["one length", "several lengths"])
def test_every_record_is_a_row_of_the_heat_map(lengths: tuple[int, ...], tmp_path: Path) -> None:
    watch = watched(lengths, tmp_path / "mine")
    for figure in (watch.figure("heatmap"), harness.load(tmp_path / "mine").figure("heatmap")):
        entries = drawn(figure)
        assert entries.shape == (len(lengths), max(lengths))
        for update, row in enumerate(entries):
            own = watch.frame[watch.frame["update"] == update].log10_adjoint.to_numpy()
            np.testing.assert_allclose(row[-len(own) :], own, rtol=0, atol=1e-6)
            assert np.isnan(row[: -len(own)]).all()
        ragged = len(set(lengths)) > 1
        assert [text.get_text() for text in figure.axes[0].get_xticklabels()][:: 1 - 2 * ragged][0] == "15"[ragged]
        assert ("lag" in figure.axes[0].get_xlabel()) == ragged
    report([str(tmp_path / "mine" / "study.yaml"), "-o", str(tmp_path), "--format", "png"])
    assert (tmp_path / "mine" / "figures" / "heatmap.png").exists()


@pytest.mark.parametrize(
    ("kind", "settings", "match"),
    [
        ("decay", {"update": "frist"}, "update: .*'first' or 'last', not 'frist'"),
        ("heatmap", {"y": "updat"}, "y: no choice 'updat'; did you mean 'update'"),
        ("heatmap", {"path": "c"}, r"path: no choice 'c'; there are \(cell, hidden\)"),
        ("heatmap", {"col": "modul"}, "col: no column 'modul'; did you mean 'module'"),
        ("decay", {"hue": 1}, "hue: no column '1'; there are"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_what_can(kind: str, settings: Any, match: str) -> None:
    watch = watched((4,))
    with pytest.raises(harness.HarnessError, match=f"figure '{kind}': {match}"):
        watch.figure(kind, **settings)


def test_layers_at_one_update() -> None:
    watch = watched((4, 4, 4))
    for update, row in ((None, 0), ("last", 2), (1, 1)):
        settings = {} if update is None else {"update": update}
        own = watch.frame[watch.frame["update"] == row].log10_adjoint
        np.testing.assert_allclose(drawn(watch.figure("heatmap", y="layer", **settings))[0], own, rtol=0, atol=1e-6)
