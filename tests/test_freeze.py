"""From calibration runs to a registered verdict: what a sweep computes, what the verdicts rest on, what is recorded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from commands import ONE_PROCESS, exit_code
from study_texts import study_text

from harness import check, cli, freeze, papers, sweep
from harness.registry import read
from harness.report.index import entry, folders
from harness.study.freezes import read_freezes

SECTIONS: dict[str, Any] = {
    "seeds": {"calibration": 2, "judged": {"first": 1000, "count": 3}},
    "expect": [{"metric": "final_accuracy", "at_most": 0.9}],
    "judge": "value",  # so few seeds have no interval
    "paper": {"source": "A. Author 1994, section 2", "tag": "qualitative"},
}


class Bench:
    """A study in a git repository, swept and frozen as a user does."""

    def __init__(self, path: Path, out: Path, capsys) -> None:
        self.path, self.out, self.capsys = path, out, capsys

    def sweep(self, *arguments: str) -> tuple[set[int], str]:
        """The seeds of all runs that have a result after a sweep, and what was shown."""
        from harness.store.journal import Journal
        from harness.study.plan import plan

        options = [*ONE_PROCESS, "--no-progress", "--format", "png"]
        assert exit_code(sweep, self.path, "-o", self.out, *options, *arguments) == cli.DONE
        done = Journal.open(self.out / "tiny").done()
        shown = self.capsys.readouterr()
        return {run.seed for run in plan(read(self.path)).runs if run.run_id in done}, shown.out + shown.err

    def freeze(self, *arguments: str, code: int = cli.DONE) -> str:
        assert exit_code(freeze, self.path, "-o", self.out, *arguments) == code
        shown = self.capsys.readouterr()
        return shown.out + shown.err

    def check(self, *arguments: str, code: int = cli.DONE) -> str:
        assert exit_code(check, self.path, "-o", self.out, *arguments) == code
        return " ".join(self.capsys.readouterr().out.split())

    def papers(self) -> str:
        papers.main([str(self.path.parent), "-o", str(self.out)])
        return self.capsys.readouterr().out

    def write(self, **sections: Any) -> None:
        self.path.write_text(study_text(**SECTIONS | sections))

    @property
    def file(self) -> Path:
        return self.path.with_name("tiny.freeze.jsonl")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.path.parent, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self) -> str:
        if not (self.path.parent / ".git").exists():
            self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "as it is")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def bench(study_file, tmp_path: Path, capsys) -> Bench:
    bench = Bench(study_file(study_text(**SECTIONS)), tmp_path / "out", capsys)
    bench.file.unlink(missing_ok=True)
    return bench


CALIBRATION, JUDGED = {0, 1}, {1000, 1001, 1002}


def test_judged_runs_wait_for_a_freeze_and_judge_alone(bench: Bench, tmp_path: Path) -> None:
    commit, junit = bench.commit(), tmp_path / "verdicts.xml"
    seeds, shown = bench.sweep()
    assert seeds == CALIBRATION
    assert "calibration seeds 0–1 alone, as it is not frozen yet; to go on, freeze the expectations" in shown
    text = bench.check("--junit", str(junit), code=cli.RUNS_MISSING)
    assert "On calibration seeds: The expectation holds." in text
    [case] = ElementTree.parse(junit).getroot().findall("testcase")
    assert case.find("skipped").get("message").startswith("calibration seeds decide nothing: holds")
    assert "none measured here yet" in bench.papers(), "a published page is about judged runs"
    assert "would be written to" in bench.freeze("-n")
    assert not bench.file.exists()
    assert "at_most 0.9, judge value, metric final_accuracy" in bench.freeze()
    [line] = read_freezes(bench.file)
    assert (line.commit, line.dirty, line.judged_runs) == (commit, False, 0)
    seeds, shown = bench.sweep()
    assert seeds == CALIBRATION | JUDGED
    assert "3 of 3 (3 unsolved)" in shown
    text = bench.check()
    assert f"Registered on {line.day}, commit {commit[:12]}, before any judged run." in text
    assert "Judged seeds 1000–1002; the calibration seeds 0–1 are not shown." in text
    assert "Judged seeds 1000–1002" in (bench.out / "tiny" / "report.html").read_text()
    document = json.loads(bench.check("--json", "--junit", str(junit)))
    assert document["registration"] == {
        "state": "registered", "seeds": "judged", "which": "1000–1002", "frozen": line.date, "commit": commit,
        "amendments": [],
    }  # fmt: skip
    properties = {each.get("name"): each.get("value") for each in ElementTree.parse(junit).iter("property")}
    assert properties["registration"] == "registered"
    assert "tiny: holds, qualitative, registered, 3 of 3 runs" in bench.papers()
    [listed] = [entry(folder, bench.out) for folder in folders(bench.out)]
    assert (listed.sentence, listed.note) == ("The expectation holds.", ""), "calibration runs make no report stale"


def test_judged_runs_before_a_freeze_are_computed_and_counted(bench: Bench) -> None:
    seeds, shown = bench.sweep("--seeds", "judged")
    assert seeds == JUDGED
    assert "recorded as an amendment" in shown
    assert "Not registered: these expectations were never frozen (judged before a freeze on" in bench.check()
    shown = bench.freeze()
    assert "3 judged runs have a result already" in shown
    assert "is in no git repository with a commit: the freeze has a date, but no commit" in shown
    assert [line.event for line in read_freezes(bench.file)] == ["judged", "freeze"]
    assert "The expectation holds, after 1 amendment. " in (text := bench.check())
    assert "After 1 amendment: judged before a freeze on" in text


def test_what_an_override_chose_after_the_freeze_leaves_the_freeze_file_alone(bench: Bench) -> None:
    bench.commit()
    bench.freeze()
    before = bench.file.read_bytes()
    for look in (("training.max_updates=3",), ("training.max_updates=3", "seeds=[1000]")):
        _, shown = bench.sweep(*(part for text in look for part in ("-S", text)))
        assert "amendment" not in shown
        assert bench.file.read_bytes() == before


def test_an_edit_after_the_freeze_is_shown_with_its_place_and_counted(bench: Bench) -> None:
    bench.commit()
    bench.freeze()
    bench.sweep()
    bench.write(expect=[{"metric": "final_accuracy", "at_most": 0.8}])
    place = f"{bench.path}:8:10: expect[0] (at_most was 0.9, is 0.8) differs from the freeze of "
    _, shown = bench.sweep()
    assert place in shown
    assert place in (text := bench.check())
    assert "The expectation holds, after 1 amendment." in text
    assert "say why with --note" in bench.freeze(code=cli.USAGE_ERROR)
    assert "the freeze notes 'dirty'" in bench.freeze("--note", "a typing error")
    assert "amended (1)" in bench.papers()
    assert "After 1 amendment: freeze of" in (text := bench.check())
    assert ": a typing error (expect[0] (at_most was 0.9, is 0.8) differs from the one before)." in text


def test_committed_lines_that_are_gone_are_noticed(bench: Bench) -> None:
    bench.freeze()
    bench.commit()
    bench.file.unlink()
    assert "lines that were committed are gone" in bench.freeze(code=cli.USAGE_ERROR)
    assert not bench.file.exists()
    bench.git("checkout", "-q", "--", bench.file.name)
    assert "nothing has changed since" in bench.freeze(code=cli.USAGE_ERROR)


def test_seeds_of_an_override_are_exploratory(bench: Bench) -> None:
    bench.freeze()
    _, shown = bench.sweep("-S", "seeds=[7]")
    assert "Exploratory: -S chose the judged seeds, 7." in shown
    assert "Exploratory: -S chose the judged seeds, 7." in bench.check("-S", "seeds=[7]")
    assert len(read_freezes(bench.file)) == 1


def test_a_look_at_judged_seeds_by_an_override_before_the_freeze_is_recorded(bench: Bench) -> None:
    seeds, _ = bench.sweep("-S", "seeds=[1001, 1002, 7]")
    assert seeds == {1001, 1002}
    [line] = read_freezes(bench.file)
    assert line.event == "judged"
    bench.freeze()
    assert "The expectation holds, after 1 amendment." in bench.sweep()[1]
