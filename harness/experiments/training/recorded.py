"""At which updates something is recorded."""

from __future__ import annotations

from collections.abc import Sequence

from harness.experiments.training.settings import Every


def recorded_updates(setting: str | Every | Sequence[int], last: int) -> frozenset[int]:
    """The updates of a schedule up to `last`: "geometric" is 0, 1, 2, 4, 8, …; 0 is always there.

    Where a run ends is not known beforehand; the loop adds it.
    """
    if isinstance(setting, Every):
        return frozenset(range(0, last + 1, setting.every))
    if isinstance(setting, str):
        return frozenset({0, *(2**k for k in range(last.bit_length()))})
    return frozenset({0, *setting})
