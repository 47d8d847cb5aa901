"""results/index.html: all studies that have results, from the summary inside each report."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.errors import ResultsError
from harness.report.markup import fill_template
from harness.schema import OUTCOMES
from harness.store.files import read_file, read_json, replace_file
from harness.store.journal import Journal
from harness.study.spec import SLUG
from harness.verdicts.summary import SYMBOLS

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
OWN = frozenset({"journal", "failures", "working", "checkpoints", "figures"})  # folders of one study's results
LARGEST_IMAGE = 500_000  # bytes of a figure that still goes into the page
TITLE = b"<title>Studies and their verdicts</title>"  # of index.html.j2
STALE = "The report is older than the runs; {} writes it again."
OLDER = "The report was written by an older version; {} writes it again."
NONE = "No report yet; {} writes it."


@dataclass(frozen=True)
class Entry:
    """One study on the index page."""

    name: str
    claim: str
    state: str
    sentence: str
    counts: str
    date: str
    link: str = ""
    image: str = ""
    note: str = ""


def write_index(root: Path) -> tuple[Path, int]:
    """Write `root`/index.html over all results folders below it; the page, and how many there are.

    Raises:
        ResultsError: there is none, the page cannot be written, or somebody else's is there.
    """
    entries = [entry(folder, root) for folder in folders(root)]
    if not entries:
        raise ResultsError(f"{root}: no results below it; python -m harness.sweep writes them, -o says where they are")
    target = root / "index.html"
    if os.path.lexists(target) and not _is_index(target):
        raise ResultsError(f"{target}: is not a page of the harness; move it away, or choose another folder with -o")
    text = fill_template("index.html.j2", {"entries": entries, "symbols": SYMBOLS})
    try:
        replace_file(target, text.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise ResultsError(f"{target}: cannot be written: {error.strerror or error}") from None
    return target, len(entries)


def _is_index(path: Path) -> bool:
    """Whether a page was written by `write_index`."""
    try:
        return TITLE in read_file(path)
    except OSError:
        return False


def folders(root: Path) -> Iterator[Path]:
    """All results folders at and below a folder, by name."""
    for where, below, files in os.walk(root):
        if "store.json" in files:
            yield Path(where)
            below[:] = [name for name in below if name not in OWN]
        below.sort()


def entry(folder: Path, root: Path) -> Entry:
    """The index's entry of a results folder; for a damaged one its error, so that the others are still listed."""
    plan = _json(folder / "plan.json")
    report_summary = read_summary(folder / "report.html")
    name = str(report_summary.get("name") or plan.get("name") or folder.name)
    claim = str(report_summary.get("claim") or plan.get("claim") or "")
    try:
        journal = Journal.open(folder)
        ids = {str(run_id) for run_id in plan.get("ids") or ()}
        done = len(journal.done() & ids) if ids else len(journal.done())
    except (ResultsError, OSError, TypeError) as error:
        return Entry(name, claim, "none", str(error), "", "")
    command = f"python -m harness.report {plan.get('study') or 'STUDY'}"
    report = folder / "report.html"
    link = quote(os.fsencode(os.path.relpath(report, root))) if report.is_file() else ""
    if not report_summary:
        sentence = (OLDER if link else NONE).format(command)
        return Entry(name, claim, "none", sentence, f"{done} runs done", "", link)
    outcomes = report_summary["outcomes"]
    finished = sum(count for outcome, count in outcomes.items() if outcome != "failed")
    missing = report_summary["planned"] - sum(outcomes.values())
    counts = [f"{outcomes[outcome]} {outcome}" for outcome in OUTCOMES if outcomes.get(outcome)]
    counts += [f"{missing} missing"] if missing else []
    return Entry(
        name,
        claim,
        str(report_summary.get("state")),
        str(report_summary.get("sentence")),
        f"{report_summary['planned']} runs: {', '.join(counts)}",
        str(report_summary.get("date", ""))[:10],
        link,
        _image(folder, str(report_summary.get("figure"))),
        "" if finished + report_summary.get("not_shown", 0) == done else STALE.format(command),
    )


def read_summary(report: Path) -> Mapping[str, Any]:
    """The summary inside a report; empty where there is no report, or one that is damaged or of an older version."""
    try:
        match = DATA.search(read_file(report).decode("utf-8"))
        content = json.loads(match[1])["summary"] if match else {}
        numbers = [content["planned"], content.get("not_shown", 0)] if content else []
        counts = [*numbers, *content["outcomes"].values()] if content else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    valid = isinstance(content, dict) and all(type(count) is int for count in counts)
    return content if valid else {}


def _image(folder: Path, name: str) -> str:
    """A figure as a data URI; empty where it is missing, too large, or no PNG."""
    path = folder / "figures" / f"{name}.png"
    try:
        # The name comes from the report, which anyone may have edited: no path may lead out of the folder.
        if re.fullmatch(SLUG, name) and path.stat().st_size <= LARGEST_IMAGE:
            data = read_file(path)
            return f"data:image/png;base64,{b64encode(data).decode('ascii')}" if data.startswith(b"\x89PNG") else ""
    except OSError:
        pass
    return ""


def _json(path: Path) -> Mapping[str, Any]:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return {}
