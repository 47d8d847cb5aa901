"""A small study under random kills, each followed by a resume; lost, doubled and different runs are counted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from results_folders import table_rows
from study_texts import study_text

from harness.registry import read
from harness.study.plan import plan

Rows = dict[str, list[str]]

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LATEST = {"start": 5.0, "begun": 2.0, "commit": 0.3}  # a kill comes up to so many seconds after this
ENDINGS = {  # a signal may come before the handlers are there, or when all is done
    signal.SIGKILL: (0, -signal.SIGKILL),
    signal.SIGTERM: (0, 143, -signal.SIGTERM),
    signal.SIGINT: (0, 130, -signal.SIGINT),
}


def study(updates: int = 1000, seeds: int = 4) -> str:
    """Six settings of so many updates, and one that takes four times as many."""
    cells = "{model.cell: [rnn, lstm, gru], task.sequence_length: [12, 15]}"
    longer = f"{{model.cell: [lstm], task.sequence_length: [30], training.max_updates: [{4 * updates}]}}"
    return study_text(
        name="chaos",
        claim="Kills change nothing.",
        model="{cell: rnn, hidden_size: 8}",
        training=f"{{max_updates: {updates}, batch_size: 8, stop_when_solved: false}}",
        evaluation="{every: 50, sequences: 32}",
        sweep=f"[{cells}, {longer}]",
        seeds=seeds,
        figures=[],
    )


@dataclass
class Tally:
    """What was killed, and what it did to the study, over all rounds.

    Attributes:
        lives: how often the study was completed, each time in a new folder.
        midway: rounds that ended with some runs committed but not all, which is what a resume is for.
        redone: runs that were committed and yet written again.
        unexpected: exit codes that no signal explains.
    """

    rounds: int = 0
    lives: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    midway: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0
    redone: int = 0
    orphans: int = 0
    leftovers: int = 0
    failed: int = 0
    unexpected: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, object]:
        names = ("lost", "doubled", "different", "redone", "orphans", "leftovers", "failed", "unexpected")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@dataclass
class Sweep:
    """A sweep in a process group of its own, whose descendants are recognised by a word in their environment."""

    study: Path
    out: Path
    word: str = field(default_factory=lambda: f"chaos-{uuid4().hex}")

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "harness.sweep", str(self.study), "-o", str(self.out), "-j", "2", "-q"]
        environment = {**os.environ, "CHAOS_WORD": self.word, "JOBLIB_TEMP_FOLDER": str(self.study.parent)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def output(self) -> Path:
        return self.out / f"{self.word}.txt"

    def living(self) -> list[int]:
        """Everything that this sweep has started and that still runs, itself included."""
        mark = f"CHAOS_WORD={self.word}".encode()
        return [pid for pid, data in _read("environ") if mark in data.split(b"\0") and not _zombie(pid)]

    def workers(self) -> list[int]:
        """Processes that the fork server has started: children of a child."""
        mine = set(self.living()) - {self.process.pid}
        return [pid for pid, data in _read("stat") if pid in mine and int(data.rpartition(b")")[2].split()[1]) in mine]

    def begun(self) -> bool:
        """Whether one of its own workers has a run; a sweep that was killed leaves its markers behind."""
        marked = {path.stem.rpartition("-")[2] for path in (self.out / "chaos" / "working").glob("*.json")}
        return bool(marked) and any(str(pid) in marked for pid in self.living())

    def committed(self, before: int) -> bool:
        """Whether there are more runs than `before`."""
        return len(_commits(self.out / "chaos")) > before

    def ended(self, within: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(within)
        return self.process.poll() is not None

    def orphans(self, within: float = 8.0) -> int:
        """How many of its processes outlive it by more than some seconds; they are ended here."""
        until = time.monotonic() + within
        while (left := self.living()) and time.monotonic() < until:
            time.sleep(0.1)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(left)


def _read(name: str) -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), (entry / name).read_bytes()


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def uninterrupted(study: Path, out: Path) -> Rows:
    """The tables of a sweep that nothing disturbs."""
    out.mkdir()
    sweep = Sweep(study, out)
    assert sweep.ended(300), "the uninterrupted sweep does not end"
    assert sweep.process.returncode == 0, sweep.output.read_text()
    rows = table_rows(out / "chaos")
    assert len(rows["runs"]) == len(plan(read(study)).runs)
    return rows


def storm(study: Path, reference: Rows, rounds: int, seed: int, say: Callable[[str], None] = print) -> Tally:
    """Kill and resume `rounds` times; whenever the study is completed, compare its tables and begin anew.

    A round is a sweep that is killed: at a random time its controller, or its whole process group (as Ctrl-C at a
    terminal does), and in half of the rounds a random worker before that. In half of them the next sweep is started
    at once, before the workers of the killed one can have noticed.
    """
    say(f"chaos: {rounds} rounds, seed {seed}")
    draw, tally = random.Random(seed), Tally()
    while tally.rounds < rounds or not tally.lives:
        out = study.parent / f"life-{tally.lives}"
        out.mkdir()
        _live(study, out, rounds, len(reference["runs"]), draw, tally, say)
        _compare(reference, out / "chaos", tally)
        tally.lives += 1
    say(f"chaos: {tally}")
    return tally


def _live(
    study: Path, out: Path, rounds: int, runs: int, draw: random.Random, tally: Tally, say: Callable[[str], None]
) -> None:
    """Sweep and kill, until the study's `runs` runs are completed."""
    earlier: dict[str, tuple[int, int]] = {}
    before: Sweep | None = None
    while True:
        sweep = Sweep(study, out)
        if before is not None:
            tally.orphans += before.orphans()
        end = ""
        if tally.rounds < rounds:
            end = _kill(sweep, draw, tally)
        assert sweep.ended(300), "a sweep does not end"
        code = sweep.process.returncode
        now = _commits(out / "chaos")
        tally.redone += sum(now.get(name, then) != then for name, then in earlier.items())
        tally.lost += len(earlier.keys() - now.keys())
        tally.midway += bool(end) and 0 < len(now) < runs
        tally.failed += len(list((out / "chaos" / "failures").glob("*.json")))
        earlier = now
        if end:
            tally.rounds += 1
            say(f"round {tally.rounds:3d}: {end} → exit {code}, {len(now)} of {runs} runs committed")
        elif code != 0:
            tally.unexpected.append(f"exit {code} without a kill: {sweep.output.read_text()}")
        if code == 0:
            tally.orphans += sweep.orphans()
            return
        if draw.random() < 0.5:
            tally.orphans += sweep.orphans()
        before = sweep


