"""Adjoint norms, written down while a backward pass goes through a recurrence.

The adjoint of h_t is ∂L/∂h_t, total: through every path from h_t to the loss. Far from the loss it is smaller than any
float32, and often than any float64, so the pass carries it scaled (scaled.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log10
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.recurrence.batch_levels import log10_norms, over_batch
from harness.recurrence.scaled import Scaled, largest, rescaled
from harness.schema import STEP_COLUMNS, Array

State = tuple[Tensor, ...]


@dataclass
class AdjointRecorder:
    """What one backward pass wrote down; arrays are (T, R), entry [t−1, r] is log₁₀ mean_b ‖B·∂L/∂·_t‖₂.

    `present` (T, R, B) says which sequences have a step, where they have lengths of their own: statistics over the
    batch are over those. `log10_norms` and `log10_norms_cell` (T, R, B) are log₁₀ ‖∂L/∂·_t‖₂ of each sequence.

    Its own arrays are those of the first layer's forward direction; `layer` has those of others. A model of several
    recurrences in turn (encoder and decoder) gives each a part of the recorder, in the order of time.

    Args:
        sequences: of how many the adjoint is written unit by unit too, on the torch engine in float64: `log10_units`,
            (T, R, H), is log₁₀ mean_b |B·∂L/∂h_t,b,i| over the first so many.
    """

    log10_adjoint: Array | None = None
    log10_immediate: Array | None = None
    log10_adjoint_cell: Array | None = None
    log10_norms: Array | None = None
    log10_norms_cell: Array | None = None
    parts: list[AdjointRecorder] = field(default_factory=list)
    others: dict[tuple[int, bool], AdjointRecorder] = field(default_factory=dict)
    present: npt.NDArray[np.bool_] | None = None
    sequences: int = 0
    log10_units: Array | None = None

    def part(self) -> AdjointRecorder:
        """A recorder for the next recurrence."""
        self.parts.append(AdjointRecorder(sequences=self.sequences))
        return self.parts[-1]

    def layer(self, depth: int, *, backward: bool = False) -> AdjointRecorder:
        """A recorder for one direction of layer ℓ, counted from 1."""
        if (depth, backward) == (1, False):
            return self
        return self.others.setdefault((depth, backward), AdjointRecorder(sequences=self.sequences))

    def rows(self) -> list[list[dict[str, Any]]]:
        """What was written: for each replica a mapping a layer and direction, parts joined in the order of time.

        Beside the layer and the direction it has `harness.schema.STEP_COLUMNS`, each (T,) or None.

        Raises:
            ValueError: no backward pass has filled it.
        """
        read = self.parts or [self]
        keys = sorted({(1, False), *(key for recorder in read for key in recorder.others)})
        present = [recorder.present for recorder in read]
        layers = [
            _joined([recorder.layer(depth, backward=backward) for recorder in read], present)
            for depth, backward in keys
        ]
        replicas = layers[0]["log10_adjoint"].shape[1]
        return [
            [
                {"layer": depth, "direction": "backward" if backward else "forward", **_of(own, r)}
                for (depth, backward), own in zip(keys, layers, strict=True)
            ]
            for r in range(replicas)
        ]


EACH = {"log10_adjoint": "log10_norms", "log10_adjoint_cell": "log10_norms_cell"}  # of one sequence


def _joined(recorders: list[AdjointRecorder], present: list[npt.NDArray[np.bool_] | None]) -> dict[str, Any]:
    written: dict[str, list[Array]] = {name: [] for name in STEP_COLUMNS}
    for recorder, there in zip(recorders, present, strict=True):
        if recorder.log10_adjoint is None:
            raise ValueError("no backward pass has filled this recorder")
        for name in ("log10_adjoint", "log10_immediate", "log10_adjoint_cell"):
            levels = getattr(recorder, name)
            if levels is not None:
                written[name].append(_of_present(levels, there))
        for name, own in EACH.items():
            each = getattr(recorder, own)
            for statistic, level in ({} if each is None else over_batch(each, there)).items():
                written[f"{name}_{statistic}"].append(level)
    return {name: np.concatenate(arrays) if arrays else None for name, arrays in written.items()}


def _of_present(levels: Array, present: npt.NDArray[np.bool_] | None) -> Array:
    """The mean over all sequences as one over those that have the step; NaN where none has, which is no zero."""
    if present is None:
        return levels
    share = present.mean(-1)
    return np.asarray(np.where(share > 0, levels - np.log10(np.where(share > 0, share, 1)), np.nan))


def _of(written: dict[str, Any], r: int) -> dict[str, Any]:
    return {name: None if array is None else array[:, r] for name, array in written.items()}


def log10_mean_norm(gradients: Tensor, exponents: Tensor | None = None) -> Array:
    """log₁₀ mean_b ‖B·g_b·2^e_b‖₂ of gradients (…, B, H) and exponents (…, B): shape (…).

    B cancels the 1/B of a batch-mean loss: the result is the mean over sequences of the norm of each sequence's own
    gradient. A true zero is −inf; NaN and inf stay what they are.
    """
    return log10_mean(norms(gradients), None if exponents is None else exponents.cpu().numpy())


def norms(gradients: Tensor) -> Array:
    """‖g_b‖₂ of gradients (…, B, H) in float64, (…, B)."""
    own = gradients.cpu()
    if own.stride(-1) == 1:
        return np.asarray(torch.linalg.vector_norm(own.double(), dim=-1).numpy())
    # compiled code lays sequences side by side, across which torch's norm is seven times slower
    wide = own.to(torch.float64, copy=True)
    return np.asarray(wide.mul_(wide).sum(-1).sqrt_().numpy())


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


def immediate_norms(gradient: Scaled, T: int, window: int) -> Array:
    """log₁₀ mean_b ‖B·∂⁺L/∂h_t‖₂ as (T, R), from the gradient of h_T (R, B, H) or of h_1 … h_T (T, R, B, H)."""
    values, exponents = gradient.values, gradient.exponents
    steps, scales = (values, exponents) if values.dim() == 4 else (values.unsqueeze(0), exponents.unsqueeze(0))
    levels = np.full((T, steps.shape[1]), -np.inf)
    last = steps[-window:]
    levels[T - len(last) :] = log10_mean_norm(last, scales[-window:] if scales.any() else None)
    return levels


@dataclass(frozen=True)
class Replayed:
    """What a backward pass with scaled adjoints finds.

    Attributes:
        levels: log₁₀ mean_b ‖B·∂L/∂·_t‖₂ of each part of the state, (T, R).
        each: log₁₀ ‖∂L/∂·_t‖₂ of each sequence and part of the state, (T, R, B).
        drive: the gradient of each step's drive, where it is wanted.
    """

    levels: list[Array]
    each: list[Array]
    drive: Scaled | None


def replay(
    step: Callable[[State, Tensor], State],
    states: Sequence[State],
    drive: Tensor,
    immediate: Callable[[int], Scaled | None],
    *,
    window: int,
    final: Sequence[Tensor | None] = (),
    inputs: bool = False,
) -> Replayed:
    """Go backwards through a recurrence one step at a time, with scaled adjoints: a_{t−1} = J_tᵀ a_t + ∂⁺L/∂h_{t−1}.

    Args:
        step: (state at t−1, drive at t) → state at t, differentiable in both.
        states: the T+1 states from t = 0, each a tuple of (R, B, H).
        drive: what the inputs contribute to each step, (T, R, B, n).
        immediate: t → ∂⁺L/∂h_t (R, B, H), or None where the loss does not see h_t directly; t counts from 1.
        window: only t = T−K+1 … T are visited; the others are exact zeros.
        final: gradients of the last state's other parts (c_T), if the loss sees them.
        inputs: whether the gradient of the drive is wanted.
    """
    T, parts = len(states) - 1, len(states[0])
    R, B, _ = states[0][0].shape
    written = [np.full((T, R), -np.inf) for _ in range(parts)]
    each = [np.full((T, R, B), -np.inf) for _ in range(parts)]
    carried = [torch.zeros_like(part) for part in states[0]]
    for part, gradient in enumerate(final, start=1):
        if gradient is not None:
            carried[part] = gradient
    exponents = torch.zeros(R, B, device=carried[0].device)
    driven = Scaled(torch.zeros_like(drive), torch.zeros(T, R, B, device=drive.device)) if inputs else None
    # One step at a time, each a graph of its own, so that the adjoint can be rescaled between them: unscaled, that of a
    # linear network with ρ = .6 is below the smallest float32 (1.4e-45) after 203 steps.
    for t in range(T, max(T - window, 0), -1):
        now = immediate(t)
        if now is not None:
            carried, exponents = _added(carried, exponents, now)
        with torch.enable_grad():
            previous = tuple(part.detach().requires_grad_() for part in states[t - 1])
            z = drive[t - 1].detach().requires_grad_()  # autograd refuses a part of a state that hangs on nothing
            following = step(previous, z)
            # h_t is a function of c_t: c's total adjoint is what came from t+1 plus what comes through h_t
            totals = _totals(following, carried) if parts > 1 else list(carried)
        for part, total in enumerate(totals):
            sizes, scales = norms(total), exponents.cpu().numpy()
            written[part][t - 1] = log10_mean(sizes, scales)
            each[part][t - 1] = log10_norms(sizes, scales)
        leaves = (*previous, z) if driven is not None else previous
        gradients = torch.autograd.grad(following, leaves, carried, allow_unused=True)
        if driven is not None and gradients[-1] is not None:
            driven.values[t - 1], driven.exponents[t - 1] = gradients[-1], exponents
        # Back through the step, then rescale to entries in [½, 1): only a factor of 2¹²⁶ in one step could underflow.
        carried = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, previous, strict=False)]
        carried, exponents = rescaled(carried, exponents)
    return Replayed(written, each, driven)


def _totals(following: State, carried: Sequence[Tensor]) -> list[Tensor]:
    """Total adjoints of (h_t, c_t, …): the later parts also act through h_t, which was computed from them."""
    h, *others = following
    through = torch.autograd.grad(h, others, carried[0], retain_graph=True, allow_unused=True)
    rest = [a if g is None else a + g for a, g in zip(carried[1:], through, strict=True)]
    return [carried[0], *rest]


def _added(parts: list[Tensor], exponents: Tensor, now: Scaled) -> tuple[list[Tensor], Tensor]:
    """A gradient added to the first part, at the larger of the two scales; a zero has no scale."""
    alive = torch.where(largest(parts) > 0, 0.5, 0.0).unsqueeze(-1)
    total = Scaled(alive, exponents) + Scaled(now.values.abs().amax(-1, keepdim=True), now.exponents)
    moved = [Scaled(part, exponents).moved_to(total.exponents) for part in parts]
    moved[0] = moved[0] + now.moved_to(total.exponents)
    return moved, total.exponents
