"""The gradient at the first step against the length: its closed forms, the fit, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic_core import PydanticCustomError
from study_texts import check_text

from harness.cells.attention import Attention
from harness.cells.module import Module
from harness.errors import StudyError
from harness.experiments.decay_by_length import (
    LengthDecay,
    LengthDecaySections,
    complete,
    fall,
    first_adjoint,
    fitted,
    lengths_of,
)
from harness.experiments.setup import Setup
from harness.registry import read


def text(model: str = "cell: attention, hidden_size: 8", **decay: object) -> str:
    return check_text(
        "decay_by_length",
        model=f"{{{model}}}",
        decay={"shortest": 10, "longest": 40, "batch_size": 4, **decay},
        seeds=[3],
    )


def test_a_power_and_an_exponential_are_found_exactly() -> None:
    T = np.array([10.0, 20.0, 40.0, 80.0])
    slope, theory = fitted(T, 0.3 - np.log10(T), power=True)
    assert slope == pytest.approx(-1)
    np.testing.assert_allclose(theory, 0.3 - np.log10(T), atol=1e-14)
    slope, theory = fitted(T, 0.3 - 0.2 * T, power=False)
    assert slope == pytest.approx(-0.2)
    np.testing.assert_allclose(theory, 0.3 - 0.2 * T, atol=1e-12)


def test_equal_attention_weights_give_the_power_of_minus_one(plan_of, monkeypatch) -> None:
    """W_q = 0: all T weights are 1/T, and T g is the gradient of the output, which no T changes over many sequences."""
    start = Attention.start
    monkeypatch.setattr(Attention, "start", lambda self, *a, **k: (w := start(self, *a, **k)) | {"W_q": 0 * w["W_q"]})
    even = text("cell: attention, hidden_size: 8, positions: none", batch_size=256)
    [record] = fall(plan_of(even).runs, Setup("torch"))
    assert record.run["measured"] == pytest.approx(-1, abs=0.02)
    assert record.run["residual"] < 0.02
    assert (record.run["predicted"], record.run["outcome"]) == (-1.0, "solved")


def test_an_rnn_falls_exponentially_and_by_no_power(plan_of) -> None:
    """The slope between two lengths is the logarithm of a rate, which the longer ones have as well."""
    cell = "cell: rnn, hidden_size: 8, init: orthogonal, spectral_radius: 0.5"
    [exponential] = fall(plan_of(text(cell, law="exponential")).runs, Setup("torch"))
    [power] = fall(plan_of(text(cell, law="power")).runs, Setup("torch"))
    assert exponential.run["measured"] < np.log10(0.5)  # |φ'| ≤ 1
    assert exponential.run["residual"] < 0.5 < 5 < power.run["residual"]
    assert (exponential.run["outcome"], power.run["outcome"]) == ("solved", "unsolved")
    [profile] = power.rows["profiles"]
    assert list(profile["at"]) == [10, 20, 40]


def test_an_adjoint_below_the_smallest_float_is_a_number(plan_of) -> None:
    cell = plan_of(text("cell: rnn, hidden_size: 4, init: orthogonal, spectral_radius: 0.01")).runs[0].sections["model"]
    assert -700 < first_adjoint(cell, 3, 200, 2, "torch") < -400


REFUSED = [
    ("cell: attention", {"longest": 30}, r"decay.longest: a law is fitted to three lengths or more; take 40 at least"),
    ("cell: attention, match: parameters", {}, r"model.match: has no meaning here"),
    ("cell: gru, layers: 2", {}, r"model.layers: the first step is that of one layer of one direction"),
]


@pytest.mark.parametrize(("model", "decay", "message"), REFUSED, ids=[message[:20] for *_, message in REFUSED])
def test_what_has_no_meaning_is_refused(study_file, model: str, decay: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read(study_file(text(model, **decay)))


def test_a_module_has_no_first_step_to_show() -> None:
    sections = LengthDecaySections(Module(cell="module", factory="a:b"), LengthDecay())
    with pytest.raises(PydanticCustomError, match="a module does not show its first step; take a cell, or attention"):
        complete(sections)


def test_each_length_is_twice_the_one_before() -> None:
    assert lengths_of(LengthDecay()) == [10, 20, 40, 80, 160, 320, 640]
