"""A benchmark and research harness for vanishing-gradient studies of recurrent networks.

study/        what is asked          YAML → Study → Plan
tasks/        what is learnt         one file a task
cells/        what is trained        one file a cell, the paper's equations as one `step`
theory/       what is predicted      closed forms that figures draw over the data
kernels/      the same equations     over a whole sequence, fused for the CPU
scan          a cell over time       truncation, carried state, the engines, the recorder of adjoints
models/ probes/ experiments/         how a task is met, what is measured, THE training loop
store/ execution/                    what is kept, and where it runs
analysis/     what it shows          statistics, verdicts, figures, the report
sweep status check report            the doors: python -m harness.sweep STUDY
notebook                             the door for Python: harness.Study, harness.load; nothing loads before it is used
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api import Results, Study, StudyPlan, Verdicts, load, prepare
    from harness.errors import HarnessError

__all__ = ["HarnessError", "Results", "Study", "StudyPlan", "Verdicts", "load", "prepare"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    from harness import api as notebook
    from harness import errors

    return getattr(errors if name == "HarnessError" else notebook, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
