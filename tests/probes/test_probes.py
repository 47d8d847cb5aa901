"""What holds of every probe: any cell, any single recurrence, any pack; and the parameters are left alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from probed import batch, network, probed

from harness.cells import CELLS
from harness.errors import StudyError
from harness.probes import PROBES
from harness.registry import read
from harness.schema import PROFILES

PAGE = Path(__file__).parents[2] / "docs" / "probes.md"
SEEDS = (0, 1)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("probe", PROBES)
def test_a_replica_says_the_same_alone_and_in_a_pack(probe: str, cell: str) -> None:
    model, parameters = network(cell, seeds=SEEDS, task_sequence_length=6, hidden_size=3)
    kept = {name: p.clone() for name, p in parameters.items()}
    packed = probed(probe, model, parameters, batch(model, 3, SEEDS))
    for r, seed in enumerate(SEEDS):
        _, own = network(cell, seeds=(seed,), task_sequence_length=6, hidden_size=3)
        [alone] = probed(probe, model, own, batch(model, 3, (seed,)))
        assert packed[r].keys() == alone.keys()
        for quantity, (at, measured) in alone.items():
            assert at.shape == measured.shape
            np.testing.assert_array_equal(packed[r][quantity][1], measured)
    assert all(torch.equal(p, parameters[name]) for name, p in kept.items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probe", PROBES)
def test_what_is_measured_is_in_float64_whatever_was_trained_in(probe: str, dtype: torch.dtype) -> None:
    model, parameters = network("lstm", task_sequence_length=8, hidden_size=4)
    rounded = {name: p.float() for name, p in parameters.items()}
    data = batch(model, 3)
    [wide] = probed(probe, model, {name: p.double() for name, p in rounded.items()}, data)
    [found] = probed(probe, model, {name: p.to(dtype) for name, p in rounded.items()}, data)
    for quantity, (_, measured) in wide.items():
        np.testing.assert_array_equal(found[quantity][1], measured)


@pytest.mark.parametrize(
    ("task", "settings"),
    [("echo", {"task_series_length": 12, "task_lag": 2}), ("adding", {"task_sequence_length": 10})],
)
@pytest.mark.parametrize("probe", PROBES)
def test_any_single_recurrence_can_be_probed(probe: str, task: str, settings: dict[str, int]) -> None:
    model, parameters = network("lstm", task=task, hidden_size=4, **settings)
    data = batch(model, 3)
    state = tuple(torch.full((1, 3, 4), 0.1, dtype=torch.float64) for _ in range(2))
    [found] = probed(probe, model, parameters, data, state)
    assert found
    assert not any(np.isnan(measured).any() for _, measured in found.values())


@pytest.mark.parametrize("probe", PROBES)
def test_every_row_is_one_of_the_table(probe: str) -> None:
    from harness.probes.profiles import profiles_of

    model, parameters = network("lstm", task_sequence_length=6, hidden_size=3)
    [rows] = profiles_of([probe], model, parameters, batch(model, 3), None)
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
        assert f"`{quantity}`" in text


STUDY = """\
name: probed
claim: Nothing is asked.
task: {name: dates}
model: {cell: lstm, hidden_size: 5}
training: {max_updates: 1}
record: {probes: [local_ratio]}
seeds: 1
"""


def test_a_decoder_is_refused_where_the_study_is_read(tmp_path: Path) -> None:
    path = tmp_path / "probed.yaml"
    path.write_text(STUDY)
    with pytest.raises(StudyError, match=r"record\.probes: probes follow one recurrence .*'dates' has a decoder"):
        read(path)
