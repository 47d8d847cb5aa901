"""The influence of a unit's own parameters on that unit: SnAp-1, and RTRL where units do not act on each other.

A row of the parameters acts at once on one unit, but in a normalised recurrence, and where a cell multiplies a state
that the step has changed (`Cell.crossing`). SnAp-1 follows it there and nowhere else: for a parameter of unit u

    e_t = ∂s_t,u/∂s_{t−1},u e_{t−1} + ∂⁺s_t,u/∂θ

with s_u the numbers of the state that belong to the unit: h and c of an LSTM, both parts of a complex number. Then e
has as many numbers as θ has, times those of a unit, and a step costs what the network itself costs, times a constant.
Where ∂s_t/∂s_{t−1} has no entries between units this is RTRL itself; elsewhere it is biased.

Menick, Elsen, Evci, Osindero, Simonyan & Graves 2020, "A practical sparse approximation for real time recurrent
learning"; of diagonal recurrences Zucchet, Meier, Schug, Mujika & Sacramento 2023, "Online learning of
long-range dependencies".
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.gradients.transition import Transition, Values


class Local:
    """e of one network along B sequences.

    Attributes:
        partner: of each unit the other one that is the same number of the state, (H,): itself, unless numbers are
            complex.
        parts: e by parameter, (B, 2 or 1, k, …): on the unit itself, and on its partner if there are any.

    Raises:
        ValueError: a row of the cell's parameters acts at once on other units than its own.
    """

    def __init__(self, transition: Transition, B: int) -> None:
        self.transition, cell = transition, transition.cell
        if cell.crossing or cell.gains():
            raise ValueError(f"'{cell.cell}': a unit's own parameters act on all units at once, snap1 is not defined")
        H, like = cell.hidden_size, next(iter(transition.parameters.values()))
        self.partner = torch.as_tensor(cell.partners, device=like.device)
        units = torch.arange(H, device=like.device)
        self.paired = bool((self.partner != units).any())
        # No sum of derivatives may have two that hit one number: a unit and its partner are of two colours.
        first = units <= self.partner
        self.colours = (torch.stack([first, ~first]) if self.paired else first.unsqueeze(0)).to(like)
        shape = (B, 1 + self.paired, transition.parts)
        self.parts: Values = {name: p.new_zeros(*shape, *p.shape) for name, p in transition.parameters.items()}

    def step(self, s: Tensor, x: Tensor, counts: bool) -> Tensor:
        """Take e over one step from s_{t−1} (B, N) on x_t (B, D); returns s_t. As `Influence.step`."""
        by_state, by_parameters = self.transition.summed(s, x, self.colours)
        own, other = self._within_units(s, x, by_state)
        for name, e in self.parts.items():
            immediate = by_parameters[name].sum(1)  # (B, k, …)
            A = self._rows(own, e)  # (B, k, k, …): of s_t,k,u by s_{t−1},l,u
            if not self.paired:
                new = torch.einsum("bkl...,bl...->bk...", A, e[:, 0]).unsqueeze(1)
            else:
                C, partner = self._rows(other, e), self.partner
                A_there, C_there = self._rows(own[..., partner], e), self._rows(other[..., partner], e)
                on_unit = torch.einsum("bkl...,bl...->bk...", A, e[:, 0])
                on_unit = on_unit + torch.einsum("bkl...,bl...->bk...", C, e[:, 1])
                on_partner = torch.einsum("bkl...,bl...->bk...", A_there, e[:, 1])
                on_partner = on_partner + torch.einsum("bkl...,bl...->bk...", C_there, e[:, 0])
                new = torch.stack([on_unit, on_partner], 1)
            if counts:
                new[:, 0] += immediate
            self.parts[name] = new
        return self.transition.step(s, x)

    def credit(self, gradient: Tensor) -> Values:
        """∂L_t/∂h_t e_t of each sequence by parameter, (B, …), of ∂L_t/∂h_t (B, H)."""
        total = {}
        for name, e in self.parts.items():
            credit = self._rows(gradient, e) * e[:, 0, 0]
            if self.paired:
                credit = credit + self._rows(gradient[..., self.partner], e) * e[:, 1, 0]
            total[name] = credit
        return total

    def _within_units(self, s: Tensor, x: Tensor, by_state: Tensor) -> tuple[Tensor, Tensor]:
        """∂s_t,k,u/∂s_{t−1},l,u, and the same by the unit's partner, (B, k, k, H) each."""
        k, H = self.transition.parts, self.transition.cell.hidden_size
        if not self.transition.cell.diagonal:
            J = self.transition.state_jacobian(s, x).view(len(s), k, H, k, H)
            own = J.diagonal(dim1=2, dim2=4)
            return own, torch.zeros_like(own)
        sums = by_state.view(len(s), -1, k, k, H)  # (B, C, k, k, H)
        own = (sums * self.colours[:, None, None]).sum(1)
        if not self.paired:
            return own, torch.zeros_like(own)
        there = (sums * (1 - self.colours)[:, None, None]).sum(1)  # at w: ∂s_t,partner(w)/∂s_{t−1},w
        alone = self.partner == torch.arange(H, device=s.device)
        return own, there[..., self.partner].masked_fill(alone, 0.0)

    def _rows(self, of_units: Tensor, e: Tensor) -> Tensor:
        """Numbers of the units (…, H) as numbers of a parameter's rows, so that they multiply e (B, ·, k, rows, …)."""
        H = of_units.shape[-1]
        repeated = of_units.repeat(*[1] * (of_units.dim() - 1), e.shape[3] // H)
        return repeated.view(*repeated.shape, *[1] * (e.dim() - 4))
