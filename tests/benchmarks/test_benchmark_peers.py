"""All that are compared do the same work: same weights, same batches, same updates, same adjoints."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from samples import sampled

from benchmarks import cells, depth, flops, step, sweeps, tables, watched
from benchmarks import peer as script
from benchmarks.measurement import Effort
from benchmarks.own import Enough, Ticks
from benchmarks.peers import Peer, torch_compiled
from benchmarks.peers.cell_loop import CellLoop
from benchmarks.peers.torch_batched import TorchBatched
from benchmarks.peers.torch_compiled import TorchCompiled, unavailable
from benchmarks.peers.torch_loop import TorchLoop
from benchmarks.peers.torch_module import TorchModule
from benchmarks.problem import Problem
from benchmarks.processes import STUDIES
from benchmarks.sizes import BUILT_IN, CELLS, Sizes
from harness.experiments.setup import Setup
from harness.experiments.training import loop
from harness.registry import read
from harness.rng import generator

STEPS = 4


def of_harness(problem: Problem, monkeypatch) -> tuple[np.ndarray, np.ndarray]:
    """Losses (STEPS, R), and log₁₀ adjoints (STEPS, T, R), of the harness's loop."""
    losses, adjoints = [], []
    gradient, rows = loop.backward_pass, loop.adjoint_rows

    def recorded_gradient(*arguments):
        result = gradient(*arguments)
        losses.append(result[0].numpy())
        return result

    def recorded_rows(*arguments):
        result = rows(*arguments)
        adjoints.append(np.stack([row["log10_adjoint"] for row, *_ in result], axis=1))
        return result

    monkeypatch.setattr(loop, "backward_pass", recorded_gradient)
    monkeypatch.setattr(loop, "adjoint_rows", recorded_rows)
    with suppress(Enough):
        list(loop.train(problem.runs, Setup("compiled", listener=Ticks(STEPS))))
    return np.stack(losses), np.stack(adjoints)


def of_jax(problem: Problem) -> Peer:
    pytest.importorskip("jax")
    from benchmarks.peers.jax_scan import JaxScan

    return JaxScan(problem)


def silent_batched(problem: Problem) -> Peer:
    return TorchBatched(problem, record=False)


def together(problem: Problem) -> Peer:
    return CellLoop(problem, together=True)


def same(peer: Peer, problem: Problem, monkeypatch) -> None:
    """A peer has the losses and adjoints of the harness, for a few updates."""
    losses, adjoints = of_harness(problem, monkeypatch)
    taken = [peer.step() for _ in range(STEPS)]
    R = peer.replicas
    np.testing.assert_allclose([step.losses for step in taken], losses[:, :R], rtol=1e-4)
    if taken[0].norms is not None:
        with np.errstate(divide="ignore"):
            levels = [np.log10(step.norms) for step in taken]
        np.testing.assert_allclose(levels, adjoints[:, :, :R], atol=1e-3)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("make", [TorchModule, TorchLoop, TorchBatched, silent_batched, of_jax])
def test_a_peer_trains_the_same_networks(cell, make, monkeypatch) -> None:
    problem = Problem(Sizes(cell, H=9, T=14, B=5, R=2))
    same(make(problem), problem, monkeypatch)


@pytest.mark.parametrize("cell", CELLS)
def test_the_module_trains_the_same_networks_of_two_layers(cell, monkeypatch) -> None:
    problem = Problem(Sizes(cell, H=9, T=14, B=5, R=2), layers=2)
    same(TorchModule(problem), problem, monkeypatch)


@pytest.mark.parametrize("cell", sampled(BUILT_IN, ["rnn", "lstm", "lru", "skip", "lem"]))
@pytest.mark.parametrize("make", [CellLoop, together])
def test_the_loop_of_any_cell_trains_the_same_networks(cell, make, monkeypatch) -> None:
    problem = Problem(Sizes(cell, H=9, T=14, B=5, R=2))
    same(make(problem), problem, monkeypatch)


