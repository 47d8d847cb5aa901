"""Gradients with a power of two of each sequence's own.

Far from the loss a gradient is smaller than any float32, and often than any float64. It is carried as values times
2^exponent, one exponent a sequence and step; powers of two are exact, so scaling changes no digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scaled:
    """values·2^exponents: values (…, B, n), exponents (…, B), whole numbers."""

    values: Tensor
    exponents: Tensor

    @classmethod
    def plain(cls, values: Tensor) -> Scaled:
        """Values as they are, with exponents of zero."""
        return cls(values, torch.zeros(values.shape[:-1], dtype=torch.int32, device=values.device))

    def unscaled(self) -> Tensor:
        """The numbers themselves; zero or subnormal where they are below the range."""
        return times_two_to(self.exponents, self.values)

    def __add__(self, other: Scaled) -> Scaled:
        """The sum, at the scale of the larger summand of each sequence."""
        sizes = [_exponent(each.values.abs().amax(-1)) + each.exponents for each in (self, other)]
        scale = torch.maximum(*sizes)
        scale = torch.where(torch.isfinite(scale), scale, 0.0).to(self.exponents.dtype)
        return Scaled(self.moved_to(scale) + other.moved_to(scale), scale)

    def moved_to(self, scale: Tensor) -> Tensor:
        """The values at another scale, not below their own; zeros, which have none, stay what they are."""
        shift = torch.where(self.values.abs().amax(-1) > 0, self.exponents - scale, 0)
        return times_two_to(shift, self.values)


def rescaled(parts: Sequence[Tensor], exponents: Tensor) -> tuple[list[Tensor], Tensor]:
    """Each sequence's parts brought to a largest entry in [½, 1), the power of two moved into its exponent."""
    shift = _exponent(largest(parts))
    shift = torch.where(torch.isfinite(shift), shift, 0.0).to(exponents.dtype)
    return [times_two_to(-shift, part) for part in parts], exponents + shift


def times_two_to(exponents: Tensor, part: Tensor) -> Tensor:
    """part·2^e with e (…, B), half of e at a time: torch makes 2^e in e's own type, and float32 ends at 2¹²⁷."""
    e = exponents.unsqueeze(-1).to(part.dtype)
    half = (e / 2).floor()
    return torch.ldexp(torch.ldexp(part, half), e - half)


def largest(parts: Sequence[Tensor]) -> Tensor:
    """The largest |entry| of each sequence over all parts, (…, B)."""
    return torch.stack([part.abs().amax(-1) for part in parts]).amax(0)


def _exponent(size: Tensor) -> Tensor:
    """e with 2^(e−1) ≤ x < 2^e; −inf for zero; 0 for what is not finite, which no scale would help."""
    exponent = torch.frexp(size).exponent.to(torch.get_default_dtype())
    return torch.where(size > 0, torch.where(torch.isfinite(size), exponent, 0.0), -torch.inf)
