"""No number of a built-in cell, task, option, probe or experiment changes unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import pinned_runs
import pytest

from harness.cells import CELLS
from harness.registry import load_registry
from harness.study.keywords import Named, NamedChoice
from harness.study.section import Section

PINNED = pinned_runs.pinned()
TOLERANCES = {"bfloat16": 2e-2, "float32": 1e-4}  # sums in another order round to a neighbour: 2⁻⁸ in bfloat16


@pytest.mark.parametrize("name", pinned_runs.studies())
def test_a_pinned_run_keeps_its_numbers(name: str) -> None:
    # If this fails on purpose, raise `numerics` where the numbers change, and write the file again.
    if name == "characters" and pinned_runs.text_sum() != PINNED[name][pinned_runs.TEXT]:
        pytest.skip("this Python's documentation is another text")
    now, before = pinned_runs.computed(name), PINNED[name]
    tolerance = next((each for dtype, each in TOLERANCES.items() if dtype in name), 1e-7)
    assert now.keys() == before.keys()
    assert now == pytest.approx(before, rel=tolerance, abs=tolerance)


def test_every_study_is_pinned() -> None:
    assert PINNED.keys() == pinned_runs.studies().keys()


def words(annotation: Any, metadata: Sequence[object] = ()) -> Iterator[object]:
    """The words that a setting may be given."""
    for mark in metadata:
        yield from mark.table if isinstance(mark, NamedChoice) else ()
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Union, type(int | None)):
        for branch in get_args(annotation):
            yield from words(branch)


# Declared once, of the network and not of a cell: each word is pinned for some cell.
OF_LAYERS = {
    "layers", "layer_sizes", "bidirectional", "residual", "dropout", "zoneout", "h_detach", "normalisation",
    "normalised",
}  # fmt: skip

ANOTHER = {("Training", "method"): ("tbptt",)}  # words that are read as another one


def test_every_cell_task_experiment_option_and_word_is_in_a_pinned_run() -> None:
    registry, used = load_registry(), set[tuple[type[Section], str, object]]()
    for text in pinned_runs.studies().values():
        [point] = pinned_runs.spec_of(text).points
        used |= {(type(section), "", None) for section in point.sections.by_name().values()}
        for section in point.sections.by_name().values():
            for key, info in type(section).model_fields.items():
                value = getattr(section, key)
                value = value["name"] if isinstance(value, Named) else value
                used |= {(type(section), key, each) for each in (value if isinstance(value, tuple) else (value,))}
                if value != info.get_default():
                    used.add((type(section), key, "another than the default"))
    used |= {(cell, *rest) for section, *rest in used if rest[0] in OF_LAYERS for cell in CELLS.values()}
    missing = []
    # what harness.watch has written is of another program's training, and computed by no run
    for experiment in (each for name, each in registry.experiments.items() if name != "watched"):
        for name in experiment.sections:
            for model in experiment.models(name):
                if (model, "", None) not in used:
                    missing.append(model.__name__)
                for key, info in model.model_fields.items():
                    every = set(words(info.annotation, info.metadata)) - {None, *ANOTHER.get((model.__name__, key), ())}
                    needed = every if len(every) != 1 and key != "match" else set()
                    missing += [f"{model.__name__}.{key}: {word}" for word in needed if (model, key, word) not in used]
                    if (not every or key == "match") and (model, key, "another than the default") not in used:
                        missing.append(f"{model.__name__}.{key}")
    without_recurrent_matrix = {
        "IndRNN", "Antisymmetric", "Lipschitz", "Orthogonal", "MinGRU", "MinLSTM", "LRU", "S6", "DeltaNet", "Window",
    }  # fmt: skip
    no_meaning = {f"{cell}.spectral_radius" for cell in without_recurrent_matrix}
    no_meaning |= {f"Window.init: {init}" for init in ("gaussian", "orthogonal", "identity")}
    # not every environment has the packages that bring real data
    real = {each for each in missing if each.partition(".")[0] == "Dataset"}
    assert set(missing) - no_meaning - real == set()
