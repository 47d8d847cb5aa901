"""How well a unit tells that a symbol has been seen: the hidden-state heat map's question as a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

SEEN, NOT_YET, UNSCORED = 1, 0, -1


def seen_labels(symbols: Sequence[str], keys: Sequence[str]) -> npt.NDArray[np.int8]:
    """(T,): whether the first of the keys in a sequence was `keys[0]`, and has been seen.

    `SEEN` from that first key on if it is `keys[0]`; `NOT_YET` before it, and after it if it is another; `UNSCORED`
    from the second key on, and where a word is empty (padding).
    """
    words = np.asarray(symbols)
    count = np.isin(words, list(keys)).cumsum()
    first = words[int(np.argmax(count == 1))] if count.any() else ""
    labels = np.where((count == 1) & (first == keys[0]), SEEN, NOT_YET)
    return np.where((count > 1) | (words == ""), UNSCORED, labels).astype(np.int8)


def switch_scores(values: npt.NDArray[np.float64], labels: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    """How well one threshold on each unit's value tells "seen" from "not yet": |2·AUC − 1|.

    |2·AUC − 1| = |P(v > v′) − P(v < v′)| with v drawn from the steps at which the symbol has been seen and v′ from
    those at which it has not, of all sequences (Mann & Whitney 1947, "On a test of whether one of two random variables
    is stochastically larger than the other"). Sequences in which another key came first count too: without them, a
    unit that just counts steps would score .8, since later steps have mostly seen the symbol.

    Args:
        values: (S, U, T), of S sequences and U units.
        labels: (S, T), see `seen_labels`.

    Returns:
        (U,): 1 for a unit that turns on (or off) at the symbol, 0 for a constant one; NaN where all steps are alike.
    """
    from scipy.stats import rankdata

    on, off = labels == SEEN, labels == NOT_YET
    n, m = int(on.sum()), int(off.sum())
    scored = values.transpose(0, 2, 1)[on | off]  # (n + m, U)
    if not n * m:
        return np.full(values.shape[1], np.nan)
    ranks = rankdata(scored, axis=0)[on[on | off]].sum(axis=0)
    area = (ranks - n * (n + 1) / 2) / (n * m)
    return np.asarray(np.abs(2 * area - 1))


def scores(rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> dict[int, float]:
    """Each unit's score, from rows of the table of states: one part of one run."""
    values: dict[int, dict[int, npt.NDArray[np.float64]]] = {}
    labels: dict[int, npt.NDArray[np.int8]] = {}
    for row in rows:
        values.setdefault(row["sequence"], {})[row["unit"]] = np.asarray(row["values"], np.float64)
        if row["sequence"] not in labels:
            labels[row["sequence"]] = seen_labels(list(row["symbols"]), keys)
    if not values:
        return {}
    units = sorted(next(iter(values.values())))
    stacked = np.stack([[of[unit] for unit in units] for of in values.values()])
    return dict(zip(units, switch_scores(stacked, np.stack([labels[s] for s in values])).tolist(), strict=True))


def best_switch(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> float | None:
    """The best unit's score of one run, of its cell state where it has one, else of its hidden state; None without.

    None too where a unit has no score: its values are not finite, or no step tells the symbol seen from not yet.
    """
    part = "c" if any(row["part"] == "c" for row in rows) else "h"
    every = list(scores((row for row in rows if row["part"] == part), keys).values())
    return max(every, default=None) if all(score == score for score in every) else None
