"""What is recorded of one state of one call: the norm of its gradient at every step, over the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from harness.recurrence.adjoints import log10_mean, norms
from harness.recurrence.batch_levels import log10_norms, over_batch
from harness.schema import BATCH_STATISTICS, Array


@dataclass(frozen=True)
class Levels:
    """log₁₀ mean_b ‖B·∂L/∂s_t‖₂ of a state s; arrays are (T,), entry t−1 is step t.

    Attributes:
        module: the module's name in the watched model; "" for the model itself, and for a state named by hand.
        call: which call of the module, from 1.
        update: parameter updates made before.
        layer: ℓ, from the input up, from 1.
        direction: forward; or backward: in the order of its own steps.
        state: h, c, or the name given by hand.
        adjoint: of the total gradient; −∞ is an exact zero.
        immediate: of the part that does not come through the next step of the same recurrence; NaN where unknown.
        over_batch: of the total gradient, each of `harness.schema.BATCH_STATISTICS`.
    """

    module: str
    call: int
    update: int
    layer: int
    direction: str
    state: str
    adjoint: Array
    immediate: Array
    over_batch: Mapping[str, Array]


@dataclass(frozen=True)
class Level:
    """One step of one state: log₁₀ of the mean norm over the batch, and the statistics of the logarithms."""

    mean: float
    over_batch: Mapping[str, float]

    @classmethod
    def of(cls, gradients: Tensor, exponents: Tensor | None = None) -> Level:
        """Of gradients·2^exponents, (B, n) and (B,)."""
        sizes, scales = norms(gradients), None if exponents is None else exponents.cpu().numpy()
        statistics = over_batch(log10_norms(sizes, scales))
        return cls(float(log10_mean(sizes, scales)), {name: float(level) for name, level in statistics.items()})


def arrays(steps: Sequence[Level | None]) -> tuple[Array, dict[str, Array]]:
    """Levels of steps side by side, (T,); None is an exact zero in all sequences."""
    zero = Level(-np.inf, dict.fromkeys(BATCH_STATISTICS, -np.inf))
    known = [zero if each is None else each for each in steps]
    statistics = {name: np.array([each.over_batch[name] for each in known]) for name in BATCH_STATISTICS}
    return np.array([each.mean for each in known], np.float64), statistics
