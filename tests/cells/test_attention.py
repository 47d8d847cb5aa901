"""Attention: its values and gradients beside torch's, the closed form of its adjoint, its start, its size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from harness.cells.attention import Attention, sinusoids
from harness.cells.rnn import RNN
from harness.cells.sizes import matched_width, parameter_counts
from harness.models import model_of
from harness.models.of_attention import OfAttention
from harness.recurrence.adjoints import AdjointRecorder
from harness.tasks import TASKS

H, D, T, B = 6, 5, 9, 4


def attention(**settings: object) -> Attention:
    return Attention.model_validate({"cell": "attention", "hidden_size": H, **settings}, strict=False)


def drawn(cell: Attention, seed: int = 3) -> dict[str, Tensor]:
    weights = cell.start(seed, input_size=D, output_size=2, length=T)
    return {name: torch.as_tensor(value).requires_grad_() for name, value in weights.items()}


def rows(steps: int = T) -> Tensor:
    return torch.randn(steps, B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("heads", [1, 2, 3])
@pytest.mark.parametrize("positions", ["sinusoidal", "none"])
def test_values_and_gradients_are_those_of_torchs_multihead_attention(heads: int, positions: str) -> None:
    cell = attention(heads=heads, positions=positions)
    p, x = drawn(cell), rows().requires_grad_()
    twin = nn.MultiheadAttention(H, heads, bias=False, dtype=torch.float64)
    linear = nn.Linear(D, H, dtype=torch.float64)
    with torch.no_grad():
        twin.in_proj_weight.copy_(torch.cat([p[name] for name in ("W_q", "W_k", "W_v")]))
        twin.out_proj.weight.copy_(p["W_o"])
        linear.weight.copy_(p["U"])
        linear.bias.copy_(p["b_x"])
    e = linear(x)
    if positions == "sinusoidal":
        angle = [[t / 10000 ** (2 * (i // 2) / H) for i in range(H)] for t in range(T)]
        place = [[np.sin(a) if i % 2 == 0 else np.cos(a) for i, a in enumerate(row)] for row in angle]
        e = e + torch.as_tensor(np.array(place)).unsqueeze(1)
    causal = torch.ones(T, T, dtype=torch.bool).triu(1)
    expected = e + twin(e, e, e, attn_mask=causal, need_weights=False)[0]
    h, _ = cell.attend(p, x)
    torch.testing.assert_close(h, expected, rtol=0, atol=1e-12)
    g = torch.randn(h.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    own = torch.autograd.grad(h, [x, *p.values()], g)
    theirs = torch.autograd.grad(
        expected, [x, linear.weight, linear.bias, twin.in_proj_weight, twin.out_proj.weight], g
    )
    theirs = (*theirs[:3], *theirs[3].chunk(3), theirs[4])
    for a, b in zip(own, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def of_last_step(cell: Attention, **changed: Tensor) -> tuple[AdjointRecorder, dict]:
    """A recorder after one pass with a loss at the last step, and what the closed form needs."""
    model = model_of(TASKS["temporal_order"](name="temporal_order", sequence_length=12), cell)
    assert isinstance(model, OfAttention)
    weights = model.initialise(cell, 3)
    p = {name: torch.as_tensor(value).unsqueeze(0).requires_grad_() for name, value in weights.items()}
    p |= {name: value.unsqueeze(0).requires_grad_() for name, value in changed.items()}
    batch = model.task.batch(3, "train", 0, B)
    inputs, targets = torch.as_tensor(batch.inputs).unsqueeze(1), torch.as_tensor(batch.targets).unsqueeze(0)
    recorder = AdjointRecorder()
    outputs, _ = model.outputs(p, inputs, targets, recorder=recorder)
    outputs.retain_grad()
    model.losses(outputs, targets).sum().backward()
    return recorder, {"p": {n: v[0].detach() for n, v in p.items()}, "x": inputs[:, 0], "g": outputs.grad[0]}


def test_with_one_head_the_adjoint_of_a_value_is_its_weight_times_that_of_the_output() -> None:
    """‖∂L/∂v_t‖ = a_Tt ‖W_oᵀ ∂L/∂h_T‖ where the loss reads the last step alone."""
    cell = attention()
    recorder, of = of_last_step(cell)
    p, x = of["p"], of["x"]
    e = nn.functional.one_hot(x.long(), p["U"].shape[1]).double() @ p["U"].T + p["b_x"]
    e = e + torch.as_tensor(sinusoids(len(x), H)).unsqueeze(1)
    q, k = e[-1] @ p["W_q"].T, e @ p["W_k"].T  # (B, H), (T, B, H)
    a = ((q * k).sum(-1) / H**0.5).softmax(0)  # (T, B)
    by_output = of["g"] @ p["V"]  # ∂L/∂h_T, (B, H)
    expected = a * (by_output @ p["W_o"]).norm(dim=-1)
    np.testing.assert_allclose(recorder.log10_norms[:, 0], expected.log10(), rtol=0, atol=1e-12)
    [[row]] = recorder.rows()
    np.testing.assert_allclose(row["log10_adjoint"], expected.sum(-1).log10(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(row["log10_immediate"][-1], by_output.norm(dim=-1).sum().log10(), rtol=0, atol=1e-12)
    assert (row["log10_immediate"][:-1] == -np.inf).all()


def test_equal_weights_pass_the_same_gradient_to_every_step_a_share_of_one_over_their_number() -> None:
    for heads in (1, 2):
        recorder, of = of_last_step(attention(heads=heads), W_q=torch.zeros(H, H, dtype=torch.float64))
        levels = recorder.log10_norms[:, 0]  # (T, B)
        whole = (of["g"] @ of["p"]["V"] @ of["p"]["W_o"]).norm(dim=-1)
        np.testing.assert_allclose(levels, np.broadcast_to((whole / len(levels)).log10(), levels.shape), atol=1e-12)


def test_no_step_reads_a_later_one() -> None:
    cell, x = attention(heads=2), rows()
    p = drawn(cell)
    whole, part = cell.attend(p, x)[0], cell.attend(p, x[:5])[0]
    torch.testing.assert_close(whole[:5], part, rtol=0, atol=1e-13)


def test_without_positions_the_order_of_earlier_steps_is_not_seen() -> None:
    x = rows()
    shuffled = torch.cat([x[:-1].flip(0), x[-1:]])
    seen = {}
    for positions in ("none", "sinusoidal"):
        cell = attention(positions=positions)
        p = drawn(cell)
        a, b = (cell.attend(p, each)[0][-1] for each in (x, shuffled))
        seen[positions] = not torch.allclose(a, b, rtol=0, atol=1e-12)
    assert seen == {"none": False, "sinusoidal": True}


def test_products_of_positions_depend_on_their_distance_alone() -> None:
    p = sinusoids(20, H)
    products = p @ p.T
    for distance in range(20):
        np.testing.assert_allclose(np.diag(products, distance), products[0, distance], atol=1e-13)
    assert products[0, 0] == pytest.approx(H / 2)


def test_parameters_start_within_torchs_bounds_from_streams_of_their_own() -> None:
    weights = attention(hidden_size=200).start(3, input_size=D, output_size=2, length=T)
    linear, twin = nn.Linear(D, 200), nn.MultiheadAttention(200, 1, bias=False)
    theirs = dict(zip(("W_q", "W_k", "W_v"), twin.in_proj_weight.chunk(3), strict=True))
    theirs |= {"U": linear.weight, "b_x": linear.bias, "W_o": twin.out_proj.weight}
    for name, value in weights.items():
        assert np.abs(value).max() == pytest.approx(theirs[name].abs().max().item(), rel=0.03)
        assert value.shape == tuple(theirs[name].shape)
    assert len({float(value.flat[0]) for value in weights.values()}) == 6


@pytest.mark.parametrize("heads", [1, 4])
def test_matched_parameters_are_the_nearest_that_the_heads_can_share(heads: int) -> None:
    task = TASKS["temporal_order"](name="temporal_order", sequence_length=12)
    cell = attention(hidden_size=30, heads=heads, match="parameters")
    target = parameter_counts(RNN(cell="rnn", hidden_size=30, biases=1), task, 30)["parameters"]
    width = matched_width(cell, task)
    assert width % heads == 0

    def miss(H: int) -> int:
        return abs(parameter_counts(cell, task, H)["parameters"] - target)

    assert miss(width) == min(map(miss, range(heads, 60, heads)))
    weights = model_of(task, cell).initialise(cell.model_copy(update={"hidden_size": width}), 3)
    assert sum(w.size for w in weights.values()) == parameter_counts(cell, task, width)["parameters"]
    assert parameter_counts(cell, task, width)["recurrent_parameters"] == 0


def test_heads_that_cannot_share_the_units_are_refused_with_the_nearest_number() -> None:
    with pytest.raises(ValidationError, match=r"4 heads cannot share 6 units \(hidden_size\) equally; take 3"):
        attention(heads=4)
