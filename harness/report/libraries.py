"""The libraries of figures, verdicts and the report, loaded while workers compute."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib import import_module

MODULES = (
    "harness.report.presenting",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "seaborn",
    "scipy.stats",
)


def load_meanwhile() -> threading.Thread:
    """Import them in a thread, which has ended or is waited for when they are needed."""

    def load() -> None:
        for name in MODULES:
            with suppress(Exception):  # where it is needed it is imported again, and its error is seen
                import_module(name)

    thread = threading.Thread(target=load, name="load libraries", daemon=True)
    thread.start()
    return thread
