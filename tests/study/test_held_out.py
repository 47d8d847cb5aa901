"""Calibration and judged seeds share none; a freeze registers what is judged, not what is said or drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_texts import TINY_SETTINGS, study_text, text_of

from harness.errors import HarnessError, StudyError
from harness.experiments.training.settings import Training
from harness.registry import read
from harness.store.freezing import FreezeFile
from harness.study.freezes import read_freezes
from harness.study.held_out import registration
from harness.study.plan import plan
from harness.study.registered import content_of, digest
from harness.study.spec import StudySpec

SEEDS = {"calibration": 2, "judged": {"first": 1000, "count": 3}}
EXPECT: list[dict[str, Any]] = [
    {"metric": "success_rate", "where": {"cell": "lstm"}, "at_most": 0.5},
    {"metric": "final_accuracy", "per": ["cell"], "at_least": 0.1},
    {"metric": "success_rate", "contrast": {"cell": ["lstm", "rnn"]}, "apart": True},
]
SECTIONS: dict[str, Any] = {"seeds": SEEDS, "sweep": {"model.cell": ["rnn", "lstm"]}, "expect": EXPECT}


@pytest.fixture
def study(study_file) -> Callable[..., StudySpec]:
    return lambda *overrides, **sections: read(study_file(study_text(**SECTIONS | sections)), overrides)


@pytest.mark.parametrize(
    ("written", "calibration", "judged"),
    [
        (3, (), (0, 1, 2)),
        ([7, 5], (), (7, 5)),
        ({"first": 1000, "count": 2}, (), (1000, 1001)),
        (SEEDS, (0, 1), (1000, 1001, 1002)),
        ({"calibration": [9, 3], "judged": [4]}, (9, 3), (4,)),
        ({"calibration": {"first": 5, "count": 2}, "judged": [7]}, (5, 6), (7,)),
    ],
)
def test_seeds_are_a_list_or_two_that_share_none(study, written, calibration, judged) -> None:
    spec = study(seeds=written)
    assert (spec.calibration, spec.judged, spec.seeds) == (calibration, judged, calibration + judged)
    assert {run.seed for run in plan(spec).runs} == set(spec.seeds)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"calibration": 3, "judged": [5, 2]}, ":7:37: seeds: judged: 2 is a calibration seed of this study, too"),
        (
            {"calibration": 9, "judged": {"first": 7, "count": 4}},
            ":7:33: seeds: judged: 7–8 are calibration seeds of this study, too; no seed may serve both",
        ),
        ({"calibration": 3, "judged": 5}, ":7:33: seeds: judged: must be {first: 1000, count: 20}, or a list"),
        ({"calibration": 3}, ":7:8: seeds: judged: must be given beside the other"),
        ({"first": 3}, ":7:8: seeds: count: must be a whole number from 1 to 100,000, not None"),
        ({"first": 3, "count": 2, "last": 4}, ":7:35: seeds: last: no such key; there are first and count"),
        ({"calibration": 1, "judged": [3], "other": 1}, ":7:45: seeds: other: no such key"),
        ({"calibration": [1, 1], "judged": [3]}, ":7:22: seeds: calibration: a seed is there twice: [1, 1]"),
    ],
)
def test_a_seed_that_would_serve_both_is_an_error_with_its_place(study, written, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        study(seeds=written)
    assert message in str(caught.value)


def test_an_override_replaces_the_judged_seeds_and_may_not_take_one_of_calibration(study) -> None:
    spec = study("seeds=[7, 8]")
    assert (spec.seeds, spec.calibration, spec.judged) == ((7, 8), (), (7, 8))
    with pytest.raises(StudyError, match=r"-S 1: seeds: 0–1 are calibration seeds of this study"):
        study("seeds=2")


def test_calibration_changes_no_id_of_a_judged_run(study) -> None:
    alone = {run.run_id for run in plan(study(seeds=[1000, 1001, 1002])).runs}
    both = plan(study())
    assert both.only(both.study.judged).ids == alone < both.ids


# what is registered


def registered(spec: StudySpec) -> str:
    return digest(content_of(spec))


def edits() -> list[Any]:
    """Every expectation with each of its values changed, one at a time, one removed, and one more."""
    edited: list[list[dict[str, Any]]] = []
    others = {
        "metric": "final_loss", "where": {"cell": "rnn"}, "at_most": 0.51, "at_least": 0.2, "per": ["hidden_size"],
        "contrast": {"cell": ["rnn", "lstm"]}, "apart": False,
    }  # fmt: skip
    for index, expectation in enumerate(EXPECT):
        rest = EXPECT[:index], EXPECT[index + 1 :]
        edited.append([*rest[0], *rest[1]])
        edited += [[*rest[0], {**expectation, key: others[key]}, *rest[1]] for key in expectation]
        without = [{k: v for k, v in expectation.items() if k != key} for key in ("where", "per") if key in expectation]
        edited += [[*rest[0], each, *rest[1]] for each in without]
    return [*edited, [*EXPECT, {"metric": "final_accuracy", "at_most": 1}]]


@pytest.mark.parametrize("expect", edits(), ids=str)
def test_any_edit_of_an_expectation_is_another_hash(study, expect: list[dict[str, Any]]) -> None:
    assert registered(study(expect=expect)) != registered(study())


@pytest.mark.parametrize(
    "sections",
    [
        {"seeds": {"calibration": 3, "judged": {"first": 1000, "count": 3}}},
        {"seeds": {"calibration": 2, "judged": [1000, 1001]}},
        {"seeds": [1000, 1001, 1002]},
        {"training": {"max_updates": 3}},
        {"sweep": {"model.cell": ["rnn", "lstm", "gru"]}},
        {"evaluation": {"sequences": 17}},
    ],
    ids=str,
)
def test_other_seeds_and_another_grid_are_another_hash(study, sections: dict[str, Any]) -> None:
    assert registered(study(**sections)) != registered(study())


def test_words_figures_form_and_order_are_not_part_of_the_hash(study, study_file) -> None:
    hashed = registered(study())
    assert registered(study(claim="Something else.", name="other", figures=[{"kind": "success"}])) == hashed
    assert registered(study(expect=list(reversed(EXPECT)))) == hashed
    assert registered(study(seeds={"judged": [1002, 1000, 1001], "calibration": [1, 0]})) == hashed
    assert registered(study(sweep={"model.cell": ["lstm", "rnn"]})) == hashed
    assert registered(study(training={"clip_norm": Training.model_fields["clip_norm"].default})) == hashed, "a default"
    text = text_of(dict(reversed({**TINY_SETTINGS, **SECTIONS}.items())))
    assert registered(read(study_file(f"# a comment\n{text}\n# another\n"))) == hashed
    assert registered(read(study_file(study_text(**SECTIONS).replace("0.5", "5.0e-1").replace("12", "0xC")))) == hashed


# the file


def frozen(spec: StudySpec, folder: Path, *notes: str) -> FreezeFile:
    file = FreezeFile.of(plan(spec))
    for note in notes or ("",):
        file.freeze(folder, note)
    return file


def test_a_freeze_registers_a_study_and_a_second_one_is_an_amendment(study, tmp_path: Path) -> None:
    assert registration(study()).state == "not registered"
    file = frozen(study(), tmp_path)
    first = file.path.read_bytes()
    assert (registration(study()).state, registration(study()).phase) == ("registered", "judged")
    with pytest.raises(HarnessError, match="nothing has changed since"):
        file.freeze(tmp_path)
    other = study(expect=[{**EXPECT[0], "at_most": 0.6}, *EXPECT[1:]])
    [change] = registration(other).changes
    assert str(change.place).endswith(".yaml:9:10")
    assert change.message.startswith("expect[0] (at_most was 0.5, is 0.6) differs from the freeze of 20")
    assert registration(other).phase == "calibration"
    assert (registration(other).state, len(registration(other).amendments)) == ("amended", 1)
    with pytest.raises(HarnessError, match="say why with --note"):
        frozen(other, tmp_path)
    frozen(other, tmp_path, "a lower bar")
    assert file.path.read_bytes().startswith(first), "lines are only ever added"
    [amendment] = registration(other).amendments
    assert "a lower bar (expect[0] (at_most was 0.5, is 0.6)" in amendment
    assert registration(other).phase == "judged"
    assert [registration(study()).state, len(registration(study()).amendments)] == ["amended", 2], "and back again"


def test_judged_runs_without_a_freeze_are_recorded_once_and_count(study, tmp_path: Path) -> None:
    file = FreezeFile.of(plan(study()))
    assert file.judged_without_freeze(tmp_path) is not None
    assert file.judged_without_freeze(tmp_path) is None
    assert registration(study()).state == "not registered"
    frozen(study(), tmp_path)
    assert registration(study()).state == "amended"
    [amendment] = registration(study()).amendments
    assert amendment.startswith("judged before a freeze on 20")


def test_a_new_claim_is_shown_and_is_no_amendment(study, tmp_path: Path) -> None:
    frozen(study(), tmp_path)
    other = registration(study(claim="A trained network guesses."))
    assert other.state == "registered"
    [note] = other.notes()
    assert "the words of the claim differ from the freeze of" in note
    assert note.endswith(str(TINY_SETTINGS["claim"]))


@pytest.mark.parametrize("override", ["seeds=[7]", "training.max_updates=3"])
def test_what_an_override_chose_is_exploratory(study, tmp_path: Path, override: str) -> None:
    frozen(study(), tmp_path)
    assert registration(study(override)).state == "exploratory"
    assert registration(study(override)).sentence().startswith("Exploratory: -S ")
    assert registration(study("figures=[{kind: success}]")).state == "registered"
    with pytest.raises(HarnessError, match="without -S"):
        frozen(study(override), tmp_path)


def test_other_settings_see_calibration_seeds_until_a_freeze(study, tmp_path: Path) -> None:
    assert registration(study("training.max_updates=3")).phase == "calibration"
    assert registration(study("seeds=[7]")).phase == "judged", "seeds that -S names are what is asked for"
    frozen(study(), tmp_path)
    assert registration(study("training.max_updates=3")).phase == "judged"


def damaged(data: bytes) -> dict[str, tuple[bytes, int]]:
    """A freeze file spoiled in every way that a text editor has, and the line that is to be named."""
    lines = data.splitlines(keepends=True)
    note = lines[1].replace(b"second", b"2nd")
    forged = json.loads(lines[0])
    forged["content"]["expect"][0]["at_most"] = 0.9
    return {
        "edited": (b"".join([lines[0], note, lines[2]]), 2),
        "forged": (b"".join([json.dumps(forged, ensure_ascii=False).encode() + b"\n", *lines[1:]]), 1),
        "removed": (b"".join([lines[0], lines[2]]), 2),
        "first removed": (b"".join(lines[1:]), 1),
        "moved": (b"".join([lines[1], lines[0], lines[2]]), 1),
        "doubled": (b"".join([lines[0], lines[0], *lines[1:]]), 2),
        "spaced": (b"".join([lines[0].replace(b": ", b":", 1), *lines[1:]]), 1),
        "cut": (data[:-20], 3),
        "no JSON": (b"".join([lines[0], b"{\n", lines[2]]), 2),
        "empty line": (b"".join([lines[0], b"\n", *lines[1:]]), 2),
    }


def test_an_edited_line_is_an_error_with_its_number(study, tmp_path: Path) -> None:
    for index, note in enumerate(("first", "second", "third")):
        file = frozen(study(training={"max_updates": 2 + index}), tmp_path, note)
    whole = file.path.read_bytes()
    assert [freeze.note for freeze in read_freezes(file.path)] == ["first", "second", "third"]
    for name, (data, line) in damaged(whole).items():
        file.path.write_bytes(data)
        with pytest.raises(HarnessError) as caught:
            registration(study())
        assert str(caught.value).startswith(f"{file.path}:{line}:1: "), name
        with pytest.raises(HarnessError):
            frozen(study(), tmp_path, "again")
        assert file.path.read_bytes() == data, "nothing was changed"
