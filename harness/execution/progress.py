"""The progress of a sweep, by predicted cost: runs differ too much for their number to be a measure."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import get_terminal_size
from time import monotonic
from types import TracebackType
from typing import Any

from harness.errors.text import printable
from harness.store.files import read_json
from harness.store.status import clock

LINE_EVERY = 10.0  # seconds between lines where there is no terminal
SHORTEST_BAR, LONGEST_BAR = 6, 24  # characters
CLEAR = "\r\x1b[K"  # to the start of a terminal's line, and what stands on it goes


@dataclass
class Progress:
    """A bar on a terminal, a line every ten seconds elsewhere, nothing of these if not `shown`; notes unless `quiet`.

    The time left is estimated from the pace so far, with every unfinished run taken to its full budget: where runs can
    end early it is an upper bound, and is printed as one.
    """

    cost: Mapping[str, float]
    markers: Path
    shown: bool = True
    quiet: bool = False
    outcomes: Counter[str] = field(default_factory=Counter)
    left: dict[str, float] = field(init=False)
    spent: float = 0.0
    start: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        self.left = dict(self.cost)
        self._stop = threading.Event()
        # None where there is no stderr (a daemon, pythonw); what stands in its place need not be a terminal or a file
        self._stream: Any = getattr(sys.stderr, "stream", sys.stderr)
        self._bar = _is_terminal(self._stream)
        self._printed = False  # something of the progress has been shown
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._printed:  # the last line has the true count, however the sweep ends
            self._show(end="\n")

    def ended(self, run_id: str, outcome: str, share: float = 1.0) -> None:
        """Count a run that has ended after a share of its budget; the rest is neither spent nor still to come."""
        cost = self.left.pop(run_id, None)
        if cost is not None:
            self.spent += cost * share
            self.outcomes[outcome] += 1

    def say(self, text: str) -> None:
        """Print a line above the bar, on stderr; without a bar too, unless all is to be quiet."""
        if not self.quiet:
            self._write(f"{CLEAR if self._bar and self._printed else ''}{printable(text)}\n")

    def text(self, width: int | None = None) -> str:
        """One line: share of the cost, runs by outcome, time taken, time left.

        Args:
            width: no line is longer: the bar gets shorter, then outcomes and the time left are left out.
        """
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
        runs = f"{len(self.cost) - len(self.left)}/{len(self.cost)} runs"
        taken = f"{clock(elapsed)}, {eta}" if self.left else clock(elapsed)
        shortest = f"{share:4.0%}  {runs}"
        for text in (f"{share:4.0%}  {runs} ({counts})  {taken}", f"{shortest}  {taken}", shortest):
            length = LONGEST_BAR if width is None else min(LONGEST_BAR, width - len(text) - 1)
            if length >= SHORTEST_BAR:
                full = round(share * length)
                return f"{'█' * full}{'·' * (length - full)} {text}"
        return shortest[:width]

    def _show(self, end: str = "") -> None:
        if self._bar:
            self._write(f"{CLEAR}{self.text(get_terminal_size().columns - 1)}{end}")
        else:
            self._write(f"{self.text()}\n")
        self._printed = True

    def _write(self, text: str) -> None:
        """Progress is a convenience: a stream that is closed, full or of another alphabet costs no run."""
        with self._writing, suppress(OSError, ValueError, AttributeError, TypeError):
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._stream.write(text.replace("█", "#").replace("·", ".").encode("ascii", "replace").decode())
            self._stream.flush()

    def _watch(self) -> None:
        last = monotonic()
        while not self._stop.wait(0.5):
            if not self.shown or (not self._bar and monotonic() - last < LINE_EVERY):
                continue
            last = monotonic()
            self._show()


def _is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; what stands in for stderr may lack `isatty`, or be closed."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False
