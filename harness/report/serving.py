"""The report while a sweep runs: the same page, served on loopback, made again when runs have been committed.

Nothing is written, so that it never meets what the sweep itself writes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, time
from typing import Any

from harness.errors import ResultsError
from harness.execution.sweeping import costs
from harness.figures.rendering import render
from harness.report.page import html
from harness.report.presenting import failure_reasons, judge_folder, provenance
from harness.store.journal import Journal, read_json
from harness.study.plan import Plan

HOST = "127.0.0.1"
SHARE = 0.1  # of the time, at most, that goes into making pages
OLD = 120.0  # seconds after which what a worker noted is no longer believed: it has died
SOON = 3.0  # seconds before which there is no estimate of the time left


@dataclass
class Live:
    """A results folder that is being filled: its newest page, and how far it is."""

    plan: Plan
    folder: Path
    text: bytes = b""
    number: int = 0
    spent: float = 0.0
    seen: tuple[frozenset[str], frozenset[str]] | None = None
    start: float = field(default_factory=monotonic)
    made: float = 0.0
    open_cost: float | None = None  # predicted seconds of what was open when this began

    def refresh(self) -> bool:
        """Make the page again if runs have ended since, and not more than `SHARE` of the time goes into it."""
        if self.number and monotonic() - self.made < self.spent / SHARE:
            return False
        journal = Journal.open(self.folder)
        seen = journal.done() & self.plan.ids, frozenset(journal.failures()) & self.plan.ids
        if seen == self.seen:
            return False
        before = monotonic()
        self.text = live_page(self.plan, self.folder, self.number + 1).encode("utf-8", errors="backslashreplace")
        self.number, self.seen, self.made = self.number + 1, seen, monotonic()
        self.spent = self.made - before
        return True

    def progress(self) -> Mapping[str, Any]:
        """How far the sweep is; `seconds_left` takes every open run to its full budget at the pace since the start."""
        journal = Journal.open(self.folder)
        done, failures = journal.done() & self.plan.ids, failure_reasons(self.plan, self.folder)
        left = costs(self.plan, [run for run in self.plan.runs if run.run_id not in done | failures.keys()])
        working = {run_id: share for run_id, share in self._working().items() if run_id in left}
        open_cost = sum(left.values()) - sum(left[run_id] * share for run_id, share in working.items())
        self.open_cost = open_cost if self.open_cost is None else self.open_cost
        elapsed, gone = monotonic() - self.start, self.open_cost - open_cost
        known = working and gone > 0 and elapsed > SOON
        return {
            "study": self.plan.study.name,
            "planned": len(self.plan.runs),
            "done": len(done),
            "missing": len(left),
            "failed": len(failures),
            "running": len(working),
            "seconds_left": round(open_cost * elapsed / gone) if known else None,
            "last_failure": self._last_failure(failures),
            "page": self.number,
        }

    def _working(self) -> Mapping[str, float]:
        """What workers are at, with the share of its budget that each run has used."""
        found: dict[str, float] = {}
        for path in (self.folder / "working").rglob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                if time() - path.stat().st_mtime < OLD:
                    note = read_json(path)
                    found |= {str(run_id): min(1.0, float(note["share"])) for run_id in note["runs"]}
        return found

    def _last_failure(self, failures: Mapping[str, str]) -> str | None:
        journal, last = Journal.open(self.folder), None
        with suppress(OSError):
            last = max(failures, key=lambda run_id: journal.failure_path(run_id).stat().st_mtime, default=None)
        return f"{last}: {failures[last]}" if last else None


def live_page(plan: Plan, folder: Path, number: int) -> str:
    """The report of what there is so far, as text.

    Raises:
        ResultsError: the folder has no results.
    """
    judged = judge_folder(plan, folder)
    with TemporaryDirectory() as nowhere:
        drawings, notes = render(plan.study, judged.frames, Path(nowhere) / "figures", ())
    reasons = failure_reasons(plan, folder)
    return html(
        plan.study, judged.frames, judged.verdicts, drawings, provenance(folder), notes, reasons, live=number
    )  # fmt: skip


def server(live: Live, port: int = 0) -> ThreadingHTTPServer:
    """A server of two things, bound to loopback: `/`, the page, and `/progress.json`, how far the sweep is.

    Args:
        port: 0 takes any that is free.

    Raises:
        ResultsError: the port is taken.
    """
    table: Mapping[str, tuple[str, Callable[[], bytes]]] = {
        "/": ("text/html; charset=utf-8", lambda: live.text),
        "/progress.json": ("application/json", lambda: json.dumps(live.progress()).encode()),
    }

    hosts: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            own = self.headers.get("Host") in hosts
            entry = table.get(self.path.partition("?")[0])
            if not own:  # a page from elsewhere whose name was bound to this address
                self.send_error(HTTPStatus.FORBIDDEN)
            elif entry is None:
                self.send_error(HTTPStatus.NOT_FOUND)
            else:
                self._send(*entry)

        def _send(self, kind: str, content: Callable[[], bytes]) -> None:
            try:
                data = content()
            except (OSError, ResultsError):
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
                return
            self.send_response(HTTPStatus.OK)
            for name, value in (
                ("Content-Type", kind), ("Content-Length", str(len(data))), ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ):  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """A page that asks every two seconds would fill the terminal."""

    try:
        made = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise ResultsError(f"port {port}: {error.strerror or error}; choose another with --port") from None
    hosts |= {f"{name}:{made.server_port}" for name in (HOST, "localhost")}
    return made


def serve(plan: Plan, folder: Path, port: int = 0, say: Callable[[str], None] = print) -> None:
    """Serve the live report until interrupted.

    Args:
        say: is told the address, once.

    Raises:
        ResultsError: the folder has no results yet, or the port is taken.
    """
    live = Live(plan, folder)
    live.refresh()
    with server(live, port) as serving:
        thread = threading.Thread(target=serving.serve_forever, name="live", daemon=True)
        thread.start()
        say(f"http://{HOST}:{serving.server_port}/ shows {plan.study.name} while it is computed; Ctrl-C ends this")
        try:
            while not threading.Event().wait(1.0):
                with suppress(OSError, ResultsError):  # a folder that is being moved or cleared may come back
                    live.refresh()
        except KeyboardInterrupt:
            pass
        finally:
            serving.shutdown()
