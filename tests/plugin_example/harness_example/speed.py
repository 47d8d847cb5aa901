from collections.abc import Mapping

import numpy as np
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.recurrence.scan import scan
from harness.schema import Profile


def state_speed(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """‖h_t − h_{t−1}‖ at every step, mean over sequences: how fast the hidden state moves."""
    inputs = batch[0]
    start = state or model.start(parameters, *inputs.shape[1:3])
    h, _ = scan(model.cell, parameters, inputs, start, every_step=True)  # (T, R, B, H)
    speeds = (h[1:] - h[:-1]).norm(dim=-1).mean(dim=-1).cpu().numpy()  # (T−1, R)
    t = np.arange(2.0, len(h) + 1)
    return [[Profile("state_speed", "t", t, speeds[:, r])] for r in range(speeds.shape[1])]
