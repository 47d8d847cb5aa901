"""Factories of networks for the studies beside this file (docs/module.md)."""

from __future__ import annotations

from torch import Tensor, nn


class States(nn.Module):
    """The states of a recurrent module of torch.nn at every step, (T, B, D) → (T, B, H)."""

    def __init__(self, recurrent: nn.RNNBase) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.recurrent(x)[0]
        return states


def lstm(
    *,
    input_size: int,
    output_size: int,
    length: int,
    hidden_size: int = 32,
    layers: int = 2,
    dropout: float = 0.1,
    forget_bias: float | None = None,
) -> nn.Module:
    """nn.LSTM as torch starts it; with `forget_bias` its forget gates begin with that bias, in all layers."""
    recurrent = nn.LSTM(input_size, hidden_size, layers, dropout=dropout)
    if forget_bias is not None:
        for layer in range(layers):
            # torch's order of gates is i, f, g, o; of its two biases one has the whole value
            getattr(recurrent, f"bias_ih_l{layer}").data[hidden_size : 2 * hidden_size] = forget_bias
            getattr(recurrent, f"bias_hh_l{layer}").data[hidden_size : 2 * hidden_size] = 0.0
    return States(recurrent)
