"""Loops of cells: the same gradients as those of the module that is the same loop, and far below any float."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import harness

T, B, D, H = 7, 3, 2, 4
CELLS: dict[str, tuple[type[nn.RNNCellBase], type[nn.RNNBase], dict[str, Any]]] = {
    "rnn": (nn.RNNCell, nn.RNN, {}),
    "relu": (nn.RNNCell, nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTMCell, nn.LSTM, {}),
    "gru": (nn.GRUCell, nn.GRU, {}),
    "without biases": (nn.GRUCell, nn.GRU, {"bias": False}),
}


def normal(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(name: str) -> tuple[nn.RNNCellBase, nn.RNNBase]:
    torch.manual_seed(5)
    cell_kind, module_kind, settings = CELLS[name]
    cell, module = cell_kind(D, H, **settings).double(), module_kind(D, H, **settings).double()
    module.load_state_dict({f"{key}_l0": value for key, value in cell.state_dict().items()})
    return cell, module


def levels(frame: Any, state: str, column: str = "log10_adjoint") -> np.ndarray:
    return frame[frame.state == state][column].to_numpy()


@pytest.mark.parametrize("every_step", [False, True], ids=["last", "every"])
@pytest.mark.parametrize("name", CELLS)
def test_a_loop_is_recorded_as_the_module_that_it_is(name: str, every_step: bool) -> None:
    cell, module = pair(name)
    x, seen = normal(T, B, D), normal(T, B, H, seed=4)
    if not every_step:
        seen[:-1] = 0
    with harness.watch(cell) as gradients:
        hx: Any = None
        total = torch.zeros((), dtype=torch.float64)
        for t in range(T):
            hx = cell(x[t], hx)
            total = total + ((hx[0] if name == "lstm" else hx) * seen[t]).sum()
        if name == "lstm":
            total = total + hx[1].sum()
        total.backward()
    with harness.watch(module) as expected:
        y, last = module(x)
        loss = (y * seen).sum()
        (loss + last[1].sum() if name == "lstm" else loss).backward()
    for state in ("h", "c") if name == "lstm" else ("h",):
        for column in ("log10_adjoint", "log10_adjoint_geometric", "log10_adjoint_q25", "log10_immediate"):
            ours, theirs = (levels(each.frame, state, column) for each in (gradients, expected))
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10, err_msg=f"{state} {column}")
    assert gradients.frame.call.unique().tolist() == [1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loop_has_numbers_far_below_those_of_its_training(dtype: torch.dtype) -> None:
    """h_t = W h at rest, W a tenth of a rotation: ‖∂L/∂h_t‖ = 10^−lag, down to 10⁻⁴⁵¹."""
    T = 452
    cell = nn.RNNCell(1, 2, bias=False).to(dtype)
    angle = torch.tensor(0.6, dtype=dtype)
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    with torch.no_grad():
        cell.weight_hh.copy_(rotation / 10)
    gradients = harness.watch(cell)
    h = torch.zeros(1, 2, dtype=dtype)
    for _ in range(T):
        h = cell(torch.zeros(1, 1, dtype=dtype), h)
    h[0, 0].backward()
    with pytest.warns(UserWarning, match="exactly zero at t ≤"):
        gradients.close()
    frame = gradients.frame
    np.testing.assert_allclose(frame.log10_adjoint, -frame.lag, rtol=0, atol=1e-3 * (dtype == torch.float32) + 1e-9)
    assert frame.log10_adjoint.min() < -450.9
    assert (frame.log10_immediate.iloc[:-1] == -np.inf).all()


def test_where_a_state_is_changed_between_steps_the_trainings_own_total_is_recorded() -> None:
    cell, norm = nn.LSTMCell(D, H).double(), nn.LayerNorm(H).double()
    x, states = normal(T, B, D), []
    with harness.watch(cell) as gradients:
        h, c = cell(x[0])
        for t in range(1, T):
            h.retain_grad(), c.retain_grad()
            states.append((h, c))
            h, c = cell(x[t], (norm(h), c))
        h.retain_grad(), c.retain_grad()
        states.append((h, c))
        h.square().sum().backward()
    frame = gradients.frame
    for i, state in enumerate(("h", "c")):
        norms = [float(torch.linalg.vector_norm(each[i].grad, dim=-1).sum().log10()) for each in states]
        np.testing.assert_allclose(levels(frame, state), norms, rtol=0, atol=1e-10)
    immediate = levels(frame, "h", "log10_immediate")
    assert np.isnan(immediate[:-1]).all()
    assert np.isfinite(immediate[-1])
    assert (levels(frame, "c", "log10_immediate") == -np.inf).all()


def test_a_state_without_its_gradient_is_truncated_there() -> None:
    cell, x = nn.GRUCell(D, H).double(), normal(T, B, D)
    gradients = harness.watch(cell)
    h = None
    for t in range(T):
        h = cell(x[t], h.detach() if t == T - 3 else h)
    h.sum().backward()
    with pytest.warns(UserWarning, match="exactly zero beyond lag 2 of 6: truncated"):
        gradients.close()
    frame = gradients.frame
    assert frame.t.tolist() == list(range(1, T + 1))
    assert (levels(frame, "h")[: T - 3] == -np.inf).all()
    assert np.isfinite(levels(frame, "h")[T - 3 :]).all()


def test_two_sequences_in_one_forward_pass_are_two_calls() -> None:
    cell, x = nn.RNNCell(D, H).double(), normal(T, B, D)
    with harness.watch(cell) as gradients:
        ends = []
        for steps in (3, T):
            h = None
            for t in range(steps):
                h = cell(x[t], h)
            ends.append(h)
        with torch.no_grad():
            cell(x[0])
        cell(x[0])  # no gradient comes to this one
        sum(end.sum() for end in ends).backward()
    assert gradients.frame.groupby("call").size().to_dict() == {1: 3, 2: T}


def test_a_sequence_without_a_batch_and_a_step_of_weights() -> None:
    """The weights are those of the call, whatever an optimizer does before anything is computed."""
    cell, x = nn.LSTMCell(D, H).double(), normal(T, D)
    records = []
    for stepped in (False, True):
        twin = nn.LSTMCell(D, H).double()
        twin.load_state_dict(cell.state_dict())
        with harness.watch(twin) as gradients:
            hx = None
            for t in range(T):
                hx = twin(x[t], hx)
            hx[0].sum().backward()
            if stepped:
                torch.optim.SGD(twin.parameters(), lr=10.0).step()
        records.append(gradients.frame.log10_adjoint.to_numpy())
    np.testing.assert_array_equal(*records)


def test_named_tensors_have_the_gradients_that_autograd_retains() -> None:
    W = nn.Parameter(normal(H, H))
    with harness.watch(nn.Identity()) as gradients:
        h, states, scores = normal(B, H), [], []
        for _ in range(T):
            h = gradients.state(torch.tanh(h @ W), "h")
            h.retain_grad()
            states.append(h)
            scores.append(gradients.mark(h.unsqueeze(-1) * h.unsqueeze(1), "attention"))
            scores[-1].retain_grad()
        (h.sum() + sum(each.square().sum() for each in scores)).backward()
        again = gradients.state(torch.tanh(h.detach() @ W), "h")
        again.sum().backward()
    frame = gradients.frame
    for name, tensors in (("h", states), ("attention", scores)):
        norms = [float(torch.linalg.vector_norm(each.grad.flatten(1), dim=-1).sum().log10()) for each in tensors]
        rows = frame[(frame.state == name) & (frame.call == 1)]
        np.testing.assert_allclose(rows.log10_adjoint, norms, rtol=0, atol=1e-12)
        assert rows.log10_immediate.isna().all()
    assert len(frame[frame.call == 2]) == 1
    with pytest.raises(harness.HarnessError, match=r"expected \(B, H\) or \(H,\)"):
        gradients.state(scores[0], "h")


def loop_of(cell: nn.Module, rows: Tensor, h: Tensor, *, in_place: bool) -> Tensor:
    """A loop whose state lies in a buffer that is written over after the loss, or in a tensor of its own."""
    first = h.clone()
    for t in range(T):
        first = cell(rows[t], first if t or not in_place else h)
    first.sum().backward()
    if in_place:
        h.fill_(3.0)
    return first


def test_a_first_state_that_is_written_over_afterwards_is_recorded_as_it_was() -> None:
    cell, _ = pair("rnn")
    for parameter in cell.parameters():  # torch's backward pass does not read h_0 then
        parameter.requires_grad_(parameter is cell.bias_hh)
    records = []
    for in_place in (False, True):
        gradients = harness.watch(cell)
        loop_of(cell, normal(T, B, D), normal(B, H, seed=9), in_place=in_place)
        gradients.close()
        assert gradients.warnings == []
        records.append(gradients.frame.log10_adjoint.to_numpy())
    np.testing.assert_array_equal(*records)


def test_an_input_of_a_loop_that_is_changed_afterwards_is_named() -> None:
    cell, _ = pair("gru")
    x = normal(T, B, D)
    gradients = harness.watch(cell)
    loop_of(cell, x, torch.zeros(B, H, dtype=torch.float64), in_place=False)
    x[2:].zero_()
    with pytest.warns(UserWarning, match="the input at t = 1 was changed in place afterwards"):
        gradients.close()


def test_a_state_that_is_changed_in_place_between_steps_is_another_state() -> None:
    cell, x = nn.GRUCell(D, H).double(), normal(T, B, D)
    frames = []
    for in_place in (False, True):
        with harness.watch(cell) as gradients:
            h = torch.zeros(B, H, dtype=torch.float64)
            for t in range(T):
                h = cell(x[t], h)
                h = h.mul_(0.5) if in_place else h * 0.5
            h.sum().backward()
        frames.append(gradients.frame)
    np.testing.assert_allclose(frames[0].log10_adjoint, frames[1].log10_adjoint, rtol=0, atol=1e-12)
    assert frames[1].log10_immediate.iloc[:-1].isna().all()


def test_a_marked_vector_is_a_number_of_each_sequence_and_a_state_alone_a_sequence() -> None:
    for values in (normal(B), torch.complex(normal(B), normal(B, seed=7))):
        with harness.watch(nn.Identity()) as gradients:
            vector = gradients.mark(values.requires_grad_() * 1, "scores")
            column = gradients.mark(vector.unsqueeze(1) * 1, "column")
            state = gradients.state(vector * 1, "h")
            for tensor in (vector, column, state):
                tensor.retain_grad()
            ((column * column.conj()).real.sum() + (state * (1 + 2j)).real.sum()).backward()
        frame = gradients.frame.set_index("state").log10_adjoint
        expected = {"scores": vector.grad.abs().sum(), "column": column.grad.abs().sum(), "h": state.grad.norm()}
        for name, value in expected.items():
            np.testing.assert_allclose(frame[name], np.log10(float(value)), rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", [nn.GRU, nn.GRUCell])
def test_a_batch_of_no_sequences_is_passed_over(kind: type[nn.Module]) -> None:
    module = kind(D, H).double()
    with harness.watch(module) as gradients:
        for size in (0, B):
            x = normal(T, size, D)
            y = module(x[0]) if kind is nn.GRUCell else module(x)[0]
            gradients.mark(y * 1, "y").sum().backward()
    assert gradients.frame.call.unique().tolist() == [1]
    assert np.isfinite(gradients.frame.log10_adjoint).all()
