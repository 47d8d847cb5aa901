"""What dropout between a module's layers has dropped, drawn again from the generator's state before the call."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.watching.call_layout import CallLayout
from harness.watching.calls import ModuleCall


def masks(call: ModuleCall, layout: CallLayout, dtype: torch.dtype) -> list[Tensor | None]:
    """The masks after each layer but the last, (T, 1, B, H·directions), with entries 0 and 1/(1 − p).

    torch draws one Bernoulli number for each entry that goes from layer to layer, in the order of memory: time first,
    whatever the module's own layout, and of a packed sequence row by row.
    """
    layers, p = call.shape["num_layers"], call.shape["dropout"]
    if call.random_state is None:
        return [None] * (layers - 1)
    width = (call.shape["proj_size"] or call.shape["hidden_size"]) * (1 + call.shape["bidirectional"])
    generator = torch.Generator()
    generator.set_state(call.random_state)
    drawn: list[Tensor | None] = []
    for _ in range(layers - 1):
        if p == 1:  # torch draws nothing then
            scaled = call.output.new_zeros(*layout.inner(call.input), width, device="cpu")
        else:
            scaled = torch.empty(*layout.inner(call.input), width, dtype=call.output.dtype)
            scaled.bernoulli_(1 - p, generator=generator).div_(1 - p)
        drawn.append(layout.laid(scaled, dtype))
    return drawn
