"""The gradient of a minimal gated cell before training by lag, as its closed form says: dashed in `decay`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from harness.theory.minimal import chrono_slope, mingru_slope, minlstm_slope

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from harness.schema import Values

# Numbers that code a symbol; how many symbols those of a sequence are drawn from, but for a few (B, E, X, Y).
ALPHABETS = {"temporal_order": (8, 4)}
DECIDING = ("task", "level", "cell", "init", "forget_bias", "eigenvalues", "sequence_length", "zoneout", "layers")


def decay(group: pd.DataFrame, lags: npt.NDArray[np.int64]) -> Values | None:
    """log₁₀ of ‖∂L/∂h_{T−lag}‖ over that at lag 0; None unless all runs of a group start alike and it is known how.

    Args:
        group: rows of `Frames.gradients`.
        lags: from 0 on.
    """
    import numpy as np

    rows = group[[name for name in DECIDING if name in group.columns]].drop_duplicates()
    if len(rows) != 1:
        return None
    row = {name: value for name, value in rows.iloc[0].items() if value == value and value is not None}
    alphabet = ALPHABETS.get(str(row.get("task")))
    start = (row.get("cell"), row.get("forget_bias"))
    plain = row.get("eigenvalues", "positive") == "positive" and not row.get("zoneout") and row.get("layers", 1) == 1
    if alphabet is None or not plain or row.get("init") != "paper" or "level" in row:
        return None
    size, symbols = alphabet
    slopes: dict[tuple[object, object], Callable[[int], float]] = {
        ("mingru", None): partial(mingru_slope, size, symbols=symbols),
        ("minlstm", None): partial(minlstm_slope, size, symbols=symbols),
        ("minlstm", "chrono"): partial(chrono_slope, int(row["sequence_length"])),
    }
    if start not in slopes:
        return None
    return np.array([0.0 if lag == 0 else lag * slopes[start](int(lag)) for lag in lags])
