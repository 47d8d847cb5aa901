"""Adjoint norms, written down while a backward pass goes through a recurrence.

The adjoint of h_t is ∂L/∂h_t, total: through every path from h_t to the loss. Far from the loss it is smaller than any
float32, and often than any float64, so the pass carries it scaled: a float with a power of two of its own per sequence.
Powers of two are exact, so scaling changes no digit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log10

import numpy as np
import torch
from torch import Tensor

from harness.schema import Array

State = tuple[Tensor, ...]


@dataclass
class AdjointRecorder:
    """What one backward pass wrote down; arrays are (T, R), entry [t−1, r] is log₁₀ mean_b ‖B·∂L/∂·_t‖₂.

    A model of several recurrences (encoder and decoder) gives each a part of the recorder, in the order of time.

    Args:
        sequences: of how many the adjoint is written unit by unit too, on the torch engine in float64: `log10_units`,
            (T, R, H), is log₁₀ mean_b |B·∂L/∂h_t,b,i| over the first so many.
    """

    log10_adjoint: Array | None = None
    log10_immediate: Array | None = None
    log10_adjoint_cell: Array | None = None
    parts: list[AdjointRecorder] = field(default_factory=list)
    sequences: int = 0
    log10_units: Array | None = None

    def part(self) -> AdjointRecorder:
        """A recorder for the next recurrence."""
        self.parts.append(AdjointRecorder(sequences=self.sequences))
        return self.parts[-1]

    def rows(self) -> list[dict[str, Array | None]]:
        """What was written, one mapping a replica, parts joined in the order of time.

        Raises:
            ValueError: no backward pass has filled it.
        """
        read = self.parts or [self]
        names = ("log10_adjoint", "log10_immediate", "log10_adjoint_cell")
        written: dict[str, list[Array]] = {}
        for name in names:
            arrays = [getattr(recorder, name) for recorder in read]
            written[name] = [array for array in arrays if array is not None]
        if len(written[names[0]]) < len(read):
            raise ValueError("no backward pass has filled this recorder")
        joined = {name: np.concatenate(arrays) if arrays else None for name, arrays in written.items()}
        replicas = written[names[0]][0].shape[1]
        return [
            {name: None if array is None else array[:, r] for name, array in joined.items()} for r in range(replicas)
        ]


def log10_mean_norm(gradients: Tensor, exponents: Tensor | None = None) -> Array:
    """log₁₀ mean_b ‖B·g_b·2^e_b‖₂ of gradients (…, B, H) and exponents (…, B): shape (…).

    B cancels the 1/B of a batch-mean loss: the result is the mean over sequences of the norm of each sequence's own
    gradient. A true zero is −inf; NaN and inf stay what they are.
    """
    norms = torch.linalg.vector_norm(gradients.cpu().double(), dim=-1).numpy()  # (…, B)
    return log10_mean(norms, None if exponents is None else exponents.cpu().numpy())


def log10_mean(norms: Array, exponents: Array | None) -> Array:
    """log₁₀ Σ_b norms_b·2^e_b over the last axis: the sum of a mean loss' gradients is the mean of B times each."""
    with np.errstate(divide="ignore"):
        if exponents is None:
            return np.asarray(np.log10(norms.sum(-1)))
        counts = np.where(norms > 0, exponents.astype(np.float64), -np.inf)
        top = counts.max(-1)  # the largest exponent in use; the others are summed relative to it
        top = np.where(np.isfinite(top), top, 0.0)
        relative = np.where(norms > 0, counts - top[..., None], 0.0)  # 0 · 2^∞ of a sequence without a gradient is NaN
        return np.asarray(np.log10((norms * np.exp2(relative)).sum(-1)) + top * log10(2))


def immediate_norms(gradient: Tensor, T: int, window: int) -> Array:
    """log₁₀ mean_b ‖B·∂⁺L/∂h_t‖₂ as (T, R), from the gradient of h_T (R, B, H) or of h_1 … h_T (T, R, B, H)."""
    steps = gradient if gradient.dim() == 4 else gradient.unsqueeze(0)
    norms = np.full((T, steps.shape[1]), -np.inf)
    last = steps[-window:]
    norms[T - len(last) :] = log10_mean_norm(last)
    return norms


