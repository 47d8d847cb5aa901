"""The adjoints of a module's recurrences, as rows of the table of gradients: harness.watch in a recorder's place."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from torch import nn

from harness.models.model import Model
from harness.models.of_module import OfModule, OutsideRecorder
from harness.recurrence.adjoints import AdjointRecorder
from harness.schema import STEP_COLUMNS, Array
from harness.study.plugins import load_object

CELL = "c"  # the state whose adjoint has a column of its own
# By name: harness.watching writes results of its own, with all that stands above the experiments.
WATCH, WARNING = "harness.watching.watch:Watch", "harness.watching.moment:WatchWarning"


class RecordedState(Protocol):
    """What a watch records of one state of one call of a module; see harness/watching/levels.py."""

    @property
    def module(self) -> str: ...
    @property
    def call(self) -> int: ...
    @property
    def layer(self) -> int: ...
    @property
    def direction(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def adjoint(self) -> Array: ...
    @property
    def immediate(self) -> Array: ...
    @property
    def over_batch(self) -> Mapping[str, Array]: ...


def recorder_of(model: Model) -> AdjointRecorder:
    """What records the adjoints of one pass through a model."""
    return WatchRecorder() if isinstance(model, OfModule) else AdjointRecorder()


class WatchRecorder(OutsideRecorder):
    """What one backward pass through a module has brought to its recurrent modules (`nn.RNN`, `nn.LSTM`, …)."""

    def __init__(self) -> None:
        super().__init__()
        self._watch: Any = None
        self._modules: tuple[str, ...] = ()
        self._steps: int | None = None

    def watch(self, module: nn.Module, steps: int | None = None) -> None:
        """Watch the calls that follow.

        Args:
            steps: T, where sequences have lengths of their own: rows of fewer steps begin with NaN.
        """
        self._steps = steps
        self._modules = tuple(name for name, _ in module.named_modules())
        self._watch = load_object(WATCH)(module)

    def rows(self) -> list[list[dict[str, Any]]]:
        """For the one replica a mapping a recurrent layer and direction.

        The layers of several recurrent modules are numbered through, in the order of `named_modules`; those of a module
        that is called several times in one pass once more for each call. Without a recurrent module there is no row.

        Raises:
            ValueError: it has watched nothing.
        """
        if self._watch is None:
            raise ValueError("this recorder has watched nothing")
        with warnings.catch_warnings():  # what is truncated, or below the training's numbers, the record itself shows
            warnings.simplefilter("ignore", load_object(WARNING))
            self._watch.close()
        return [[self._whole(row) for row in rows_of(self._watch.levels, self._modules)]]

    def _whole(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with an entry for each of the batch's steps."""
        if self._steps is None:
            return row
        T = self._steps
        arrays = {name: level for name, level in row.items() if isinstance(level, np.ndarray) and len(level) < T}
        return {**row, **{name: np.concatenate([np.full(T - len(a), np.nan), a]) for name, a in arrays.items()}}


def rows_of(levels: Sequence[RecordedState], modules: Sequence[str]) -> list[dict[str, Any]]:
    """Levels of states as rows of layers and directions, from the first layer up, forward before backward.

    Args:
        levels: of one update.
        modules: names, in the order in which their layers are numbered.
    """
    own = [each for each in levels if each.module in modules]
    places = sorted({(modules.index(each.module), each.call, each.layer) for each in own})
    rows: dict[tuple[int, bool], dict[str, Any]] = {}
    for each in own:
        layer = 1 + places.index((modules.index(each.module), each.call, each.layer))
        row = rows.setdefault(
            (layer, each.direction == "backward"),
            {"layer": layer, "direction": each.direction, **dict.fromkeys(STEP_COLUMNS)},
        )
        if each.state == CELL:
            row["log10_adjoint_cell"] = each.adjoint
            row |= {f"log10_adjoint_cell_{name}": level for name, level in each.over_batch.items()}
        elif each.state == "h":
            row |= {"log10_adjoint": each.adjoint, "log10_immediate": each.immediate}
            row |= {f"log10_adjoint_{name}": level for name, level in each.over_batch.items()}
    return [rows[key] for key in sorted(rows)]
