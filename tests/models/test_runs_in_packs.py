"""A run's rows are the same bits alone and in any pack: recurrence, readout, loss, penalties, updates and records."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pinned_runs import PINNED, SIZES, TASKS
from samples import sampled

from harness.experiments.setup import Setup
from harness.experiments.training.loop import train
from harness.experiments.training.optimizer_keywords import KEYWORDS as OPTIMIZERS
from harness.models.affine import affine
from harness.models.readout import losses
from harness.recurrence.products import products
from harness.registry import load_registry
from harness.study.plan import Run, plan
from harness.study.validation import understand
from harness.study.yaml_document import parse
from harness.tasks.task import UNSCORED, Readout

Records = dict[str, tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]]
SMALL = {  # windows and sizes where a task's own are large
    "characters": "bptt_window: 10, batch_size: 8", "echo, draw: lecture": "bptt_window: 10, batch_size: 5",
    "echo, lag: 2, series_length: 12": "bptt_window: 6, bptt_stride: 3",
    "temporal_order, level: easy, draw: lecture": "batch_size: 32",
    "words, embedding: 5": "bptt_window: 10, batch_size: 8",
    "characters, text: data/text.txt": "bptt_window: 10, batch_size: 8",
    "words, embedding: 5, text: data/text.txt": "bptt_window: 10, batch_size: 8",
    "words, embedding: 4, tied: true": "bptt_window: 10, batch_size: 8",
}  # fmt: skip
STEPWISE = (  # one of each kind of readout and of target
    "adding, sequence_length: 10", "copying, delay: 3", "echo, lag: 2, series_length: 12", "xor, sequence_length: 10",
    "parity, sequence_length: 9, shortest_length: 4, scored: end",
)  # fmt: skip


OPTIONS = ("omega: 0.5", "orthogonal: 0.5", "flossing: 0.5", "clip_norm: 0.1", "optimizer: adam")


def runs(task: str, model: str = "cell: rnn, hidden_size: 20", training: str = "", sequences: int = 32) -> list[Run]:
    """Four replicas of a pack."""
    every, updates = (31, 31) if "easy, draw: lecture" in task else (2, 3)  # a test set after each 31 updates
    options = ", ".join(
        filter(None, (f"max_updates: {updates}, stop_when_solved: false, learning_rate: 0.01", training))
    )
    text = (
        f"name: a\nclaim: b.\ntask: {{name: {task}}}\nmodel: {{{model}}}\ntraining: {{{options}}}\nseeds: 4\n"
        f"evaluation: {{every: {every}, sequences: {sequences}}}\nrecord: {{weights: true, adjoints: {{every: 2}}}}\n"
    )
    return plan(understand(parse(text, str(PINNED.with_name("a.yaml"))), load_names=load_registry)).runs


def records(runs: list[Run], engine: str) -> Records:
    """Every number of each run, timings aside, by run."""
    by_run = {}
    for record in train(runs, Setup(engine)):
        run, rows = ({**record.run}, record.rows)
        for row in (run, *(row for table in rows.values() for row in table)):
            row.pop("seconds", None)
        by_run[record.run_id] = (run, rows)
    return by_run


def same_alone_and_in_packs(runs: list[Run], engine: str) -> None:
    packs = [records(runs[:3], engine), records(runs[::-1], engine)]
    for run in runs:
        [(name, alone)] = records([run], engine).items()
        assert {"curves", "gradients", "weights"} <= set(alone[1])
        for pack in packs:
            if name in pack:
                assert repr(pack[name]) == repr(alone)


EVERY = [f"{name}, {setting}".rstrip(", ") for name in TASKS for setting in TASKS[name]]


@pytest.mark.parametrize("task", sampled(EVERY, [*STEPWISE, "temporal_order, sequence_length: 10", "digit_names"]))
def test_runs_of_every_task(task: str) -> None:
    sequences = SIZES[f"name: {task}"][1] if f"name: {task}" in SIZES else 32
    for engine in ("compiled", "torch") if task in STEPWISE else ("compiled",):
        model = f"cell: rnn, hidden_size: {4 if 'tied' in task else 20}"  # a tied table is as wide as the state
        same_alone_and_in_packs(runs(task, model, SMALL.get(task, ""), sequences), engine)


@pytest.mark.parametrize(  # `test_penalties.py` has every penalty in a pack of the compiled engine
    ("engine", "option"),
    sampled(
        [(engine, option) for engine in ("compiled", "torch") for option in OPTIONS],
        [("compiled", "clip_norm: 0.1"), ("torch", "omega: 0.5"), ("torch", "flossing: 0.5")],
    ),
)
@pytest.mark.parametrize("hidden_size", sampled([1, 7], [7]))
def test_runs_with_every_option_that_computes(engine: str, option: str, hidden_size: int) -> None:
    order = "temporal_order, sequence_length: 12"
    same_alone_and_in_packs(runs(order, f"cell: rnn, hidden_size: {hidden_size}", option), engine)


LAYERED = [  # model, training
    ("layers: 2", ""), ("layers: 2, bidirectional: true", ""), ("layer_sizes: [1, 5]", ""),
    ("layers: 3, residual: add, dropout: 0.4", ""),
    *((f"layers: 2, normalisation: {kind}", "") for kind in ("layer", "rms")),
    *((f"layers: 2, normalisation: {kind}, normalised: between", "clip_norm: 0.1") for kind in ("layer", "rms")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "cell"),
    sampled([("compiled", "rnn"), ("compiled", "lstm"), ("torch", "rnn")], [("compiled", "rnn")]),
)
@pytest.mark.parametrize(
    ("model", "training"), sampled(LAYERED, [LAYERED[1], LAYERED[2], LAYERED[3], LAYERED[5], LAYERED[6]])
)
def test_runs_of_several_layers(engine: str, cell: str, model: str, training: str) -> None:
    size = "" if "layer_sizes" in model else ", hidden_size: 7"
    same_alone_and_in_packs(
        runs("temporal_order, sequence_length: 12", f"cell: {cell}{size}, {model}", training), engine
    )


@pytest.mark.parametrize(
    "option",
    [
        *sampled((f"optimizer: {name}" for name in OPTIMIZERS), ["optimizer: adam"]),
        "schedule: {name: cosine, warm_up: 2}",
        "dtype: bfloat16",
    ],
)
def test_runs_with_every_optimizer_a_schedule_and_rounded_products(option: str) -> None:
    order = "temporal_order, sequence_length: 12"
    same_alone_and_in_packs(runs(order, "cell: rnn, hidden_size: 7", option), "torch")


def test_a_penalty_of_the_matrices_of_a_decoder() -> None:
    same_alone_and_in_packs(runs("digit_names", training="orthogonal: 0.5"), "compiled")


@pytest.mark.parametrize("kind", ["classes", "bits", "numbers"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("T", "B"), [(1, 1), (10, 5), (13, 11), (200, 1), (200, 20)])
def test_losses_and_their_gradients(kind: Readout, dtype: torch.dtype, T: int, B: int) -> None:
    torch.manual_seed(B)
    R, C = 5, 31 if kind == "classes" else 1
    outputs, targets = torch.randn(R, T, B, C, dtype=dtype).movedim(0, 1) * 3, torch.randint(2, (T, R, B))
    unscored = torch.rand(T, R, B) < 0.3
    targets = torch.where(unscored, torch.nan, targets) if kind == "numbers" else targets.where(~unscored, UNSCORED)

    def answers(first: int, last: int) -> list[torch.Tensor]:
        """Losses and gradients of outputs as a readout lays them out, and as the parts of an evaluation are joined."""
        both = []
        for own in (outputs[:, first:last].movedim(1, 0).clone().movedim(0, 1), outputs[:, first:last].contiguous()):
            loss = losses(kind, own.requires_grad_(), targets[:, first:last])
            both += [loss.detach(), torch.autograd.grad(loss.sum(), own)[0].movedim(1, 0)]
        return both

    pack = answers(0, R)
    for first, last in ((0, 1), (4, 5), (1, 3), (2, 5)):
        for ours, theirs in zip(answers(first, last), pack, strict=True):
            assert torch.equal(ours, theirs[first:last])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [(), (1,), (7,), (40,)])
@pytest.mark.parametrize(("B", "inputs", "outputs"), [(1, 1, 1), (10, 64, 1), (20, 1, 31), (64, 33, 4), (20, 128, 10)])
def test_an_affine_map_and_its_gradients(
    dtype: torch.dtype, lead: tuple[int, ...], B: int, inputs: int, outputs: int
) -> None:
    torch.manual_seed(B)
    R = 5
    x, W = torch.randn(*lead, R, B, inputs, dtype=dtype), torch.randn(R, outputs, inputs, dtype=dtype)
    b, g = torch.randn(R, outputs, dtype=dtype), torch.randn(*lead, R, B, outputs, dtype=dtype)

    def answers(first: int, last: int) -> list[torch.Tensor]:
        """y, ∂x, ∂W and ∂b, the replica axis first."""
        own, w, c = (part.clone().requires_grad_() for part in (x[..., first:last, :, :], W[first:last], b[first:last]))
        y = affine(own, w, c)
        gradients = torch.autograd.grad(y, (own, w, c), g[..., first:last, :, :])
        return [y.movedim(-3, 0), gradients[0].movedim(-3, 0), *gradients[1:]]

    pack = answers(0, R)
    X, G, V = (part.double() for part in (x, g, W))
    twins = (
        torch.einsum("...rbi,roi->...rbo", X, V) + b.unsqueeze(1),
        torch.einsum("...rbo,...rbi->roi", G, X),
        torch.einsum("...rbo->ro", G),
    )
    for ours, twin in zip((pack[0].movedim(0, -3), *pack[2:]), twins, strict=True):
        error = (ours - twin).abs().max()
        assert error < 100 * torch.finfo(dtype).eps * twin.abs().max()
    for first, last in ((0, 1), (4, 5), (1, 3), (2, 5)):
        for ours, theirs in zip(answers(first, last), pack, strict=True):
            assert torch.equal(ours, theirs[first:last])


def test_a_product_of_one_replica_and_one_column_is_that_of_a_pack() -> None:
    a, b, start = torch.randn(3, 40, 64), torch.randn(3, 64, 1), torch.randn(3, 1, 1)
    for r in range(3):
        assert torch.equal(products(a[r : r + 1], b[r : r + 1])[0], products(a, b)[r])
        assert torch.equal(products(a[r : r + 1], b[r : r + 1], start[r : r + 1])[0], products(a, b, start)[r])