@pytest.mark.skipif(unavailable() is not None, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of torch's compiler about itself
@pytest.mark.parametrize("record", [True, False])
def test_the_compiled_loop_trains_the_same_networks(record, monkeypatch) -> None:
    problem = Problem(Sizes(H=9, T=14, B=5, R=2))
    monkeypatch.setattr(torch_compiled, "STEPS_AT_ONCE", 2)
    same(TorchCompiled(problem, record=record), problem, monkeypatch)


def test_without_a_compiler_there_is_a_reason(monkeypatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    rows, notes = step.compiled(Sizes(H=5, T=12, B=3, R=1), Effort(), print)
    assert rows == []
    assert notes == ["torch.compile was not measured: there is no C++ compiler here (no-such-compiler)."]


@pytest.mark.parametrize("make", [TorchLoop, TorchBatched, CellLoop, of_jax])
def test_a_peer_that_records_has_norms(make) -> None:
    assert make(Problem(Sizes(H=5, T=12, B=3, R=1))).step().norms is not None


def test_peers_that_record_nothing_have_no_norms() -> None:
    problem = Problem(Sizes(H=5, T=12, B=3, R=1))
    assert TorchModule(problem).step().norms is silent_batched(problem).step().norms is None


def test_a_point_of_the_grid_has_all_ratios() -> None:
    quick = Effort(repeats=1, seconds=1e-3, rounds=1)
    rows = step.point(Sizes("gru", H=5, T=12, B=3, R=2), quick, print)
    expected = {"module", "loop", "batched", "batched, silent", "limit, own shapes", "limit, best rate"}
    assert expected <= {row.quantity for row in rows if row.unit == ""}
    assert all(value > 0 for row in rows for value in row.values)


def test_a_cell_has_its_ratios_and_its_arithmetic() -> None:
    quick = Effort(repeats=1, seconds=1e-3, rounds=1)
    sizes = Sizes("janet", H=5, T=12, B=3, R=2)
    rows = {row.quantity: row for row in cells.point(sizes, quick, print)}
    assert {"loop", "loop, all replicas", "torch engine", "a FLOP against the LSTM's", "harness, time"} <= set(rows)
    assert rows["arithmetic"].values == (flops.step(sizes) / 1e6,)


def test_two_layers_are_compared_with_the_module_and_with_their_layers() -> None:
    effort = Effort(repeats=1, seconds=0.001)
    rows = depth.point(Sizes("lstm", H=8, T=6, B=4, R=2), effort, lambda text: None)
    assert {row.quantity for row in rows} == {*tables.DEPTH_COLUMNS}
    assert all(value > 0 for row in rows for value in row.values)


def test_a_record_is_compared_with_the_modules_own_pass() -> None:
    effort = Effort(repeats=1, seconds=0.001)
    rows = watched.point(Sizes("lstm", H=8, T=6, B=4, R=1), effort, lambda text: None)
    assert [row.quantity for row in rows] == [watched.RECORD, watched.WAITING, "module, time"]
    assert all(value > 0 for row in rows for value in row.values)


def test_the_silent_problem_differs_in_recording_alone(monkeypatch) -> None:
    sizes = Sizes(H=5, T=12, B=3, R=2)
    losses, adjoints = of_harness(Problem(sizes), monkeypatch)
    silent_losses, silent_adjoints = of_harness(Problem(sizes, record="[0]"), monkeypatch)
    assert len(adjoints) == STEPS
    assert len(silent_adjoints) == 1
    assert np.array_equal(losses, silent_losses)


def test_the_script_and_the_study_have_the_same_settings() -> None:
    study = read(STUDIES / "peer.yaml")
    sections = study.points[0].sections
    task, model, training, evaluation = sections.task, sections.model, sections.training, sections.evaluation
    assert (task.length, task.input_size, task.output_size) == (script.T, script.D, script.C)
    assert (model.cell, model.hidden_size, model.init) == ("rnn", script.H, "gaussian")
    assert (training.optimizer, training.learning_rate, training.clip_norm) == (
        "rmsprop",
        script.LEARNING_RATE,
        script.CLIP,
    )
    assert (training.batch_size, training.stop_when_solved) == (script.BATCH, True)
    assert (evaluation.every, evaluation.sequences) == (script.EVERY, script.EVALUATED)
    assert tuple(point.sections.model.spectral_radius for point in study.points) == script.RADII
    assert study.seeds == tuple(script.SEEDS)
    assert f"default={sweeps.PEER_UPDATES})" in Path(script.__file__).read_text()
    assert training.max_updates == sweeps.PEER_UPDATES


def test_the_script_samples_the_task() -> None:
    x, y = script.sample(np.random.default_rng(0), 200)
    tokens = x.argmax(-1).numpy()
    order = [tuple(column[column < 2]) for column in tokens.T]
    assert [2 * first + second for first, second in order] == y.tolist()
    ours = read(STUDIES / "peer.yaml").points[0].sections.task.sample(generator(0, "test"), 5000).inputs
    where = {token: set(np.nonzero(np.isin(ours, token))[0]) for token in ((0, 1), (6,), (7,))}
    theirs = script.sample(np.random.default_rng(0), 5000)[0].argmax(-1).numpy()
    assert where == {token: set(np.nonzero(np.isin(theirs, token))[0]) for token in where}


def test_the_script_trains_and_records(monkeypatch) -> None:
    monkeypatch.setattr(script, "T", 20)
    monkeypatch.setattr(script, "EVALUATED", 16)
    radius, seed, updates, curve, norms, _ = script.train(1.0, 3, 2)
    assert (radius, seed, updates) == (1.0, 3, 2)
    assert [update for update, _ in curve] == [0, 2]
    assert norms.shape == (3, 20)
    assert np.isfinite(norms).all()


def test_without_jax_nothing_imports_it() -> None:
    from benchmarks.step import _jax

    peers = _jax(Problem(Sizes(H=5, T=12, B=3, R=1)))
    assert set(peers) == ({"jax"} if find_spec("jax") else set())
