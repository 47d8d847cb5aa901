"""The progress of a sweep, by predicted cost: runs differ too much for their number to be a measure."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import TracebackType

from tqdm import tqdm

from harness.store.files import read_json
from harness.store.status import clock

LINE_EVERY = 10.0  # seconds between lines where there is no terminal


@dataclass
class Progress:
    """A bar on a terminal, a line every ten seconds elsewhere, nothing if not `shown`.

    The time left is estimated from the pace so far, with every unfinished run taken to its full budget: where runs can
    end early it is an upper bound, and is printed as one.
    """

    cost: Mapping[str, float]
    markers: Path
    shown: bool = True
    outcomes: Counter[str] = field(default_factory=Counter)
    left: dict[str, float] = field(init=False)
    spent: float = 0.0
    start: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self.left = dict(self.cost)
        self._stop = threading.Event()
        self._lines = not sys.stderr.isatty()
        self._bar = tqdm(
            total=len(self.cost),
            unit="run",
            file=sys.stderr,
            disable=not self.shown or self._lines,
            bar_format="{desc}",
        )
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._bar.close()

    def ended(self, run_id: str, outcome: str, share: float = 1.0) -> None:
        """Count a run that has ended after a share of its budget; the rest is neither spent nor still to come."""
        cost = self.left.pop(run_id, None)
        if cost is not None:
            self.spent += cost * share
            self.outcomes[outcome] += 1

    def say(self, text: str) -> None:
        """Print a line above the bar, on stderr."""
        if self.shown:
            tqdm.write(text, file=sys.stderr)

    def text(self) -> str:
        """One line: share of the cost, runs by outcome, time taken, time left."""
        running = 0.0
        for path in self.markers.glob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                note = read_json(path)
                for run_id, (outcome, share) in note["done"].items():
                    self.ended(run_id, outcome, share)
                running += sum(self.left.get(run_id, 0.0) for run_id in note["runs"]) * float(note["share"])
        left = sum(self.left.values()) - running
        total = sum(self.cost.values())
        elapsed = monotonic() - self.start
        share = 1 - left / total if total else 1.0
        pace = (self.spent + running) / elapsed if elapsed else 0.0
        eta = f"at most {clock(left / pace)} left" if pace > 0 and elapsed > 3 else "estimating"
        counts = ", ".join(f"{n} {name}" for name, n in sorted(self.outcomes.items())) or "none finished"
        done = len(self.cost) - len(self.left)
        width = 24
        bar = "█" * round(share * width) + "·" * (width - round(share * width))
        return f"{bar} {share:4.0%}  {done}/{len(self.cost)} runs ({counts})  {clock(elapsed)}, {eta}"

    def _watch(self) -> None:
        last = monotonic()
        while not self._stop.wait(0.5):
            if not self.shown:
                continue
            if not self._lines:
                self._bar.set_description_str(self.text())
            elif monotonic() - last >= LINE_EVERY:
                last = monotonic()
                print(self.text(), file=sys.stderr, flush=True)
