"""A benchmark and research harness for vanishing-gradient studies of recurrent networks.

study/         YAML → StudySpec → Plan: settings, grid, runs with ids
tasks/         what is learnt: one file a task
cells/         what is trained: one file a cell, the paper's equations as one `step`
theory/        closed forms that figures draw over the data
recurrence/    a cell over time: truncation, carried state, recorded adjoints, compiled cells
models/ probes/ experiments/    how a task's shape is met, what is measured, the training loop
store/ execution/               commits and tables, and where runs are computed
statistics/ verdicts/ figures/ report/    from tables to numbers, verdicts, pictures and a page
sweep status check compare report papers leaderboard sample    the commands: python -m harness.sweep STUDY
api/           harness.Study and harness.load; nothing is imported before it is used
watching/      harness.watch: the gradients of a torch module of your own
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.entrypoints import tolerate

if TYPE_CHECKING:
    from harness.api import Results, Study, StudyPlan, Verdicts, load, prepare
    from harness.errors import HarnessError
    from harness.watching.watch import watch

__all__ = ["HarnessError", "Results", "Study", "StudyPlan", "Verdicts", "load", "prepare", "watch"]


tolerate()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    if name == "watch":
        from harness.watching.watch import watch

        return watch
    from harness import api, errors

    return getattr(errors if name == "HarnessError" else api, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
