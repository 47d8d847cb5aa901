"""The report while a sweep runs: the same page, served on loopback, and rendered again when runs have ended.

Nothing is written, so that it cannot interfere with the sweep.
"""

from __future__ import annotations

import json
import sys
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
from harness.figures.rendering import render
from harness.report.page import html
from harness.report.presenting import provenance, remarks
from harness.store.files import read_json
from harness.store.journal import Journal
from harness.store.status import Status
from harness.study.plan import Plan
from harness.verdicts.judging import judge_folder

HOST = "127.0.0.1"
CLIENT_SECONDS = 5.0  # that a client may take to send or to read on
MOST_CLIENTS = 64  # at a time: each has a thread
SHARE = 0.1  # of the time, at most, that rendering takes
MARKER_SECONDS = 120.0  # a worker's marker that is older is ignored: the worker was killed
ESTIMATE_SECONDS = 3.0  # from the start, before the pace is known well enough for an estimate of the time left


@dataclass
class Live:
    """The newest page and the progress of a results folder that is being filled."""

    plan: Plan
    folder: Path
    text: bytes = b""
    number: int = 0  # of the page
    spent: float = 0.0  # seconds that it took to render
    ended: tuple[frozenset[str], frozenset[str]] | None = None  # ids of runs done and failed when it was rendered
    start: float = field(default_factory=monotonic)
    rendered: float = 0.0  # when the page was
    first_cost: float | None = None  # predicted seconds of the runs that were open at the first look

    def refresh(self) -> bool:
        """Render the page again if runs have ended since, and at most `SHARE` of the time has gone into it."""
        if self.number and monotonic() - self.rendered < self.spent / SHARE:
            return False
        status = self._status()
        ended = status.done, frozenset(status.failed)
        if ended == self.ended:
            return False
        before = monotonic()
        self.text = live_page(self.plan, self.folder, self.number + 1).encode("utf-8", errors="backslashreplace")
        self.number, self.ended, self.rendered = self.number + 1, ended, monotonic()
        self.spent = self.rendered - before
        return True

    def progress(self) -> Mapping[str, Any]:
        """Counts of runs, and `seconds_left`: every open run taken to its full budget, at the pace since the start."""
        status = self._status()
        counts, open_runs = status.counts(), status.plan.costs(status.remaining)
        working = {run_id: share for run_id, share in self._working().items() if run_id in open_runs}
        cost = sum(open_runs.values()) - sum(open_runs[run_id] * share for run_id, share in working.items())
        self.first_cost = cost if self.first_cost is None else self.first_cost
        elapsed, computed = monotonic() - self.start, self.first_cost - cost
        known = working and computed > 0 and elapsed > ESTIMATE_SECONDS
        return {
            "study": self.plan.study.name,
            "planned": status.plan.count,
            **{name: counts[name] for name in ("done", "missing", "failed")},
            "running": len(working),
            "seconds_left": round(cost * elapsed / computed) if known else None,
            "last_failure": self._last_failure(status.failed),
            "page": self.number,
        }

    def _status(self) -> Status:
        """Checksums are not verified: the page asks every two seconds."""
        return Status.of(self.plan, Journal.open(self.folder), verify=False)

    def _working(self) -> Mapping[str, float]:
        """The runs that workers compute now, and the share of its budget that each has used."""
        shares: dict[str, float] = {}
        for path in (self.folder / "working").rglob("*.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                if time() - path.stat().st_mtime < MARKER_SECONDS:
                    note = read_json(path)
                    shares |= {str(run_id): min(1.0, float(note["share"])) for run_id in note["runs"]}
        return shares

    def _last_failure(self, failures: Mapping[str, str]) -> str | None:
        journal, last = Journal.open(self.folder), None
        with suppress(OSError):
            last = max(failures, key=lambda run_id: journal.failure_path(run_id).stat().st_mtime, default=None)
        return f"{last}: {failures[last]}" if last else None


def live_page(plan: Plan, folder: Path, number: int) -> str:
    """The report of the results so far, as text.

    Raises:
        ResultsError: the folder has no results.
    """
    judged = judge_folder(plan, folder)
    with TemporaryDirectory() as nowhere:
        figures, notes = render(judged.plan.study, judged.frames, Path(nowhere) / "figures", ())
    status = Status.of(plan, Journal.open(folder), verify=False)
    return html(
        judged.plan.study, judged.frames, judged.verdicts, figures, provenance(folder),
        [*remarks(status), *notes], status.failed, registration=judged.registration, live=number, tuned=judged.tuned,
    )  # fmt: skip


class LiveServer(ThreadingHTTPServer):
    """A server that holds few clients at a time, and has nothing to say of one that leaves.

    A client that leaves, or is let go, ends in an OSError wherever its thread is: while it reads the request, writes
    headers, or closes the connection. That is no fault of the server, and the terminal belongs to the sweep.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.places = threading.BoundedSemaphore(MOST_CLIENTS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def server(live: Live, port: int = 0) -> ThreadingHTTPServer:
    """A server of two addresses, bound to loopback: `/` is the page, and `/progress.json` the progress of the sweep.

    Args:
        live: page and progress.
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
        timeout = CLIENT_SECONDS  # of the socket: a client that sends half a request, or reads nothing, is let go

        def do_GET(self) -> None:
            own = self.headers.get("Host") in hosts
            entry = table.get(self.path.partition("?")[0])
            if not own:  # DNS rebinding: a page from elsewhere whose name was bound to this address
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
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """No log: the page asks every two seconds, which would fill the terminal."""

    try:
        bound = LiveServer((HOST, port), Handler)
    except OSError as error:
        raise ResultsError(f"port {port}: {error.strerror or error}; choose another with --port") from None
    hosts |= {f"{name}:{bound.server_port}" for name in (HOST, "localhost")}
    return bound


def serve(plan: Plan, folder: Path, port: int = 0, say: Callable[[str], None] = print) -> None:
    """Serve the live report until interrupted.

    Args:
        plan: whose runs count.
        folder: the results folder.
        port: 0 takes any that is free.
        say: receives the address, once.

    Raises:
        ResultsError: the folder has no results yet, or the port is taken.
    """
    live = Live(plan, folder)
    live.refresh()
    with server(live, port) as serving:
        thread = threading.Thread(target=serving.serve_forever, name="live", daemon=True)
        thread.start()
        try:  # from the first moment on: whoever reads the address may interrupt at once
            say(f"http://{HOST}:{serving.server_port}/ shows {plan.study.name} while it is computed; Ctrl-C ends this")
            while not threading.Event().wait(1.0):
                with suppress(OSError, ResultsError):  # a folder that is being moved or cleared may come back
                    live.refresh()
        except KeyboardInterrupt:
            pass
        finally:
            serving.shutdown()
