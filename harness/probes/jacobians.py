"""How much of a direction is left after many steps: singular values of products of Jacobians."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import numpy as np
import numpy.typing as npt
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model
from harness.probes.products import Product
from harness.probes.trajectory import Trajectory, trajectories
from harness.schema import Profile, Values

LAGS = 16


def jacobian_singular_values(
    model: Model, parameters: Mapping[str, Tensor], batch: tuple[Tensor, Tensor], state: State | None
) -> list[list[Profile]]:
    """Largest, median and smallest singular value of ∂s_T/∂s_{T−ℓ} = J_T ⋯ J_{T−ℓ+1}, J_t = ∂s_t/∂s_{t−1}, by lag ℓ.

    Pascanu, Mikolov & Bengio 2013, eq. 5, with s the whole state. The same of the path through h alone, with all
    ∂h_t/∂h_{t−1} taken at a fixed c_{t−1}, and of the path through c alone, with h_{t−1} fixed: for an LSTM the
    products of diag(f_t).

    Returns:
        `log10_singular_largest`, `_median` and `_smallest`, mean log₁₀ over four sequences; with `_h_path`, `_c_path`
        the same of the paths, where the state is (h, c).
    """
    return [_profiles(trajectory) for trajectory in trajectories(model, parameters, batch, state)]


def lags(T: int) -> npt.NDArray[np.int64]:
    """At most `LAGS` lags, from 1 to T in equal ratios."""
    return np.unique(np.round(np.geomspace(1, T, LAGS)).astype(np.int64))


def _profiles(trajectory: Trajectory) -> list[Profile]:
    B, H = trajectory.states[0][0].shape[1:]
    N = H * len(trajectory.cell.states)
    parts = {"": slice(0, N), **{f"_{name}_path": part for name, part in trajectory.paths().items()}}
    products = {name: Product(B, part.stop - part.start) for name, part in parts.items()}
    at = lags(trajectory.length)
    logs_by_part: dict[str, list[Values]] = {name: [] for name in parts}
    for lag in range(1, trajectory.length + 1):
        J = trajectory.jacobian(trajectory.length + 1 - lag)
        for name, part in parts.items():
            products[name].grow(J[:, part, part].swapaxes(-1, -2))
            if lag in at:
                logs_by_part[name].append(products[name].log_singular_values())
    rows: list[Profile] = []
    for name, by_lag in logs_by_part.items():
        logs = np.stack(by_lag) / log(10)  # (lags, B, N)
        for which, values in (("largest", logs[..., 0]), ("median", _median(logs)), ("smallest", logs[..., -1])):
            rows.append(Profile(f"log10_singular_{which}{name}", "lag", at.astype(np.float64), values.mean(-1)))
    return rows


def _median(logs: Values) -> Values:
    """The middle one of an odd number, the lower of the middle two of an even one, which may be a zero."""
    return np.asarray(logs[..., logs.shape[-1] // 2])
