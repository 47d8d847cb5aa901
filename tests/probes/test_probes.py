"""Laws of every probe: any cell, any single recurrence, any pack; and the parameters are left alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from made_networks import normal
from probed import batch, network, probed, profiles
from study_texts import study_text
from torch import Tensor

from harness.cells import CELLS
from harness.errors import StudyError
from harness.probes import PROBES
from harness.registry import read
from harness.schema import PROFILES

PAGE = Path(__file__).parents[2] / "docs" / "probes.md"
SEEDS = (0, 1)


def assert_packs_change_nothing(probe: str, cell: str, state: tuple[Tensor, ...] | None = None, **settings) -> None:
    """A replica of a pack is measured as it is alone, and the parameters are left as they were."""
    model, parameters = network(cell, seeds=SEEDS, hidden_size=3, **settings)
    before = {name: p.clone() for name, p in parameters.items()}
    pack = probed(probe, model, parameters, batch(model, 3, SEEDS), state)
    for r, seed in enumerate(SEEDS):
        _, own = network(cell, seeds=(seed,), hidden_size=3, **settings)
        own_state = None if state is None else tuple(part[r : r + 1] for part in state)
        [alone] = probed(probe, model, own, batch(model, 3, (seed,)), own_state)
        assert pack[r].keys() == alone.keys()
        for quantity, (at, measured) in alone.items():
            assert at.shape == measured.shape
            assert not np.isnan(measured).any()
            np.testing.assert_array_equal(pack[r][quantity][1], measured)
    assert all(torch.equal(p, parameters[name]) for name, p in before.items())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("probe", PROBES)
def test_a_replica_is_measured_alike_alone_and_in_a_pack(probe: str, cell: str) -> None:
    assert_packs_change_nothing(probe, cell, task_sequence_length=6)


@pytest.mark.parametrize(
    ("task", "settings"),
    [("echo", {"task_series_length": 12, "task_lag": 2}), ("adding", {"task_sequence_length": 10})],
)
@pytest.mark.parametrize("probe", PROBES)
def test_a_replica_with_a_carried_state_is_measured_alike_alone_and_in_a_pack(probe: str, task: str, settings) -> None:
    state = (normal(1, 2, 3, 3), normal(2, 2, 3, 3))
    assert_packs_change_nothing(probe, "lstm", state, task=task, **settings)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probe", PROBES)
def test_measurements_are_in_float64_whatever_the_type_of_training(probe: str, dtype: torch.dtype) -> None:
    model, parameters = network("lstm", task_sequence_length=8, hidden_size=4)
    rounded = {name: p.float() for name, p in parameters.items()}
    data = batch(model, 3)
    [double] = probed(probe, model, {name: p.double() for name, p in rounded.items()}, data)
    [as_trained] = probed(probe, model, {name: p.to(dtype) for name, p in rounded.items()}, data)
    for quantity, (_, measured) in double.items():
        np.testing.assert_array_equal(as_trained[quantity][1], measured)


@pytest.mark.parametrize("probe", PROBES)
def test_rows_fit_the_table_and_quantities_are_documented(probe: str) -> None:
    model, parameters = network("lstm", task_sequence_length=6, hidden_size=3)
    [rows] = profiles(probe, model, parameters, batch(model, 3))
    columns = {column.name for column in PROFILES.columns} - {"run_id"}
    text = PAGE.read_text()
    for row in [profile.row(0) for profile in rows]:
        assert row.keys() == columns
        assert all(isinstance(value, float) and not math.isnan(value) for value in (*row["at"], *row["measured"]))
        quantity = str(row["quantity"])
        if probe == "jacobian_singular_values":
            quantity = quantity.removesuffix("_h_path").removesuffix("_c_path")
        if probe == "saturation":
            quantity = f"{quantity.rpartition('_')[0]}_·"
        if probe == "parameter_gradients":
            quantity = f"{quantity.partition(' of ')[0]} of ·"
        if probe == "unit_gradients":
            quantity = f"{quantity.rpartition(' ')[0]} ·"
        assert f"`{quantity}`" in text


def test_a_decoder_is_refused_where_the_study_is_read(study_file) -> None:
    text = study_text(task={"name": "dates"}, record={"probes": ["local_ratio"]})
    with pytest.raises(StudyError, match=r"record\.probes: probes follow one recurrence .*'dates' has a decoder"):
        read(study_file(text))
