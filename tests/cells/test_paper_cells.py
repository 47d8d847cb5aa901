"""Laws of every cell that starts as its paper says: gradients, adjoints, packs, starts and widths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paper_cells import PAPER_CELLS, B, D, H, R, T, adjoints, made, start
from pydantic import ValidationError

from harness.cells import CELLS
from harness.cells.elementwise import Elementwise
from harness.cells.sizes import matched_width, parameter_counts
from harness.errors import StudyError
from harness.experiments.setup import Setup
from harness.experiments.training.loop import train
from harness.recurrence.scan import drive, scan
from harness.registry import read
from harness.schema import Record
from harness.study.plan import Run, plan
from harness.tasks import TASKS

ELEMENTWISE = [name for name, cell in CELLS.items() if issubclass(cell, Elementwise)]
ONLY_PAPER = [name for name in PAPER_CELLS if "W" not in CELLS[name].recurrent_weights]
STUDY = """\
name: law
claim: A run is itself.
task: {{name: temporal_order, sequence_length: 13}}
model: {{cell: {cell}, hidden_size: {H}}}
training: {{max_updates: 6, batch_size: {B}, clip_norm: 1.0}}
evaluation: {{every: 3, sequences: 20}}
record: {{precision: {precision}}}
seeds: [3, 11, 5]
"""


def trained(study_file, order: int = 1, **settings) -> tuple[tuple[Run, ...], dict[str, Record]]:
    runs = plan(read(study_file(STUDY.format(**{"precision": "as_trained", **settings})))).runs[::order]
    return runs, {record.run_id: record for record in train(runs, Setup("numba"))}


def numbers(record: Record) -> list[bytes]:
    """Everything of a record but its timing, to the bit."""
    cells = [repr(sorted((k, v) for k, v in record.run.items() if k != "seconds")).encode()]
    for row in [row for rows in record.rows.values() for row in rows]:
        cells += [
            key.encode() + (v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode()) for key, v in row.items()
        ]
    return cells


@pytest.mark.parametrize(("H", "B"), [(7, 5), (19, 16)])
@pytest.mark.parametrize("cell", PAPER_CELLS)
def test_a_run_alone_is_bit_for_bit_the_run_in_any_pack(study_file, cell: str, H: int, B: int) -> None:
    runs, together = trained(study_file, cell=cell, H=H, B=B)
    _, reversed_pack = trained(study_file, -1, cell=cell, H=H, B=B)
    for run in runs:
        [alone] = train([run], Setup("numba"))
        assert alone.run["engine"] == ("numba" if cell in ELEMENTWISE else "torch")
        assert np.isfinite(alone.run["final_loss"])
        assert numbers(alone) == numbers(together[run.run_id]) == numbers(reversed_pack[run.run_id])


@pytest.mark.parametrize("cell", PAPER_CELLS)
def test_adjoints_in_float64_agree_with_those_as_trained(study_file, cell: str) -> None:
    found = [trained(study_file, cell=cell, H=7, B=5, precision=p)[1].values() for p in ("as_trained", "float64")]
    for a, b in zip(*found, strict=True):
        for x, y in zip(a.rows["gradients"], b.rows["gradients"], strict=True):
            np.testing.assert_allclose(x["log10_adjoint"], y["log10_adjoint"], atol=1e-3)


@pytest.mark.parametrize("window", [1, 4, T])
@pytest.mark.parametrize("name", PAPER_CELLS)
def test_adjoints_are_those_of_autograd_and_exactly_zero_before_the_window(name: str, window: int) -> None:
    from harness.recurrence.adjoints import AdjointRecorder

    cell, parameters, x = made(name)
    v = torch.randn(R, B, H, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    recorder = AdjointRecorder()
    h, _ = scan(cell, parameters, x, start(cell, parameters), window=window, recorder=recorder)
    (h * v).sum().backward()
    ours = {key: p.grad for key, p in parameters.items()}
    _, parameters, _ = made(name)
    z, states = drive(parameters, x), [start(cell, parameters)]
    for t in range(T):
        if t == T - window:
            states[-1] = tuple(part.detach() for part in states[-1])
        states.append(cell.step(parameters, states[-1], z[t]))  # the parameters as trained: each step makes its own W
    seen = [state[0] for state in states[T - window + 1 :]]
    for part in seen:
        part.retain_grad()
    (seen[-1] * v).sum().backward()
    expected = np.stack([np.log10(part.grad.norm(dim=-1).sum(-1).numpy()) for part in seen])
    np.testing.assert_allclose(recorder.log10_adjoint[T - window :], expected, atol=1e-10)
    assert np.isneginf(recorder.log10_adjoint[: T - window]).all()
    for key, p in parameters.items():
        wanted = torch.zeros_like(p) if p.grad is None else p.grad  # one step: the recurrent weights meet h_0 = 0
        torch.testing.assert_close(torch.zeros_like(p) if ours[key] is None else ours[key], wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", PAPER_CELLS)
def test_what_is_effective_stays_as_it_is(name: str) -> None:
    cell, parameters, _ = made(name)
    once = cell.parametrize(parameters)
    assert cell.parametrize(once) is once
    assert set(parameters) <= set(once)


@pytest.mark.parametrize("H", [6, 7])
@pytest.mark.parametrize("name", PAPER_CELLS)
def test_the_recorded_matrices_are_square_blocks_made_from_the_recurrent_weights_alone(name: str, H: int) -> None:
    cell, parameters, _ = made(name, H=H)
    matrices = cell.recurrent_matrices({key: parameters[key] for key in cell.recurrent_weights})
    assert all(matrix.shape[0] == R and matrix.shape[1] % H == 0 for matrix in matrices)
    assert all(matrix.shape[2] == H for matrix in matrices)
    assert (len(matrices) == 0) == (not cell.recurrent_weights)


@pytest.mark.parametrize("name", ONLY_PAPER)
@pytest.mark.parametrize("init", ["torch", "gaussian", "lecture"])
def test_a_start_that_is_not_the_papers_is_refused_with_the_word_to_write(name: str, init: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' starts as its paper says; set model.init: paper"):
        CELLS[name](cell=name, init=init)


def test_the_refusal_says_where(study_file) -> None:
    text = STUDY.format(cell="lru", H=4, B=2, precision="as_trained").replace("hidden_size: 4", "init: gaussian")
    with pytest.raises(StudyError, match=r":4:\d+: model.init: 'lru' starts as its paper says; set model.init: paper"):
        read(study_file(text))


def test_a_radius_that_has_no_meaning_cannot_be_swept(study_file) -> None:
    text = STUDY.format(cell="lru", H=4, B=2, precision="as_trained")
    with pytest.raises(StudyError, match=r"has no meaning with init: paper, so it cannot be swept there$"):
        read(study_file(text + "sweep: {model.spectral_radius: [0.9, 1.0]}\n"))


@pytest.mark.parametrize("name", [name for name in PAPER_CELLS if name not in ONLY_PAPER])
def test_other_starts_change_the_recurrent_weights_and_the_forget_bias_stays(name: str) -> None:
    drawn = CELLS[name](cell=name, hidden_size=H, init="gaussian").start(0, input_size=D, output_size=1, length=T)
    paper = CELLS[name](cell=name, hidden_size=H).start(0, input_size=D, output_size=1, length=T)
    assert not np.allclose(drawn["W"], paper["W"])
    if name == "janet":
        np.testing.assert_array_equal(drawn["b_x"][:H], paper["b_x"][:H])


@pytest.mark.parametrize("name", PAPER_CELLS)
def test_a_matched_width_has_the_nearest_number_of_parameters(name: str) -> None:
    task = TASKS["temporal_order"](name="temporal_order", sequence_length=20)
    asked = CELLS[name](cell=name, hidden_size=20, match="parameters")
    wanted = parameter_counts(CELLS["rnn"](cell="rnn", biases=1), task, 20)["parameters"]
    off = [abs(parameter_counts(asked, task, width)["parameters"] - wanted) for width in range(1, 120)]
    assert matched_width(asked, task) == 1 + off.index(min(off))


@pytest.mark.parametrize("name", PAPER_CELLS)
def test_one_seed_draws_the_same_parameters_again_and_another_seed_others(name: str) -> None:
    cell = CELLS[name](cell=name, hidden_size=H)
    first, again, other = (cell.start(seed, input_size=D, output_size=1, length=T) for seed in (4, 4, 5))
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert any(not np.array_equal(first[key], other[key]) for key in first)


def test_no_adjoint_underflows_over_two_thousand_steps() -> None:
    cell, parameters, x = made("mingru", T=2000)
    levels, _, _ = adjoints(cell, parameters, x, torch.ones(R, B, H, dtype=torch.float64))
    assert np.isfinite(levels).all()
    assert levels[0].max() < -310  # below any float64