def replay(
    step: Callable[[State, int], State],
    states: Sequence[State],
    immediate: Callable[[int], Tensor | None],
    *,
    window: int,
    final: Sequence[Tensor | None] = (),
) -> tuple[Array, Array | None]:
    """Go backwards through a recurrence one step at a time, with scaled adjoints: a_{t−1} = J_tᵀ a_t + ∂⁺L/∂h_{t−1}.

    Args:
        step: (state at t−1, t) → state at t, differentiable in the state; t counts from 1.
        states: the T+1 states from t = 0, each a tuple of (R, B, H).
        immediate: t → ∂⁺L/∂h_t (R, B, H), or None where the loss does not see h_t directly.
        window: only t = T−K+1 … T are visited; the others are exact zeros.
        final: gradients of the last state's other parts (c_T), if the loss sees them.

    Returns:
        log10_adjoint (T, R), and log10_adjoint_cell (T, R) where the state has a second part.
    """
    T, parts = len(states) - 1, len(states[0])
    R, B, _ = states[0][0].shape
    written = [np.full((T, R), -np.inf) for _ in range(parts)]
    carried = [torch.zeros_like(part) for part in states[0]]
    for part, gradient in enumerate(final, start=1):
        if gradient is not None:
            carried[part] = gradient
    exponents = torch.zeros(R, B, device=carried[0].device)
    # One step at a time, each a graph of its own, so that the adjoint can be rescaled between them: unscaled, that of a
    # linear network with ρ = .6 is below the smallest float32 (1.4e-45) after 203 steps.
    for t in range(T, max(T - window, 0), -1):
        now = immediate(t)
        if now is not None:
            carried, exponents = _add(carried, exponents, now)
        with torch.enable_grad():
            previous = tuple(part.detach().requires_grad_() for part in states[t - 1])
            following = step(previous, t)
            # h_t is a function of c_t: c's total adjoint is what came from t+1 plus what comes through h_t
            totals = _totals(following, carried) if parts > 1 else list(carried)
        for part, total in enumerate(totals):
            written[part][t - 1] = log10_mean_norm(total, exponents)
        # Back through the step, then rescale to entries in [½, 1): only a factor of 2¹²⁶ in one step could underflow.
        gradients = torch.autograd.grad(following, previous, carried, allow_unused=True)
        carried = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, previous, strict=True)]
        carried, exponents = _rescaled(carried, exponents)
    return written[0], written[1] if parts > 1 else None


def _totals(following: State, carried: Sequence[Tensor]) -> list[Tensor]:
    """Total adjoints of (h_t, c_t, …): the later parts also act through h_t, which was computed from them."""
    h, *others = following
    through = torch.autograd.grad(h, others, carried[0], retain_graph=True, allow_unused=True)
    rest = [a if g is None else a + g for a, g in zip(carried[1:], through, strict=True)]
    return [carried[0], *rest]


def _rescaled(parts: list[Tensor], exponents: Tensor) -> tuple[list[Tensor], Tensor]:
    """Each sequence's adjoint brought to a largest entry in [½, 1), the power of two moved into its exponent."""
    shift = _exponent(_largest(parts))
    shift = torch.where(torch.isfinite(shift), shift, 0.0)
    return [_times_two_to(-shift, part) for part in parts], exponents + shift


def _add(parts: list[Tensor], exponents: Tensor, gradient: Tensor) -> tuple[list[Tensor], Tensor]:
    """An unscaled gradient added to the first part, at the larger of the two scales; a zero has no scale."""
    own = _exponent(gradient.abs().amax(-1))
    carried = torch.where(_largest(parts) > 0, exponents, -torch.inf)
    scale = torch.maximum(own, carried)
    scale = torch.where(torch.isfinite(scale), scale, 0.0)
    moved = [_times_two_to(exponents - scale, part) for part in parts]
    moved[0] = moved[0] + _times_two_to(-scale, gradient)
    return moved, scale


def _times_two_to(exponents: Tensor, part: Tensor) -> Tensor:
    """part·2^e with e (R, B), half of e at a time: torch makes 2^e in e's own type, and float32 ends at 2¹²⁷."""
    e = exponents.unsqueeze(-1).to(part.dtype)
    half = (e / 2).floor()
    return torch.ldexp(torch.ldexp(part, half), e - half)


def _largest(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack([part.abs().amax(-1) for part in parts]).amax(0)  # (R, B)


def _exponent(largest: Tensor) -> Tensor:
    """e with 2^(e−1) ≤ x < 2^e; −inf for zero; 0 for what is not finite, which no scale would help."""
    exponent = torch.frexp(largest).exponent.to(torch.get_default_dtype())
    return torch.where(largest > 0, torch.where(torch.isfinite(largest), exponent, 0.0), -torch.inf)
