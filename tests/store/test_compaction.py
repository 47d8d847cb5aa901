"""Packing commits into segments: whatever happens in between, every run is there, once, as it was committed."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from results_folders import quiet_sweep, table_rows

from harness.execution.options import SweepOptions
from harness.execution.sweeping import sweep
from harness.registry import read
from harness.schema import Record
from harness.store import compaction, segments, tables
from harness.store.commit import BEGINNING
from harness.store.compaction import compact
from harness.store.journal import Journal
from harness.study.plan import plan

RUNS = tuple(f"{number:016x}" for number in (3, 2**64 - 1, 0, 2**63, 17, 9, 10))


@pytest.fixture(autouse=True)
def pack_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FEWEST", 2)


def filled(folder: Path, runs: tuple[str, ...] = RUNS, updates: int = 1, replace: bool = False) -> Journal:
    journal = Journal(Journal.create(folder).folder, replace=replace, writing=True)
    for run_id in runs:
        journal.commit(Record(run_id, {"outcome": "solved", "updates": updates}), {"seed": 1})
    return journal


def content(journal: Journal, runs: tuple[str, ...] = RUNS) -> dict[str, int]:
    """Updates of each run, as read."""
    updates = [(c.run_id, c.tables["runs"]["updates"][0].as_py()) for c in Journal(journal.folder).read(runs)]
    assert len(dict(updates)) == len(updates), "a run was read twice"
    return dict(updates)


def one_segment(folder: Path) -> Path:
    [path] = (folder / "journal" / "segments").glob("*.segment")
    return path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder / "journal")) for path in (folder / "journal").rglob("*") if path.is_file()}


def test_few_commits_stay_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FEWEST", len(RUNS) + 1)
    journal = filled(tmp_path)
    assert compact(journal) == 0
    assert files(tmp_path) == {f"{run_id}.run" for run_id in RUNS}


def test_packed_commits_are_read_unchanged_and_not_committed_again(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    data = {run_id: journal.path(run_id).read_bytes() for run_id in RUNS}
    assert compact(journal) == len(RUNS)
    assert files(tmp_path) == {f"segments/{one_segment(tmp_path).name}"}
    assert {run_id: journal.segments().read(run_id) for run_id in RUNS} == data
    assert journal.done() == set(RUNS)
    assert all(journal.has(run_id) for run_id in RUNS)
    assert not journal.has("e" * 16)
    assert not journal.commit(Record(RUNS[0], {"outcome": "solved", "updates": 9}), {})
    assert content(journal) == dict.fromkeys(RUNS, 1)
    assert compact(journal) == 0


def test_a_failure_is_taken_away_by_a_success_in_a_segment(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    journal.fail(RUNS[0], {}, "ValueError: no", "trace", 1)
    compact(journal)
    assert journal.failures() == {}


def test_a_segment_that_is_full_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = filled(tmp_path)
    monkeypatch.setattr(compaction, "SEGMENT_BYTES", 2.5 * journal.path(RUNS[0]).stat().st_size)
    compact(journal)
    assert len(journal.segments().segments) == 3
    assert content(journal) == dict.fromkeys(RUNS, 1)


def test_a_newer_commit_wins_and_the_older_one_goes_with_the_next_packing(tmp_path: Path) -> None:
    compact(filled(tmp_path))
    again = filled(tmp_path, RUNS[:2], updates=2, replace=True)
    newest = {**dict.fromkeys(RUNS, 1), **dict.fromkeys(RUNS[:2], 2)}
    assert content(again) == newest
    assert compact(again) == 2
    assert content(again) == newest
    assert one_segment(tmp_path).read_bytes().count(BEGINNING) == len(RUNS)


# --- kills ------------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """No `except` and no `finally` may act after it: every call below fails from then on."""


def stepped(monkeypatch: pytest.MonkeyPatch, step: Callable[[], None]) -> None:
    """Call `step` before everything that changes the folder."""
    for name in ("replace", "rename", "unlink", "fsync", "mkdir"):
        real = getattr(os, name)

        def call(*arguments, real=real, **options):
            step()
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)


def half_used(folder: Path) -> tuple[Journal, dict[str, int]]:
    """A segment of which one commit was replaced and one was damaged and done again, and files."""
    compact(filled(folder, RUNS[:5]))
    path = one_segment(folder)
    journal = Journal.create(folder)
    data = path.read_bytes()
    place = journal.segments().segments[0].find(RUNS[1])
    assert place is not None
    path.write_bytes(data[: place[0] + 200] + b"?" + data[place[0] + 201 :])
    assert journal.damaged(RUNS).keys() == {RUNS[1]}
    journal.quarantine(RUNS[1], "spoiled")
    filled(folder, RUNS[:2], updates=2, replace=True)
    filled(folder, RUNS[5:])
    return journal, {**dict.fromkeys(RUNS, 1), RUNS[0]: 2, RUNS[1]: 2}


def test_a_death_at_any_step_loses_nothing_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    died = 0
    while True:
        folder, left = tmp_path / str(died), died
        journal, expected = half_used(folder)

        def step() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with monkeypatch.context() as patched:
            stepped(patched, step)
            try:
                compact(journal)
            except Killed:
                died += 1
        assert content(journal) == expected, f"died at step {died}"
        assert Journal.open(folder).done() == set(RUNS)
        if left >= 0:
            break
        journal.clear_temporaries()
        monkeypatch.setattr(compaction, "FEWEST", 0)
        compact(journal)
        monkeypatch.setattr(compaction, "FEWEST", 2)
        assert content(journal) == expected
        segment = one_segment(folder)
        assert segment.read_bytes().count(BEGINNING) == len(RUNS)
        assert {name for name in files(folder) if "damaged" not in name} == {f"segments/{segment.name}"}
    assert died > 10


def test_readers_see_every_run_once_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, expected = half_used(tmp_path)
    early = Journal.open(tmp_path).read(RUNS)
    seen = [next(early).run_id]

    def step() -> None:
        assert content(journal) == expected
        assert Journal.open(tmp_path).done() == set(RUNS)
        seen.extend(commit.run_id for commit in [next(early, None)] if commit)

    with monkeypatch.context() as patched:
        stepped(patched, step)
        compact(journal)
    assert seen == list(RUNS)


def test_ids_that_are_packed_while_they_are_listed_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, loose = filled(tmp_path), Journal.loose

    def late(self: Journal) -> dict[str, int]:
        ids = loose(self)
        with monkeypatch.context() as plain:
            plain.setattr(Journal, "loose", loose)
            compact(journal)
        return ids

    monkeypatch.setattr(Journal, "loose", late)
    assert Journal.open(tmp_path).done() == set(RUNS)


def test_a_segment_that_takes_anothers_place_during_a_listing_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compact(filled(tmp_path))
    filled(tmp_path, RUNS, updates=2, replace=True)
    listing, calls = os.listdir, []

    def half_way(folder):
        """The first listing sees neither: the old one went before it came to it, the new one came after."""
        names = listing(folder)
        calls.append(folder)
        if len(calls) == 1:
            with monkeypatch.context() as plain:
                plain.setattr(os, "listdir", listing)
                compact(Journal.create(tmp_path))
            return []
        return names

    monkeypatch.setattr(os, "listdir", half_way)
    assert Journal.open(tmp_path).segments().ids() == set(RUNS)


def test_a_full_disk_leaves_the_files_and_the_sweep_is_done_all_the_same(
    study_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, records: object) -> frozenset[str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(compaction, "write", full)
    study_plan = plan(read(study_file()))
    assert quiet_sweep(study_plan, tmp_path / "r").missing == 0
    assert set(Journal.open(tmp_path / "r").loose()) == study_plan.ids


# --- damage -----------------------------------------------------------------------------------------------------------


def test_a_damaged_commit_in_a_segment_is_missing_alone_and_can_be_done_again(tmp_path: Path) -> None:
    journal, expected = half_used(tmp_path)
    journal.path(RUNS[1]).unlink()
    assert journal.done() == set(RUNS) - {RUNS[1]}
    assert journal.quarantined() == (RUNS[1],)
    assert content(journal) == {run_id: n for run_id, n in expected.items() if run_id != RUNS[1]}
    assert journal.commit(Record(RUNS[1], {"outcome": "solved", "updates": 2}), {})
    assert content(journal) == expected
    compact(journal)
    assert content(journal) == expected
    assert not [name for name in files(tmp_path) if name.endswith(".struck")]


def test_a_reader_skips_a_damaged_commit_and_changes_nothing(tmp_path: Path) -> None:
    compact(filled(tmp_path))
    path = one_segment(tmp_path)
    data = path.read_bytes()
    path.write_bytes(b"?" + data[1:])
    before = files(tmp_path)
    reader = Journal.open(tmp_path)
    assert len(reader.damaged(reader.done())) == 1
    assert len(content(reader)) == len(RUNS) - 1
    assert files(tmp_path) == before


def test_no_flipped_bit_is_read_as_data_and_none_costs_more_than_its_run(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    original = {run_id: journal.path(run_id).read_bytes() for run_id in RUNS}
    compact(journal)
    path = one_segment(tmp_path)
    whole, seed = path.read_bytes(), 7
    print(f"seed {seed}")
    end = 8 * (len(whole) - 24 * len(RUNS) - segments.TRAILER.size)
    draw = random.Random(seed)
    for bit in [*draw.sample(range(end), 300), *draw.sample(range(end, 8 * len(whole)), 300)]:
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        reader = Journal.open(tmp_path)
        sound = reader.done() - reader.damaged(RUNS).keys()
        assert len(sound) == len(RUNS) - (bit < end)
        view = reader.segments()
        assert {run_id: view.read(run_id) for run_id in sound} == {run_id: original[run_id] for run_id in sound}


def test_commits_before_a_cut_are_read(tmp_path: Path) -> None:
    journal = filled(tmp_path)
    order = sorted(RUNS, key=journal.loose().__getitem__)
    sizes = [journal.path(run_id).stat().st_size for run_id in order]
    compact(journal)
    path = one_segment(tmp_path)
    whole, reader = path.read_bytes(), Journal.open(tmp_path)
    for cut in (0, 1, sizes[0] - 1, sizes[0], sum(sizes[:3]) + 5, sum(sizes), len(whole) - 1):
        path.write_bytes(whole[:cut])
        there = sum(sum(sizes[: n + 1]) <= cut for n in range(len(sizes)))
        assert content(reader) == dict.fromkeys(order[:there], 1)
        assert reader.done() == set(order[:there])


def test_a_segment_with_a_damaged_index_is_packed_again_and_quarantined(tmp_path: Path) -> None:
    compact(filled(tmp_path, RUNS[:5]))
    path = one_segment(tmp_path)
    path.write_bytes(path.read_bytes()[:-3])
    journal = filled(tmp_path, RUNS[5:])
    assert content(journal) == dict.fromkeys(RUNS, 1)
    compact(journal)
    assert content(journal) == dict.fromkeys(RUNS, 1)
    assert one_segment(tmp_path).name != path.name
    assert f"damaged/{path.name}" in files(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "empty", "words"])
def test_a_file_that_is_no_segment_is_ignored(tmp_path: Path, kind: str) -> None:
    journal = filled(tmp_path, RUNS[:3])
    compact(journal)
    path = tmp_path / "journal" / "segments" / "900000-x.segment"
    {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to("nowhere"),
        "empty": path.touch,
        "words": lambda: path.write_bytes(b'{"harness_schema": 1, "tables": {"x": -5}}\n' * 3 + segments.MAGIC * 9),
    }[kind]()
    filled(tmp_path, RUNS[3:])
    assert content(journal) == dict.fromkeys(RUNS, 1)
    compact(journal)
    assert content(journal) == dict.fromkeys(RUNS, 1)
    assert journal.done() == set(RUNS)


# --- whole sweeps -----------------------------------------------------------------------------------------------------


def test_a_sweep_that_packs_half_way_and_goes_on_has_the_tables_of_one_that_does_not(
    study_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study_plan = plan(read(study_file()))
    with monkeypatch.context() as patched:
        patched.setattr(compaction, "FEWEST", 1000)
        quiet_sweep(study_plan, tmp_path / "files")
    quiet_sweep(study_plan, tmp_path / "packed", limit=4)
    assert len(Journal.open(tmp_path / "packed").segments().ids()) == 4
    again = quiet_sweep(study_plan, tmp_path / "packed")
    assert (again.computed, again.missing) == (2, 0)
    assert not Journal.open(tmp_path / "packed").loose()
    assert quiet_sweep(study_plan, tmp_path / "packed").computed == 0
    assert table_rows(tmp_path / "packed") == table_rows(tmp_path / "files")


def test_a_sweep_finds_a_damaged_commit_in_a_segment_and_does_it_again(study_file, tmp_path: Path, capsys) -> None:
    study_plan = plan(read(study_file()))
    quiet_sweep(study_plan, tmp_path)
    before, path = table_rows(tmp_path), one_segment(tmp_path)
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    again = sweep(study_plan, tmp_path, SweepOptions(engine="torch"))
    assert "damaged commit quarantined, its run is missing" in capsys.readouterr().err
    assert (again.computed, again.missing) == (1, 0)
    assert table_rows(tmp_path) == before


def test_packed_folders_are_merged_by_copying_their_commits(study_file, tmp_path: Path) -> None:
    study_plan = plan(read(study_file()))
    quiet_sweep(study_plan, tmp_path / "whole")
    for name, where in (("a", {"cell": "rnn"}), ("b", {"cell": ["lstm", "gru"]})):
        quiet_sweep(study_plan, tmp_path / name, where=where)
    shutil.copytree(tmp_path / "b" / "journal", tmp_path / "a" / "journal", dirs_exist_ok=True)
    merged = Journal.open(tmp_path / "a")
    assert merged.done() == study_plan.ids
    tables.refresh(merged, study_plan)
    assert table_rows(tmp_path / "a") == table_rows(tmp_path / "whole")
