"""Networks from factories whose numbers are pinned (pinned_runs.py)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """A recurrence of torch.nn with dropout behind it, and a linear map of its last state where logits are expected."""

    def __init__(self, D: int, H: int, C: int | None) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(D, H)
        self.readout = None if C is None else nn.Linear(H, C)

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.dropout(self.recurrent(x)[0], 0.2, self.training)
        answer: Tensor = h if self.readout is None else self.readout(h[-1])
        return answer


def states(*, input_size: int, output_size: int, length: int, units: int = 4) -> nn.Module:
    return Network(input_size, units, None).to(torch.float64)


def logits(*, input_size: int, output_size: int, length: int, units: int = 4) -> nn.Module:
    return Network(input_size, units, output_size).to(torch.float64)
