"""One step of a cell as a function of the state and the parameters, s_t = F(s_{t−1}, θ, x_t), and its derivatives.

A state is one vector here: its parts one after another, N = k·H numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import jacrev, vjp, vmap

from harness.cells.cell import Cell

Values = dict[str, Tensor]


@dataclass(frozen=True)
class Transition:
    """F of one cell at given parameters.

    Attributes:
        cell: its equations.
        parameters: those that F reads and one derives by, as the equations use them (`Cell.parametrize`), without a
            replica axis.
        constants: the others that F reads.
    """

    cell: Cell
    parameters: Values
    constants: Values

    @classmethod
    def of(cls, cell: Cell, used: Mapping[str, Tensor], constants: Collection[str], D: int) -> Transition:
        """F with those of the parameters (1, …) that it depends on.

        Args:
            used: by name, as the equations use them.
            constants: names of those that one does not derive by.
            D: width of a row.
        """
        leaves = {name: p.detach().clone().requires_grad_() for name, p in used.items()}
        like = next(iter(leaves.values()))
        with torch.enable_grad():
            state = tuple(like.new_zeros(1, 1, H) for H in cell.widths)
            z = like.new_zeros(1, 1, D) @ leaves["U"].mT + leaves["b_x"].unsqueeze(1)
            total = sum(part.sum() for part in cell.step(leaves, state, z))
            gradients = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)  # type: ignore[arg-type]
        read = [name for name, gradient in zip(leaves, gradients, strict=True) if gradient is not None]
        own = {name: used[name].detach()[0] for name in read}
        return cls(
            cell,
            {name: p for name, p in own.items() if name not in constants},
            {name: p for name, p in own.items() if name in constants},
        )

    @property
    def parts(self) -> int:
        """k, the number of parts of the state."""
        return len(self.cell.widths)

    def __call__(self, parameters: Mapping[str, Tensor], s: Tensor, x: Tensor) -> Tensor:
        """F: state (N,) and row (D,) → state (N,)."""
        parameters = {**self.constants, **parameters}
        z = parameters["U"] @ x + parameters["b_x"]
        state = tuple(part.view(1, 1, -1) for part in torch.split(s, list(self.cell.widths)))
        new = self.cell.step({name: p.unsqueeze(0) for name, p in parameters.items()}, state, z.view(1, 1, -1))
        return torch.cat([part.flatten() for part in new])

    def step(self, s: Tensor, x: Tensor) -> Tensor:
        """F of each sequence: (B, N), (B, D) → (B, N)."""
        new: Tensor = self._each(self.__call__, s, x)
        return new

    def jacobians(self, s: Tensor, x: Tensor) -> tuple[Tensor, Values]:
        """∂s_t/∂s_{t−1} (B, N, N), and the immediate ∂⁺s_t/∂θ by name, (B, N, …)."""
        immediate, J = self._each(jacrev(self.__call__, argnums=(0, 1)), s, x)
        return J, immediate

    def state_jacobian(self, s: Tensor, x: Tensor) -> Tensor:
        """∂s_t/∂s_{t−1} alone, (B, N, N)."""
        J: Tensor = self._each(jacrev(self.__call__, argnums=1), s, x)
        return J

    def summed(self, s: Tensor, x: Tensor, masks: Tensor) -> tuple[Tensor, Values]:
        """Derivatives of masked sums over the units of each part of s_t, Σ_u m_u s_t,k,u.

        Args:
            masks: (C, H), one for each of C sums.

        Returns:
            those by s_{t−1} (B, C, k, N), and by θ, (B, C, k, …).
        """

        def sums(parameters: Values, s: Tensor, x: Tensor) -> Tensor:
            return masks @ self(parameters, s, x).view(self.parts, -1).mT

        by_parameters, by_state = self._each(jacrev(sums, argnums=(0, 1)), s, x)
        return by_state, by_parameters

    def pushed(self, s: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """∂s_t/∂s_{t−1} v of tangents (B, N)."""

        def push(parameters: Values, s: Tensor, x: Tensor, v: Tensor) -> Tensor:
            pull = vjp(lambda s: self(parameters, s, x), s)[1]  # u → uᵀ J, linear in u: its own transpose is J
            tangent: Tensor = vjp(lambda u: pull(u)[0], torch.zeros_like(s))[1](v)[0]
            return tangent

        tangents: Tensor = self._each(push, s, x, v)
        return tangents

    def pulled(self, s: Tensor, x: Tensor, v: Tensor) -> Values:
        """vᵀ ∂⁺s_t/∂θ by name, (B, …), of cotangents (B, N)."""

        def pull(parameters: Values, s: Tensor, x: Tensor, v: Tensor) -> Values:
            own: Values = vjp(lambda parameters: self(parameters, s, x), parameters)[1](v)[0]
            return own

        pulled: Values = self._each(pull, s, x, v)
        return pulled

    def _each(self, function: Callable[..., Any], *rows: Tensor) -> Any:
        """A function of (parameters, *row) of each sequence."""
        with torch.no_grad():
            return vmap(function, in_dims=(None, *[0] * len(rows)))(self.parameters, *rows)
