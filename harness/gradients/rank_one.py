"""UORO: the influence as one random outer product s̃ θ̃ᵀ whose mean it is, at the cost of the network itself.

    s̃_t = ρ₀ ∂s_t/∂s_{t−1} s̃_{t−1} + ρ₁ ν,    θ̃_t = θ̃_{t−1}/ρ₀ + (νᵀ ∂⁺s_t/∂θ)/ρ₁

with independent signs ν ∈ {±1}ᴺ. E[s̃ θ̃ᵀ] = P for any positive ρ₀, ρ₁ that do not depend on ν_t; the variance is
least with

    ρ₀² = ‖θ̃_{t−1}‖/‖∂s_t/∂s_{t−1} s̃_{t−1}‖,    ρ₁² = ‖νᵀ ∂⁺s_t/∂θ‖/‖ν‖

where ρ₁ depends on ν by a norm that −ν has too, so that the mean stays: E over ν and −ν together.

Tallec & Ollivier 2018, "Unbiased online recurrent optimization".
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.gradients.transition import Transition, Values


class RankOne:
    """s̃ and θ̃ of one network along B sequences, each with signs of its own.

    Attributes:
        parts: θ̃ by parameter, (B, …), and s̃ (B, N) under the name that no parameter has, "".
        signs: ν_1, ν_2, … (T, B, N), ±1.
    """

    def __init__(self, transition: Transition, B: int, signs: Tensor) -> None:
        self.transition, self.signs, self.steps = transition, signs, 0
        N, like = sum(transition.cell.widths), next(iter(transition.parameters.values()))
        self.parts: Values = {name: p.new_zeros(B, *p.shape) for name, p in transition.parameters.items()}
        self.parts[""] = like.new_zeros(B, N)

    def step(self, s: Tensor, x: Tensor, counts: bool) -> Tensor:
        """Take s̃ and θ̃ over one step from s_{t−1} (B, N) on x_t (B, D); returns s_t. As `Influence.step`."""
        names = list(self.transition.parameters)
        pushed = self.transition.pushed(s, x, self.parts[""])
        if counts:
            ν = self.signs[self.steps].to(s)
            pulled = self.transition.pulled(s, x, ν)
            ρ0 = _ratio(_length([self.parts[name] for name in names]), _length([pushed]))
            ρ1 = _ratio(_length([pulled[name] for name in names]), _length([ν]))
            self.parts[""] = ρ0.unsqueeze(-1) * pushed + ρ1.unsqueeze(-1) * ν
            for name in names:
                old = self.parts[name]
                self.parts[name] = old / _like(ρ0, old) + pulled[name] / _like(ρ1, old)
        else:
            self.parts[""] = pushed
        self.steps += 1
        return self.transition.step(s, x)

    def credit(self, gradient: Tensor) -> Values:
        """(∂L_t/∂h_t · s̃_t) θ̃_t of each sequence by parameter, (B, …), of ∂L_t/∂h_t (B, H)."""
        weight = (gradient * self.parts[""][:, : gradient.shape[-1]]).sum(-1)
        return {name: _like(weight, self.parts[name]) * self.parts[name] for name in self.transition.parameters}


def _length(parts: list[Tensor]) -> Tensor:
    """‖·‖₂ of each sequence's numbers, (B,)."""
    return torch.stack([part.flatten(1).square().sum(1) for part in parts]).sum(0).sqrt()


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """√(a/b); 1 where one of them is zero: nothing is scaled by it then that is not zero itself."""
    usable = (above > 0) & (below > 0)
    return torch.where(usable, above / torch.where(usable, below, 1.0), 1.0).sqrt()


def _like(of_sequences: Tensor, like: Tensor) -> Tensor:
    return of_sequences.view(-1, *[1] * (like.dim() - 1))
