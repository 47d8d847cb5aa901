"""Results of `harness.watch`: gradients of a module that somebody trains outside of the harness, as a study's runs.

A run is a recurrent module, or a call of it, or a state that was named by hand. It cannot be computed from its
settings, which say only whose gradients they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.schema import Record
from harness.study.plan import Run
from harness.study.section import Section, Sections, setting
from harness.study.spec import Experiment

if TYPE_CHECKING:
    from harness.experiments.setup import Setup


class Watched(Section):
    """Whose gradients were recorded (`watch:`), written by `harness.watch`."""

    module: str = setting("model", "name of the recurrent module in the watched model; model: itself", short="module")
    call: int = setting(1, "which of its calls in one update", short="call", ge=1)
    state: str = setting("h", "h, and c beside it; or the name of a tensor that was marked", short="state")


@dataclass(frozen=True)
class WatchedSections(Sections):
    """The sections of this experiment."""

    watch: Watched


REFUSAL = (
    "experiment: watched has the results of harness.watch(model, to=…), which your own training records and no sweep "
    "computes; python -m harness.report draws them"
)


def refuse(runs: Sequence[Run], setup: Setup) -> Iterator[Record]:
    """Raises HarnessError: these runs are another program's."""
    raise HarnessError(REFUSAL)


EXPERIMENT = Experiment(
    "watched", typed=WatchedSections, entry="harness.experiments.watched:refuse", cost=lambda sections: 1.0,
    refusal=REFUSAL,
)  # fmt: skip
