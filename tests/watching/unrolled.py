"""What is recorded, by another way: the textbook equations in a loop, a sequence at a time, by autograd in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

Key = tuple[int, str, str]  # layer, direction, state


@dataclass
class Unrolled:
    """What the loop computes: of each sequence its outputs, of all the last states; and every state of every step."""

    outputs: list[Tensor]  # each (T_b, H·directions)
    h: Tensor  # (layers·directions, B, H)
    c: Tensor | None
    states: dict[Key, list[list[Tensor]]]  # of each sequence, in the direction's own order of time

    def levels(self, key: Key) -> np.ndarray:
        """log₁₀ mean_b ‖B·∂L/∂s_t‖ over the sequences that have a step, by the lag from each one's own end."""
        sequences = self.states[key]
        T, B = max(map(len, sequences)), len(sequences)
        levels = np.full(T, -np.inf)
        for lag in range(T):
            norms = [norm(own[len(own) - 1 - lag].grad) for own in sequences if len(own) > lag]
            with np.errstate(divide="ignore"):
                levels[T - 1 - lag] = np.log10(B * np.mean(norms))
        return levels


def norm(gradient: Tensor | None) -> float:
    """The length of a gradient whose squares may underflow."""
    if gradient is None or not gradient.any():
        return 0.0
    largest = gradient.abs().max()
    return float(largest * torch.linalg.vector_norm(gradient / largest))


def unrolled(
    module: nn.RNNBase,
    sequences: Sequence[Tensor],
    initial: Sequence[Tensor] = (),
    masks: Sequence[Sequence[Tensor]] = (),
) -> Unrolled:
    """Run a module's equations.

    Args:
        sequences: of each its rows (T_b, D).
        initial: h and c before the first step, (layers·directions, B, n); none: zeros.
        masks: of dropout after each layer but the last, for each sequence (T_b, H·directions).
    """
    directions = 2 if module.bidirectional else 1
    parts = ("h", "c") if module.mode == "LSTM" else ("h",)
    states: dict[Key, list[list[Tensor]]] = {}
    last: dict[str, list[list[Tensor]]] = {part: [] for part in parts}
    rows = list(sequences)
    for layer in range(module.num_layers):
        sides = []
        for side in range(directions):
            name = ("forward", "backward")[side]
            ends: dict[str, list[Tensor]] = {part: [] for part in parts}
            outputs = []
            for b, x in enumerate(rows):
                index = layer * directions + side
                widths = {"h": module.proj_size or module.hidden_size, "c": module.hidden_size}
                state = [initial[i][index, b] if initial else x.new_zeros(widths[part]) for i, part in enumerate(parts)]
                own: list[list[Tensor]] = []
                for row in x.flip(0) if side else x:
                    state = step(module, f"l{layer}{'_reverse' * side}", row, state)
                    for part in state:
                        part.retain_grad()
                    own.append(state)
                for i, part in enumerate(parts):
                    states.setdefault((layer + 1, name, part), []).append([s[i] for s in own])
                    ends[part].append(own[-1][i])
                h = torch.stack([s[0] for s in own])
                outputs.append(h.flip(0) if side else h)
            sides.append(outputs)
            for part in parts:
                last[part].append(ends[part])
        rows = [torch.cat(both, -1) for both in zip(*sides, strict=True)]
        if masks and layer < module.num_layers - 1:
            rows = [row * mask for row, mask in zip(rows, masks[layer], strict=True)]
    stacked = {part: torch.stack([torch.stack(each) for each in last[part]]) for part in parts}
    return Unrolled(rows, stacked["h"], stacked.get("c"), states)


def step(module: nn.RNNBase, end: str, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """One step: the equations in torch's documentation of nn.RNN, nn.LSTM and nn.GRU."""
    weights = dict(module.named_parameters())
    a = weights[f"weight_ih_{end}"] @ x
    b = weights[f"weight_hh_{end}"] @ state[0]
    if module.bias:
        a, b = a + weights[f"bias_ih_{end}"], b + weights[f"bias_hh_{end}"]
    if module.mode == "LSTM":
        i, f, g, o = (a + b).chunk(4)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return [weights[f"weight_hr_{end}"] @ h if module.proj_size else h, c]
    if module.mode == "GRU":
        (r_a, z_a, n_a), (r_b, z_b, n_b) = a.chunk(3), b.chunk(3)
        r, z = torch.sigmoid(r_a + r_b), torch.sigmoid(z_a + z_b)
        n = torch.tanh(n_a + r * n_b)
        return [(1 - z) * n + z * state[0]]
    phi: Callable[[Tensor], Tensor] = torch.tanh if module.mode == "RNN_TANH" else torch.relu
    return [phi(a + b)]
