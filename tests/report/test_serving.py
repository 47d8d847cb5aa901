"""The live report: on loopback alone, two addresses and no more, new when runs have ended and not too often."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest
from live_server import running
from results_folders import commit

from harness.errors import ResultsError
from harness.registry import read
from harness.report import serving
from harness.report.serving import HOST, Live, server
from harness.store.journal import Journal
from harness.study.plan import Plan, plan

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study_plan(study_file: Any) -> Plan:
    return plan(read(study_file()))


@pytest.fixture
def journal(study_plan: Plan, tmp_path: Path) -> Journal:
    journal = Journal.create(tmp_path / "out" / "tiny")
    commit(journal, study_plan.runs[0])
    return journal


def request(port: int, path: str, method: str = "GET", host: str | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection(HOST, port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"{HOST}:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_serves_the_page_and_the_progress_and_nothing_else(study_plan: Plan, journal: Journal) -> None:
    live = Live(study_plan, journal.folder)
    live.refresh()
    with running(live) as http_server:
        port = http_server.server_port
        assert http_server.server_address[0] == "127.0.0.1"
        status, page = request(port, "/")
        assert (status, page) == (200, live.text)
        status, progress = request(port, "/progress.json?x=1")
        assert (status, json.loads(progress)["done"]) == (200, 1)
        for path in ("/report.html", "/..", "/../../etc/passwd", "//etc/passwd", "/%2e%2e/plan.json", "/store.json",
                     "/progress.json/", "http://x/progress.json"):  # fmt: skip
            assert request(port, path)[0] == 404
        assert request(port, "/", "POST")[0] == 501


def test_a_request_under_another_host_name_is_refused(study_plan: Plan, journal: Journal) -> None:
    live = Live(study_plan, journal.folder)
    with running(live) as http_server:
        assert request(http_server.server_port, "/", host=f"evil.example:{http_server.server_port}")[0] == 403
        assert request(http_server.server_port, "/progress.json", host=f"localhost:{http_server.server_port}")[0] == 200


def test_a_page_is_rendered_again_when_a_run_has_ended_and_not_before(study_plan: Plan, journal: Journal) -> None:
    live = Live(study_plan, journal.folder)
    assert live.refresh()
    live.spent = 0.0
    assert not live.refresh()
    commit(journal, study_plan.runs[1])
    assert live.refresh()
    assert live.number == 2
    journal.fail(study_plan.runs[2].run_id, {}, "ValueError: no", "trace", 1)
    live.spent = 0.0
    assert live.refresh()
    assert b"ValueError: no" in live.text


def test_rendering_takes_a_small_share_of_the_time(study_plan: Plan, journal: Journal) -> None:
    live = Live(study_plan, journal.folder)
    live.refresh()
    commit(journal, study_plan.runs[1])
    live.spent = 2.0
    assert not live.refresh()
    live.rendered -= 2.0 / serving.SHARE
    assert live.refresh()


def test_it_writes_nothing(study_plan: Plan, journal: Journal) -> None:
    before = sorted(journal.folder.rglob("*"))
    live = Live(study_plan, journal.folder)
    live.refresh()
    live.progress()
    assert sorted(journal.folder.rglob("*")) == before


def test_progress_counts_runs_and_estimates_from_the_pace_so_far(study_plan: Plan, journal: Journal) -> None:
    live = Live(study_plan, journal.folder)
    first = live.progress()
    assert {name: first[name] for name in ("planned", "done", "missing", "failed", "running", "seconds_left")} == {
        "planned": 6, "done": 1, "missing": 5, "failed": 0, "running": 0, "seconds_left": None,
    }  # fmt: skip
    marker = journal.folder / "working" / "host" / "1.json"
    marker.parent.mkdir(parents=True)
    same = [run for run in study_plan.runs[1:] if run.point is study_plan.runs[1].point]
    marker.write_text(json.dumps({"runs": [run.run_id for run in same], "done": {}, "share": 0.5}))
    live.start = monotonic() - 10
    half = live.progress()
    assert half["running"] == len(same)
    assert live.first_cost is not None
    costs = study_plan.costs(study_plan.runs[1:])
    computed = 0.5 * sum(costs[run.run_id] for run in same)
    assert half["seconds_left"] == pytest.approx(10 * (live.first_cost - computed) / computed, abs=1)
    os.utime(marker, (time() - 1000, time() - 1000))
    assert live.progress()["running"] == 0


def test_the_last_failure_is_reported(study_plan: Plan, journal: Journal) -> None:
    first, second = study_plan.runs[1:3]
    for run, error in ((first, "ValueError: new"), (second, "ValueError: old")):
        journal.fail(run.run_id, {}, error, "trace", 1)
    os.utime(journal.failure_path(second.run_id), (0, 0))
    progress = Live(study_plan, journal.folder).progress()
    assert (progress["failed"], progress["last_failure"]) == (2, f"{first.run_id}: ValueError: new")


def test_a_port_that_is_taken_is_a_message(study_plan: Plan, journal: Journal) -> None:
    live = Live(study_plan, journal.folder)
    with running(live) as http_server, pytest.raises(ResultsError, match="choose another with --port"):
        server(live, http_server.server_port)


def test_an_interrupt_ends_the_server_without_an_error(study_plan: Plan, journal: Journal) -> None:
    command = [
        sys.executable,
        "-m",
        "harness.report",
        study_plan.study.path,
        "-o",
        str(journal.folder.parent),
        "--live",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith(f"http://{HOST}:")
        port = int(line.split("/")[2].rpartition(":")[2])
        assert request(port, "/")[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
