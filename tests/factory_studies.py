"""A study beside the source of its factory, as somebody would write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from study_texts import study_text

SOURCE = '''\
"""Networks of a study, for tests."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class States(nn.Module):
    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x):
        return self.recurrent(x)[0]


class Packed(States):
    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.recurrent(packed)[0], total_length=len(x))[0]


class Normalised(nn.Module):
    """Buffers, dropout of its own, and a frozen scale."""

    def __init__(self, D, H):
        super().__init__()
        self.norm = nn.BatchNorm1d(D)
        self.recurrent = nn.GRU(D, H)
        self.scale = nn.Parameter(torch.ones(H), requires_grad=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        if self.training:
            self.calls = self.calls + 1
        y = self.recurrent(self.norm(x.flatten(0, 1)).view_as(x))[0]
        return self.scale * nn.functional.dropout(y, 0.3, self.training)


class Classifier(nn.Module):
    def __init__(self, D, C, H, every_step):
        super().__init__()
        self.recurrent, self.readout, self.every_step = nn.RNN(D, H), nn.Linear(H, C), every_step

    def forward(self, x):
        h = self.recurrent(x)[0]
        return self.readout(h if self.every_step else h[-1])


class Tied(nn.Module):
    """One weight under two names, and steps that are computed again on the way back."""

    def __init__(self, D, H, again):
        super().__init__()
        self.inward, self.first, self.second, self.again = nn.Linear(D, H), nn.Linear(H, H), nn.Linear(H, H), again
        self.second.weight = self.first.weight

    def middle(self, h):
        return torch.tanh(self.second(torch.tanh(self.first(h))))

    def forward(self, x):
        h = torch.tanh(self.inward(x)).cumsum(0)
        return checkpoint(self.middle, h, use_reentrant=False) if self.again else self.middle(h)


def lstm(input_size, output_size, length, hidden_size=7, layers=1, dropout=0.0):
    return States(nn.LSTM(input_size, hidden_size, layers, dropout=dropout))


def packed(input_size, output_size, length, layers=1):
    return Packed(nn.LSTM(input_size, 7, layers))


def both_ways(input_size, output_size, length, hidden_size=7):
    first = nn.LSTM(input_size, hidden_size, bidirectional=True)
    return nn.Sequential(States(first), States(nn.GRU(2 * hidden_size, 5)))


def normalised(input_size, output_size, length, hidden_size=7):
    return Normalised(input_size, hidden_size)


def classifier(input_size, output_size, length, hidden_size=7, every_step=False):
    return Classifier(input_size, output_size, hidden_size, every_step)


def tied(input_size, output_size, length, again=False):
    return Tied(input_size, 6, again)


def linear(input_size, output_size, length):
    return nn.Linear(input_size, 5)


def scalar(input_size, output_size, length):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.size = nn.Parameter(torch.tensor(1.0))

        def forward(self, x):
            return self.size * x.cumsum(0)

    return Scaled()
'''
Writer = Callable[..., Path]


def module_study(
    folder: Path,
    function: str = "lstm",
    settings: Mapping[str, Any] | None = None,
    source: str = SOURCE,
    **sections: Any,
) -> Path:
    """Writes own_networks.py and a study that trains one of its factories; returns the study's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own_networks.py").write_text(source)
    output = sections.pop("output", None)
    of_model = {"cell": "module", "factory": f"own_networks:{function}", "settings": dict(settings or {})}
    of_model |= {"output": output} if output else {}
    sections.setdefault("model", None)
    study = folder / "own.yaml"
    text = study_text(**{**sections, "model": None})
    study.write_text(text + (sections["model"] or f"model: {flow_model(of_model)}\n"))
    return study


def flow_model(model: Mapping[str, Any]) -> str:
    """The section in YAML's flow style."""
    from study_texts import flow

    return flow(model)
