"""The task `file`: what a batch holds, which part it is from, what is measured on the training part alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from pydantic import ValidationError
from study_texts import study_text
from trained_runs import assert_packs_change_nothing

from harness import cli, sweep
from harness.data.tables import read_table
from harness.errors import StudyError
from harness.experiments.training.planning import bytes_kept
from harness.registry import read
from harness.study.content import content_hash
from harness.study.grid import explain
from harness.study.plan import plan
from harness.tasks.file import FileTask
from harness.tasks.lengths import marked_absent

TOP = Path(__file__).parents[2]
WALKS = TOP / "studies" / "walks.csv"
COLUMNS: dict[str, Any] = {"id": "walk", "time": "t", "inputs": ["x", "y"], "target": "label"}
PARTS = ("train", "validation", "test")


def task(path: Path, **settings: Any) -> FileTask:
    return FileTask.model_validate({"name": "file", "path": str(path), **settings})


def walks(**settings: Any) -> FileTask:
    return task(WALKS, **COLUMNS | settings)


def lines_of(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    """Writes lines under the header of the walks."""

    def write(*lines: str, header: str = "walk,t,x,y,label", name: str = "some.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *lines, ""]))
        return path

    return write


def test_every_walk_is_in_one_part_as_it_stands_in_the_file() -> None:
    plain = walks(standardise=False)
    own: dict[str, list[list[float]]] = {}
    labels: dict[str, str] = {}
    for walk, _, x, y, label in lines_of(WALKS)[1:]:
        own.setdefault(walk, []).append([float(x), float(y)])
        labels[walk] = label
    given = sorted((np.float32(rows).tolist(), labels[walk]) for walk, rows in own.items())
    read_back = [
        (half.inputs[n, plain.length - T :].tolist(), plain.prepared.classes[half.targets[n]])
        for half in plain.prepared.parts.values()
        for n, T in enumerate(half.lengths)
    ]
    assert sorted(read_back) == given
    assert [len(plain.prepared.parts[name].lengths) for name in PARTS] == [63, 14, 13]
    assert plain.length == max(len(rows) for rows in own.values())


def test_every_part_has_its_share_of_every_class() -> None:
    counts = np.array([np.bincount(walks().prepared.parts[name].targets) for name in PARTS])
    assert counts.sum(0).tolist() == [30, 30, 30]
    assert (np.abs(counts / 30 - np.array([[0.7], [0.15], [0.15]])) <= 1 / 30 + 1e-9).all()


def test_another_split_seed_is_another_split_and_a_seed_of_a_run_is_none() -> None:
    first, other = walks(), walks(split_seed=1)
    assert not np.array_equal(first.prepared.parts["test"].inputs, other.prepared.parts["test"].inputs)
    batches = [first.batch(seed, "final", 0, first.final_sequences) for seed in (0, 7)]
    np.testing.assert_array_equal(batches[0].inputs, batches[1].inputs)


@pytest.mark.parametrize(("part", "name"), [("train", "train"), ("evaluate", "validation"), ("final", "test")])
def test_a_batch_is_of_its_own_part_and_has_its_lengths(part: Any, name: str) -> None:
    own = walks()
    batch, half = own.batch(3, part, 5, 200), own.prepared.parts[name]
    assert batch.lengths is not None
    rows = {(row.tobytes(), int(y), int(T)) for row, y, T in zip(half.inputs, half.targets, half.lengths, strict=True)}
    drawn = batch.inputs.swapaxes(0, 1)
    assert {
        (row.tobytes(), int(y), int(T)) for row, y, T in zip(drawn, batch.targets, batch.lengths, strict=True)
    } <= rows
    marked = marked_absent(batch, steps=False)
    np.testing.assert_array_equal(np.isnan(marked.inputs[..., 0]).sum(0), own.length - batch.lengths)


def test_the_final_accuracy_is_over_every_sequence_of_the_test_part_once() -> None:
    own = walks()
    batch = own.batch(9, "final", 0, own.final_sequences)
    np.testing.assert_array_equal(batch.inputs.swapaxes(0, 1), own.prepared.parts["test"].inputs)


def test_scales_are_those_of_the_training_part_alone() -> None:
    raw, own = walks(standardise=False).prepared, walks().prepared
    present = [np.arange(raw.length) >= raw.length - half.lengths[:, None] for half in raw.parts.values()]
    rows = raw.parts["train"].inputs[present[0]]
    for mask, name in zip(present, raw.parts, strict=True):
        expected = (raw.parts[name].inputs[mask] - rows.mean(0)) / rows.std(0)
        np.testing.assert_allclose(own.parts[name].inputs[mask], expected, atol=2e-5)
        assert not own.parts[name].inputs[~mask].any()


@pytest.mark.parametrize("kind", ["parquet", "tsv", "semicolons", "mixed rows", "without a time"])
def test_the_same_table_in_another_form_is_the_same_data(kind: str, tmp_path: Path) -> None:
    table, columns = pyarrow.csv.read_csv(WALKS), dict(COLUMNS)
    path = tmp_path / {"parquet": "w.parquet", "tsv": "w.tsv"}.get(kind, "w.csv")
    if kind == "parquet":
        pyarrow.parquet.write_table(table.append_column("unread", pa.nulls(len(table))), path)
    elif kind == "mixed rows":
        header, *rows = WALKS.read_text().splitlines()
        rows.sort(key=lambda row: int(row.split(",")[1]))  # by time, so that first rows are in the order of the walks
        path.write_text("\n".join([header, *rows]))
    else:
        path.write_text(WALKS.read_text().replace(",", {"tsv": "\t", "semicolons": ";"}.get(kind, ",")))
        if kind == "without a time":
            del columns["time"]
    other, own = task(path, **columns).prepared, walks().prepared
    for name in PARTS:
        np.testing.assert_array_equal(other.parts[name].inputs, own.parts[name].inputs)
        np.testing.assert_array_equal(other.parts[name].targets, own.parts[name].targets)


@pytest.mark.parametrize("kind", [".npz", ".npy"])
def test_arrays_are_the_sequences_that_they_hold(kind: str, tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    y = np.arange(40) % 4
    lengths = np.arange(40) % 6 + 1 if kind == ".npz" else np.full(40, 6)
    if kind == ".npz":
        np.savez(tmp_path / "a.npz", inputs=X, targets=y, lengths=lengths)
        own = task(tmp_path / "a.npz", standardise=False)
    else:
        np.save(tmp_path / "x.npy", X)
        np.save(tmp_path / "y.npy", y)
        own = task(tmp_path / "x.npy", targets_path=str(tmp_path / "y.npy"), standardise=False)
    assert own.varies == (kind == ".npz")
    assert (own.input_size, own.output_size, own.length) == (2, 4, 6)
    given = sorted((X[n, :T].astype(np.float32).tolist(), int(y[n])) for n, T in enumerate(lengths))
    halves = own.prepared.parts.values()
    assert given == sorted(
        (half.inputs[n, 6 - T :].tolist(), int(half.targets[n])) for half in halves for n, T in enumerate(half.lengths)
    )


def test_parts_by_a_column_and_by_files_are_those_that_are_named(csv) -> None:
    rows = [f"{n},{t},{n + t / 10},0,{'ab'[n % 2]},{('train', 'train', 'validation', 'test')[n // 2]}"
            for n in range(8) for t in range(3)]  # fmt: skip
    header = "walk,t,x,y,label,part"
    own = task(csv(*rows, header=header), **COLUMNS, split_by="part", standardise=False)
    files = {
        name: csv(*[row for row in rows if row.endswith(name)], header=header, name=f"{name}.csv") for name in PARTS
    }
    paths = {"validation_path": str(files["validation"]), "test_path": str(files["test"])}
    by_files = task(files["train"], **COLUMNS, **paths, standardise=False)
    for number, name in enumerate(PARTS):
        first = (0, 4, 6)[number]
        np.testing.assert_array_equal(
            own.prepared.parts[name].inputs[:, 0, 0].astype(int), range(first, (4, 6, 8)[number])
        )
        np.testing.assert_array_equal(own.prepared.parts[name].inputs, by_files.prepared.parts[name].inputs)
    without = task(files["train"], **COLUMNS, test_path=str(files["test"]), fractions=[0.5, 0.5, 0.0])
    assert [len(without.prepared.parts[name].lengths) for name in PARTS] == [2, 2, 2]


def symbols(csv, *, each_step: bool, number: bool = False) -> FileTask:
    """Sequences of three symbols; at each step, or at the end, y tells whether the present one is an a."""
    lines = []
    drawn = np.random.default_rng(1)
    for n in range(60):
        word = drawn.choice(list("abc"), size=4)
        last = word[-1]
        lines += [f"{n},{t},{s},{int((s if each_step else last) == 'a') + 0.5 * number}" for t, s in enumerate(word)]
    return task(
        csv(*lines, header="walk,t,x,label"), id="walk", time="t", inputs=["x"], target="label", symbols=True,
        scored="every_step" if each_step else "end", predict="number" if number else "class",
    )  # fmt: skip


@pytest.mark.parametrize("each_step", [False, True])
def test_symbols_are_tokens_and_a_target_of_the_present_symbol_needs_no_memory(csv, each_step: bool) -> None:
    own = symbols(csv, each_step=each_step)
    batch = own.batch(0, "train", 0, 30)
    assert own.prepared.alphabet == ("a", "b", "c")
    assert batch.inputs.shape == (4, 30)
    np.testing.assert_array_equal(batch.targets, (batch.inputs if each_step else batch.inputs[-1]) == 0)
    assert own.memoryless_loss is not None
    assert own.memoryless_loss < 0.1 < -log(own.chance)


def test_a_number_at_every_step_is_standardised_and_judged_within_its_tolerance(csv) -> None:
    own = symbols(csv, each_step=True, number=True)
    targets = own.prepared.parts["train"].targets
    assert own.readout == "numbers"
    assert abs(targets.mean()) < 1e-6
    assert abs(targets.std() - 1) < 1e-6
    assert own.chance == 0  # no target is within .1 of the mean of two values
    assert own.memoryless_loss is not None
    assert own.memoryless_loss < 0.05


def test_chance_is_the_share_of_the_commonest_class_of_the_training_part(csv) -> None:
    own = task(csv(*[f"{n},0,{n},{-n},{'aaab'[n % 4]}" for n in range(400)]), **COLUMNS)
    assert own.chance == np.bincount(own.prepared.parts["train"].targets).max() / 280
    assert abs(own.chance - 0.75) < 0.01


def test_what_the_last_input_does_not_tell_costs_the_entropy_and_what_it_tells_costs_little(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0)
    X = drawn.normal(size=(1500, 3, 1))
    for name, targets, low, high in (
        ("none", drawn.integers(2, size=1500), 0.98 * log(2), 1.03 * log(2)),
        ("last", (X[:, -1, 0] > 0).astype(int), 0, 0.1),
        ("first", (X[:, 0, 0] > 0).astype(int), 0.98 * log(2), 1.03 * log(2)),
    ):
        np.savez(tmp_path / f"{name}.npz", inputs=X, targets=targets)
        assert low < (task(tmp_path / f"{name}.npz").memoryless_loss or 0) < high
    in_turn = np.arange(300) % 10  # classes in turn, told by the last input
    np.savez(tmp_path / "turn.npz", inputs=np.stack([X[:300, 0, 0], in_turn], 1), targets=in_turn)
    assert (task(tmp_path / "turn.npz").memoryless_loss or 9) < 0.5 * log(10)
    np.savez(tmp_path / "sum.npz", inputs=X, targets=X[:, :, 0].sum(1))
    own = task(tmp_path / "sum.npz", predict="number")
    assert abs((own.memoryless_loss or 0) - 2 / 3) < 0.12  # the variance of two of three numbers; 1 is that of all
    assert abs(own.chance - 0.08) < 0.03  # P(|N(0, 1)| < .1)


BAD = {
    "a missing number": (["1,0,1,2,a", "1,1,,2,a"], {}, "path", "line 3, column 'x': is missing"),
    "a missing label": (["1,0,1,2,a", "1,1,2,2,"], {}, "path", "line 3, column 'label': is missing"),
    "no number": (["1,0,1,2,a", "", "1,1,2,y,a"], {}, "path", "line 4, column 'y': 'y' is no finite number"),
    "infinity": (["1,0,1,inf,a"], {}, "path", "line 2, column 'y': 'inf' is no finite number"),
    "unsorted": (["1,1,1,2,a", "2,0,1,2,a", "1,0,1,2,a"], {}, "path",
                 "line 4, column 't': sequence '1' has a later time before it; sort the file by id and time"),
    "twice": (["1,0,1,2,a", "1,0,1,2,a"], {}, "path", "line 3, column 't': sequence '1' has this time twice"),
    "two targets": (["7,0,1,2,a", "7,1,1,2,b"], {}, "path",
                    "line 3, column 'label': changes within sequence '7', from a to b; it has one value a sequence "
                    "where the loss is at its end"),
    "a field too few": (["1,0,1,2,a", "1,1,1,2"], {}, "path", "Expected 5 columns, got 4"),
    "no rows": ([], {}, "path", "has a header and no rows"),
    "no such column": (["1,0,1,2,a"], {"inputs": ["x", "z"]}, "inputs",
                       "no column 'z'; there are (label, t, walk, x, y)"),
    "a near column": (["1,0,1,2,a"], {"target": "lable"}, "target", "no column 'lable'; did you mean 'label'?"),
    "too long": (["1,0,1,2,a", "2,0,1,2,b", "2,1,1,2,b"], {"longest": 1}, "longest",
                 "line 3, column 'label': a sequence of 2 steps begins here, longer than longest: 1"),
    "two spellings": ([f"{n},0,1,2,{'1' if n % 2 else '1.0'}" for n in range(9)], {}, "target",
                      "the classes '1' and '1.0' are one number, written in two ways"),
    "beyond float32": ([f"{n},0,{n}e300,2,{'ab'[n % 2]}" for n in range(9)], {"standardise": False}, "path",
                       "an input of the train part is "),
    "one class": ([f"{n},0,1,2,a" for n in range(9)], {}, "target", "the training part has one class alone, 'a'"),
    "too few": (["1,0,1,2,a", "2,0,1,2,b"], {}, "fractions",
                "the validation part is empty: the training file has 2 sequences"),
    "not in two columns": (["1,0,1,2,a"], {"symbols": True}, "inputs", "with symbols the input is one column"),
    "two shares": (["1,0,1,2,a"], {"fractions": [0.7, 0.3]}, "fractions",
                   "must be three shares whose sum is 1, of the training, validation and test part, such as "
                   "[0.7, 0.15, 0.15], not [0.7, 0.3]"),
    "numbers as classes": ([f"{n},0,1,2,{n / 3}" for n in range(97)], {}, "predict",
                           "the 97 targets are 97 different numbers, too many for classes; for numbers set predict: "),
    "numbers at every step": ([f"{n},{t},1,2,{n + t / 9}" for n in range(9) for t in range(5)],
                              {"scored": "every_step"}, "predict", "the 45 targets are 45 different numbers"),
    "another case": (["1,0,1,2,a"], {"inputs": ["X", "y"]}, "inputs", "no column 'X'; did you mean 'x'?"),
    "shares": (["1,0,1,2,a"], {"fractions": [0.5, 0.2, 0.2]}, "fractions", "must be three shares whose sum is 1"),
    "no id": (["1,0,1,2,a"], {"id": None}, "id", "must be given: a .csv has columns"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_table_is_said_with_its_place(case: str, csv) -> None:
    lines, settings, key, message = BAD[case]
    path = csv(*lines)
    with pytest.raises(ValidationError) as raised:
        task(path, **COLUMNS | settings)
    [(setting, text)] = explain(raised.value, FileTask)
    assert setting == key
    assert message in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("walk,t,x,y,label\r1,0,1,2,a\r", "lines end with a carriage return alone; save it with line feeds"),
        ("\ufeffwalk,t,x,y,label\n1,0,1,2,a\n".encode("utf-16"), "is UTF-16, or no text; save it as UTF-8"),
        ("walk,t,x,y,läbel\n1,0,1,2,a\n".encode("latin-1"), "line 1 is not UTF-8; save it as UTF-8"),
        (
            "walk,t,x,y,label,é\n1,0,1,2,a,é\n".encode() + "1,1,1,2,ï,e\n".encode("latin-1"),
            "line 3, column 'label': is not UTF-8; save it as UTF-8 (iconv -f latin1 -t utf-8 other.csv > utf8.csv)",
        ),
    ],
)
def test_a_text_in_another_coding_is_said_to_be_one(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValidationError, match=re.escape(message)):
        task(path, **COLUMNS)


def test_a_constant_input_stays_as_it_is_and_nanoseconds_are_told_apart(csv) -> None:
    start = 1_700_000_000_000_000_000
    own = task(
        csv(*(f"{n},{start + 100 * t},0.1,{t + n},{'ab'[n % 2]}" for n in range(40) for t in range(3))), **COLUMNS
    )
    x = own.batch(0, "train", 0, 20).inputs[..., 0]
    assert np.nanmax(np.abs(x)) < 1e-6  # not ±1, which is what the rounding of its mean over that of its deviation is
    large = task(csv(*(f"{n},0,{n % 7}e300,{n},{'ab'[n % 2]}" for n in range(40))), **COLUMNS)
    assert 1 < np.abs(large.batch(0, "train", 0, 64).inputs[..., 0]).max() < 3


@pytest.mark.parametrize("symbol", [False, True])
def test_what_the_training_part_lacks_is_said_with_its_place(csv, symbol: bool) -> None:
    train, rows = [f"{n},0,{'pq'[n % 2]},{n % 2}" for n in range(4)], ["8,0,p,0", "9,0,z,0" if symbol else "9,0,p,5"]
    path = csv(*train, header="walk,t,x,label", name="train.csv")
    other = csv(*rows, header="walk,t,x,label", name="other.csv")
    with pytest.raises(ValidationError) as raised:
        task(path, validation_path=str(other), test_path=str(other), symbols=True, **COLUMNS | {"inputs": ["x"]})
    assert [key for key, _ in explain(raised.value, FileTask)] == ["validation_path"]
    kind = "symbol 'z'" if symbol else "class '5'"
    assert f"{other}: line 3, column 'label': {kind} of the validation part is not in the training part" in str(
        raised.value
    )


ARRAYS = {
    "a target a step": ({"inputs": np.zeros((4, 3, 2)), "targets": np.zeros((4, 3))}, {}, "scored",
                        "array 'targets' has shape (4, 3), expected (4,): a target a sequence of the inputs (4, 3, 2)"),
    "four axes": ({"inputs": np.zeros((4, 3, 2, 1)), "targets": np.zeros(4)}, {}, "path",
                  "array 'inputs' has shape (4, 3, 2, 1), expected (N, T, D) or (N, T)"),
    "NaN": ({"inputs": np.full((4, 3, 2), np.nan), "targets": np.zeros(4)}, {}, "path",
            "sequence 0 (from 0), step 0, channel 0: is missing"),
    "another name": ({"X": np.zeros((4, 3)), "targets": np.zeros(4)}, {"inputs": ["x"]}, "inputs",
                     "no array 'x'; did you mean 'X'? (X, targets)"),
    "a length": ({"inputs": np.zeros((4, 3)), "targets": np.zeros(4), "lengths": np.array([1, 4, 1, 1])}, {}, "path",
                 "length 4 of sequence 1 (from 0) is not in 1 … 3"),
    "half a class": ({"inputs": np.zeros((4, 3)), "targets": np.array([0, 1, 1.5, 0])}, {}, "predict",
                     "target 2 (from 0): 1.5 is no class; for numbers set predict: number"),
    "objects": ({"inputs": np.zeros((4, 3)), "targets": np.array([{}] * 4)}, {}, "path", "holds Python objects"),
}  # fmt: skip


@pytest.mark.parametrize("case", ARRAYS)
def test_what_is_wrong_with_arrays_is_said_with_its_place(case: str, tmp_path: Path) -> None:
    arrays, settings, key, message = ARRAYS[case]
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValidationError) as raised:
        task(tmp_path / "a.npz", **settings)
    [(setting, text)] = explain(raised.value, FileTask)
    assert setting == key
    assert message in text


NPY: dict[str, tuple[Any, Any, str, str]] = {
    "targets in an npz": (np.zeros((4, 3)), {"targets": np.arange(4)}, "targets_path",
                          "y.npy: holds arrays with names (targets), expected one array (np.save); give both arrays in "
                          "one .npz as path, or save each as .npy"),
    "inputs in an npz": ({"inputs": np.zeros((4, 3))}, np.arange(4), "path",
                         "x.npy: holds arrays with names (inputs), expected one array (np.save); call it .npz"),
    "targets of another number": (np.zeros((4, 3)), np.arange(5), "targets_path",
                                  "y.npy: array 'targets' has shape (5,), expected (4,)"),
    "objects as targets": (np.zeros((4, 3)), np.array([{}] * 4), "targets_path", "y.npy: holds Python objects"),
    "half a class": (np.zeros((4, 3)), np.array([0, 1.5, 1, 0]), "predict", "y.npy: target 1 (from 0): 1.5 is no"),
}  # fmt: skip


@pytest.mark.parametrize("case", NPY)
def test_what_is_wrong_with_an_array_a_file_is_said_of_its_own_file(case: str, tmp_path: Path) -> None:
    *arrays, key, message = NPY[case]
    for name, array in zip(("x.npy", "y.npy"), arrays, strict=True):
        with (tmp_path / name).open("wb") as file:
            np.savez(file, **array) if isinstance(array, dict) else np.save(file, array)
    with pytest.raises(ValidationError) as raised:
        task(tmp_path / "x.npy", targets_path=str(tmp_path / "y.npy"))
    [(setting, text)] = explain(raised.value, FileTask)
    assert setting == key
    assert message in text


def test_an_array_without_a_name_is_no_npz_and_what_is_no_array_in_one_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.zeros((4, 3)))
    with pytest.raises(ValidationError, match=r"a\.npz: holds one array without a name; call it \.npy"):
        task(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", inputs=np.zeros((4, 3)))
    with ZipFile(tmp_path / "b.npz", "a") as archive:
        archive.writestr("targets", "0 1 0 1")
    with pytest.raises(ValidationError, match=r"b\.npz: no array 'targets'; there are \(inputs\)"):
        task(tmp_path / "b.npz")


def test_two_gigabytes_of_text_are_refused_before_they_are_read(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.touch()
    os.truncate(large, 2_100_000_000)  # a hole: no byte of it is on the disk
    with pytest.raises(ValidationError, match=r"2\.1 GB of text, more than 2; convert it to parquet"):
        task(large, **COLUMNS)


def test_a_part_of_another_kind_or_that_cannot_be_read_is_said_of_its_own_setting(csv) -> None:
    path = csv(*[f"{n},0,1,2,{'ab'[n % 2]}" for n in range(9)])
    for other, message in (
        ("none.csv", "none.csv: cannot be read: No such file or directory"),
        (str(path.with_name("Somme.csv")), "cannot be read: No such file or directory; did you mean 'some.csv'?"),
        ("x.ts", "is a '.ts' and path a '.csv'"),
    ):
        with pytest.raises(ValidationError) as raised:
            task(path, **COLUMNS, test_path=other)
        [(setting, text)] = explain(raised.value, FileTask)
        assert setting == "test_path"
        assert message in text


def test_a_sweep_over_splits_reads_its_file_once_a_split(study, monkeypatch) -> None:
    counted: list[Path] = []
    monkeypatch.setattr(
        "harness.tasks.file.read_table", lambda path, columns: counted.append(path) or read_table(path, columns)
    )
    seeds = list(range(5))
    path = study(sweep={"model.hidden_size": [3, 4], "task.split_seed": seeds})
    assert len(plan(read(path)).study.points) == 10
    assert len(counted) == len(seeds)


def text(path: str, **sections: Any) -> str:
    settings = {"name": "file", "path": path, **COLUMNS}
    return study_text(task=settings, **{"seeds": 1} | sections)


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., Path]:
    def write(path: str = "walks.csv", **sections: Any) -> Path:
        (tmp_path / "walks.csv").write_bytes(WALKS.read_bytes())
        (tmp_path / "study.yaml").write_text(text(path, **sections))
        return tmp_path / "study.yaml"

    return write


def test_a_path_is_relative_to_the_study_and_counts_by_its_content(study, tmp_path: Path, monkeypatch) -> None:
    first = plan(read(study()))
    [point] = first.study.points
    assert point.versions == {"task.path": content_hash(WALKS)}
    monkeypatch.chdir("/")
    assert plan(read(study())).ids == first.ids
    (tmp_path / "sub").mkdir()
    os.replace(tmp_path / "walks.csv", tmp_path / "sub" / "moved.csv")
    assert plan(read(study("sub/moved.csv"))).ids == first.ids
    moved = tmp_path / "sub" / "moved.csv"
    moved.write_text(moved.read_text().replace("0,1,", "0,1.5,", 1))
    assert plan(read(study("sub/moved.csv"))).ids.isdisjoint(first.ids)


def test_an_error_in_a_file_has_the_line_of_the_study_and_that_of_the_file(study, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as raised:
        read(study("none.csv"))
    assert f"task.path: {tmp_path / 'none.csv'}: cannot be read: No such file or directory" in str(raised.value)
    assert "study.yaml:3:" in str(raised.value)


def test_planning_reads_the_data_without_torch(study) -> None:
    code = (
        "import sys; from harness.registry import read; from harness.study.plan import plan;"
        f"plan(read({str(study())!r})); sys.exit(bool({{'torch', 'sklearn', 'matplotlib'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=TOP).returncode == 0


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_packs_of_a_file_are_its_runs_alone_and_cells_of_one_seed_see_the_same_data(study, cell: str) -> None:
    runs = plan(read(study(seeds=2, model={"cell": cell, "hidden_size": 4}))).runs
    records = assert_packs_change_nothing(runs)
    assert {record.run["chance"] for record in records.values()} == {walks().chance}
    assert {record.run["memoryless_loss"] for record in records.values()} == {walks().memoryless_loss}
    assert bytes_kept(runs[0].sections) > 0  # type: ignore[arg-type]
    batches = [run.sections["task"].batch(run.seed, "train", 1, 4) for run in runs]
    assert not np.array_equal(batches[0].inputs, batches[1].inputs)
    again = walks().batch(runs[0].seed, "train", 1, 4)
    np.testing.assert_array_equal(batches[0].inputs, again.inputs)


def test_the_study_on_the_page_trains_as_it_stands(tmp_path: Path) -> None:
    page = (TOP / "docs" / "data.md").read_text()
    [text, *_] = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    (tmp_path / "walks.csv").write_bytes(WALKS.read_bytes())
    (tmp_path / "walks.yaml").write_text(text)
    assert "\n".join(WALKS.read_text().splitlines()[:3]) in page
    arguments = [str(tmp_path / "walks.yaml"), "-o", str(tmp_path), "-j", "1", "--no-progress"]
    assert sweep.main(arguments) == cli.DONE


def test_the_walks_are_those_of_their_script() -> None:
    space: dict[str, Any] = {"__file__": str(TOP / "docs" / "write_walks.py"), "__name__": "write_walks"}
    exec(compile((TOP / "docs" / "write_walks.py").read_text(), "write_walks.py", "exec", dont_inherit=True), space)
    assert WALKS.read_text() == space["text"]()
