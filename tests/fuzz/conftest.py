"""Prints how many calls were made, and from which seed."""

from __future__ import annotations

from typing import Any

import fuzz_cases


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if fuzz_cases.calls:
        seed = "derandomised" if fuzz_cases.FACTOR == 1 else f"FUZZ_SEED={fuzz_cases.SEED}"
        terminalreporter.write_line(f"fuzz: {fuzz_cases.calls.total()} calls of commands, {seed}")
        for name, count in fuzz_cases.calls.items():
            terminalreporter.write_line(f"{count:8d}  {name}")
