"""Initial weights as the lecture's notebooks draw them: torch's own stream, one model after the other."""

from __future__ import annotations

from harness.cells.cell import Cell
from harness.cells.initialisation import Weights
from harness.study.section import wrong

MODULES = {"rnn": "RNN", "lstm": "LSTM"}
NAMES = {"U": "weight_ih_l0", "W": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}


def check(init: str, biases: int) -> None:
    """Refuse `init: lecture` without the two bias vectors that torch's modules have.

    Raises:
        PydanticCustomError: the cell has one.
    """
    if init == "lecture" and biases != 2:
        raise wrong("init", "the lecture's own draw is that of an rnn or lstm with two biases and a readout")


def weights(cell: Cell, seed: int, *, input_size: int, output_size: int) -> Weights:
    """Parameters of a cell and its linear readout as torch.nn makes them after `torch.manual_seed(seed)`.

    The notebook makes the RNN and its readout first, then the LSTM and its readout, all from one stream: an LSTM's
    weights are what the stream holds after an RNN of the same width.
    """
    import torch

    H = cell.hidden_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, kind in MODULES.items():
            recurrent, readout = getattr(torch.nn, kind)(input_size, H), torch.nn.Linear(H, output_size)
            if name == cell.cell:
                break
    drawn = {ours: getattr(recurrent, theirs) for ours, theirs in NAMES.items()}
    drawn |= {"V": readout.weight, "b_y": readout.bias}
    return {name: value.detach().double().numpy() for name, value in drawn.items()}
