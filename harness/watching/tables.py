"""Recorded levels as a table: a row a state and time step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.watching.levels import Levels

if TYPE_CHECKING:
    import pandas as pd

PLACE = ("module", "call", "update", "layer", "direction", "state")


def frame_of(levels: Sequence[Levels]) -> pd.DataFrame:
    """Columns of `PLACE`, then t (1 … T), lag = T − t, log10_adjoint and log10_immediate."""
    import pandas as pd

    lengths = [len(each.adjoint) for each in levels]
    columns = {name: np.repeat([getattr(each, name) for each in levels], lengths) for name in PLACE}
    t = np.concatenate([np.arange(1, T + 1) for T in lengths]) if levels else np.empty(0, np.int64)
    measured = {
        "t": t,
        "lag": np.repeat(np.asarray(lengths, np.int64), lengths) - t,
        "log10_adjoint": np.concatenate([each.adjoint for each in levels]) if levels else np.empty(0),
        "log10_immediate": np.concatenate([each.immediate for each in levels]) if levels else np.empty(0),
    }
    return pd.DataFrame({**columns, **measured})