def _kill(sweep: Sweep, draw: random.Random, tally: Tally) -> str:
    """Send the signals that this round has drawn; return them as text, or "" where the sweep had ended before."""
    number, whole = draw.choice(SIGNALS), draw.random() < 0.3
    first, since = draw.choice((*SIGNALS, None, None, None)), draw.choice(("start", "begun", "commit", "commit"))
    moment, early, worker = draw.uniform(0.0, LATEST[since]), draw.random(), draw.random()
    before = len(_commits(sweep.out / "chaos"))
    waiting = {
        "start": lambda: False,
        "begun": lambda: not sweep.begun(),
        "commit": lambda: not sweep.committed(before),
    }
    sent: list[str] = []
    allowed, launch = set(ENDINGS[number]), time.monotonic()
    while waiting[since]() and not sweep.ended(0.05):
        pass
    start = time.monotonic()
    if first is not None:
        if sweep.ended(moment * early):
            return ""
        workers = sorted(sweep.workers())
        if workers:
            with suppress(ProcessLookupError):
                os.kill(workers[int(worker * len(workers))], first)
                sent.append(f"{first.name} to a worker")
                allowed |= set(ENDINGS[signal.SIGINT]) if first == signal.SIGINT else set()
    if not sweep.ended(max(0.0, start + moment - time.monotonic())):
        with suppress(ProcessLookupError):
            (os.killpg if whole else os.kill)(sweep.process.pid, number)
            sent.append(f"{number.name} to {'the process group' if whole else 'the controller'}")
    tally.kills.update(sent)
    if not sent:
        return ""
    sent[-1] += f" after {time.monotonic() - launch:.1f} s"
    assert sweep.ended(60), f"a sweep does not end after {sent}"
    if sweep.process.returncode not in allowed:
        tally.unexpected.append(f"{sent}: exit {sweep.process.returncode}")
    return ", ".join(sent)


def _commits(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every commit: a run that is done again is another file."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (folder / "journal").glob("*.run")}


def _compare(reference: Rows, folder: Path, tally: Tally) -> None:
    tables = table_rows(folder)
    for name, rows in reference.items():
        expected, actual = Counter(rows), Counter(tables[name])
        tally.doubled += sum(n - 1 for n in actual.values())
        tally.different += sum((expected - actual).values()) + len((actual - expected).keys() - expected.keys())
    ids = [row.split(",", 1)[0] for row in tables["runs"]]
    tally.lost += len({row.split(",", 1)[0] for row in reference["runs"]} - set(ids))
    tally.doubled += len(ids) - len(set(ids))
    tally.lost += max(0, len(reference["runs"]) - len(_commits(folder)))
    tally.leftovers += len(leftovers(folder))


def leftovers(folder: Path) -> list[Path]:
    """Files that no completed sweep should leave."""
    own = [folder / name for name in (".lock", ".derived", "figures/.files.json")]
    strange = [path for path in folder.rglob(".*") if path not in own]
    strange += [*(folder / "working").glob("*.json"), *(folder / "checkpoints").glob("*.npz")]
    strange += [path for path in (folder / "journal").iterdir() if path.suffix != ".run"]
    return strange + [path for path in [folder / "holder.json"] if path.exists()]
