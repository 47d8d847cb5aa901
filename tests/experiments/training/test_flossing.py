"""The exponents that gradient flossing acts on are those of exact Jacobians, for every cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.cells import CELLS
from harness.experiments.training.penalties import lyapunov_exponents
from harness.models.sequence_to_vector import SequenceToVector
from harness.probes import benettin
from harness.probes.lyapunov import lyapunov_spectrum
from harness.probes.trajectory import trajectories
from harness.rng import generator
from harness.tasks import TASKS

H, T = 5, 24
TASK = TASKS["temporal_order"](name="temporal_order", sequence_length=T)
RECURRENT = [name for name, cell in CELLS.items() if cell.recurs and cell.carries_h]
SETTINGS = {
    "skip": {"skip": 3},  # a state of d parts: three are as good as ten
    "gated_skip": {"skip": 3},
    "indrnn": {"nonlinearity": "tanh"},  # a relu unit that is off removes a direction
}


def network(name: str):
    """A model with one replica's parameters in float64, and a batch of one sequence."""
    cell = CELLS[name](cell=name, hidden_size=H, **SETTINGS.get(name, {}))
    model = SequenceToVector(TASK, cell, None, "torch")
    parameters = {key: torch.as_tensor(value)[None] for key, value in model.initialise(cell, 3).items()}
    batch = TASK.batch(0, "train", 0, 1)
    return model, parameters, (torch.as_tensor(batch.inputs)[:, None], torch.as_tensor(batch.targets)[None])


@pytest.mark.parametrize("name", RECURRENT)
def test_exponents_are_those_of_exact_jacobians_in_the_same_frame(name: str) -> None:
    model, parameters, batch = network(name)
    N, count = H * len(model.cell.states), 3
    frame = np.linalg.qr(generator(1, "frame").standard_normal((N, count)))[0]
    [exact] = trajectories(model, parameters, batch, None)
    expected = benettin.lyapunov_exponents(lambda t, Q: exact.jacobian(t) @ Q, frame[None], T)
    start = model.start(parameters, 1, 1)
    measured = lyapunov_exponents(model.cell, parameters, batch[0], start, count, torch.as_tensor(frame))
    np.testing.assert_allclose(measured.detach().numpy(), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [name for name in RECURRENT if name not in ("skip", "gated_skip", "slstm")])
def test_the_whole_spectrum_is_that_of_the_probe(name: str) -> None:
    """A delay line (skip) removes directions, whose exponents are −∞ in the probe and stop the penalty; so does a
    state of which nothing is read (h of an sLSTM that starts without recurrent weights).
    """
    model, parameters, batch = network(name)
    N = H * len(model.cell.states)
    [[profile]] = lyapunov_spectrum(model, parameters, batch, None)
    start = model.start(parameters, 1, 1)
    measured = lyapunov_exponents(model.cell, parameters, batch[0], start, N, torch.eye(N, dtype=torch.float64))
    np.testing.assert_allclose(np.sort(measured.detach().numpy()[0])[::-1], profile.measured, rtol=1e-8, atol=1e-10)
