"""A watch leaves the training alone, refuses what it cannot see, and warns of what goes wrong."""

from __future__ import annotations

import copy
import io
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import harness

T, B, D, H = 6, 3, 2, 4


class Network(nn.Module):
    """A recurrent module with a readout."""

    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM, **settings: Any) -> None:
        super().__init__()
        self.recurrent = kind(D, H, **settings)
        self.readout = nn.Linear(self.recurrent.hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.readout(self.recurrent(x)[0][-1])
        return y


def normal(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) + sum(
        len(p._post_accumulate_grad_hooks or ()) for p in model.parameters()
    )


def trained(watched: bool, kind: type[nn.RNNBase]) -> list[Tensor]:
    """All that twenty updates give: outputs, gradients, weights, and the random state."""
    torch.manual_seed(0)
    model = Network(kind, num_layers=2, dropout=0.3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    watch = harness.watch(model, every=3) if watched else None
    results = []
    for update in range(20):
        y = model(normal(T, B, D, seed=update))
        optimizer.zero_grad()
        y.square().mean().backward()
        results += [y.detach(), *(p.grad.clone() for p in model.parameters())]  # type: ignore[union-attr]
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        if watch is not None:
            watch.step()
    if watch is not None:
        watch.close()
        assert watch.frame["update"].unique().tolist() == [0, 3, 6, 9, 12, 15, 18]
        assert hooks(model) == 0
    return [*results, *model.parameters(), torch.get_rng_state()]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_the_training_is_the_same_bit_for_bit(kind: type[nn.RNNBase]) -> None:
    for own, other in zip(trained(True, kind), trained(False, kind), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_of_two_thousand_steps_has_its_closed_form(dtype: torch.dtype) -> None:
    """h_t = W h at rest, W = .6 of a rotation: ‖∂L/∂h_t‖ = .6^lag, 10⁻⁴⁴³ at t = 1."""
    module = nn.RNN(1, 2, bias=False).to(dtype)
    angle = torch.tensor(0.3, dtype=dtype)
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    with torch.no_grad():
        module.weight_hh_l0.copy_(0.6 * rotation)
    gradients = harness.watch(module)
    _, h = module(torch.zeros(2000, 1, 1, dtype=dtype))
    h[0, 0, 0].backward()
    powers = {torch.float32: 150, torch.float64: 1075}  # half the smallest number is 2^−150, 2^−1075
    lag = math.ceil(powers[dtype] * math.log(2) / -math.log(0.6))
    word = str(dtype).removeprefix("torch.")
    with pytest.warns(UserWarning, match=f"below the smallest number of {word} at lag {lag} and beyond"):
        gradients.close()
    frame = gradients.frame
    atol = 1e-10 if dtype == torch.float64 else 1e-4
    np.testing.assert_allclose(frame.log10_adjoint, frame.lag * np.log10(0.6), rtol=0, atol=atol)
    assert frame.log10_adjoint.min() < -443


def test_hooks_go_with_the_context_also_after_an_exception() -> None:
    model = Network()
    with pytest.raises(ZeroDivisionError), harness.watch(model):
        model(normal(T, B, D)) / (1 // 0)
    assert hooks(model) == 0
    with harness.watch(model) as gradients:
        y = model(normal(T, B, D))
        y.sum().backward()
    assert hooks(model) == 0
    model(normal(T, B, D)).sum().backward()
    assert len(gradients.frame) == 2 * T


def test_a_copy_of_a_watched_model_is_not_watched() -> None:
    model, file = Network(), io.BytesIO()
    with harness.watch(model) as gradients:
        torch.save(model, file)
        file.seek(0)
        for twin in (copy.deepcopy(model), torch.load(file, weights_only=False)):
            twin(normal(T, B, D)).sum().backward()
        model(normal(T, B, D)).sum().backward()
    assert gradients.frame.call.unique().tolist() == [1]


def test_the_callers_defaults_are_not_those_of_the_record() -> None:
    model = Network()
    with harness.watch(model) as gradients:
        model(normal(T, B, D)).sum().backward()
        with torch.device("meta"), torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
            inside = gradients.frame
    assert np.isfinite(inside.log10_adjoint).all()
    assert gradients.warnings == []


def test_weights_that_are_computed_before_each_call_are_those_that_were_used() -> None:
    module = nn.utils.parametrizations.weight_norm(nn.LSTM(D, H), "weight_hh_l0")
    with harness.watch(module) as gradients:
        module(normal(T, B, D))[0].sum().backward()
    assert len(gradients.frame) == 2 * T
    assert gradients.warnings == []


def test_a_module_that_is_used_twice_has_two_calls() -> None:
    """The first call's last state has the gradient of the second; together they are one sequence."""
    module = nn.LSTM(D, H).double()
    x = normal(T, B, D).double()
    with harness.watch(module) as gradients:
        _, state = module(x[:4])
        module(x[4:], state)[0][-1].sum().backward()
        with torch.no_grad():
            module(x)
        module(x)  # no gradient comes to this one
    with harness.watch(module) as whole:
        module(x)[0][-1].sum().backward()
    halves, one = gradients.frame, whole.frame
    for state in ("h", "c"):
        of_state = halves[halves.state == state]
        assert of_state.call.tolist() == [1] * 4 + [2] * 2
        np.testing.assert_allclose(of_state.log10_adjoint, one[one.state == state].log10_adjoint, rtol=0, atol=1e-10)


def test_several_backward_passes_add_up() -> None:
    module, x = nn.GRU(D, H).double(), normal(T, B, D).double()
    records = []
    for parts in (1, 2):
        with harness.watch(module) as gradients:
            y, h = module(x)
            losses = [y[2].sum(), h.square().sum()]
            for loss in losses if parts == 2 else [losses[0] + losses[1]]:
                loss.backward(retain_graph=True)
        records.append(gradients.frame.log10_adjoint.to_numpy())
    np.testing.assert_allclose(*records, rtol=0, atol=1e-12)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoints_repeated_forward_pass_counts_once(reentrant: bool) -> None:
    model = Network(num_layers=2, dropout=0.5).double()
    x = normal(T, B, D).double().requires_grad_()
    frames = []
    for checkpointed in (False, True):
        torch.manual_seed(1)
        with harness.watch(model) as gradients:
            y = checkpoint(model, x, use_reentrant=reentrant) if checkpointed else model(x)
            y.sum().backward()
        frames.append(gradients.frame)
    assert frames[1].call.unique().tolist() == [1]
    np.testing.assert_array_equal(frames[0].log10_adjoint, frames[1].log10_adjoint)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_module_of_half_precision_is_recomputed_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.RNN(D, H).to(dtype)
    with harness.watch(module) as gradients:
        module(normal(T, B, D).to(dtype))[0][-1].sum().backward()
    twin = nn.RNN(D, H)
    twin.load_state_dict({name: value.float() for name, value in module.state_dict().items()})
    with harness.watch(twin) as expected:
        twin(normal(T, B, D).to(dtype).float())[0][-1].sum().backward()
    np.testing.assert_allclose(gradients.frame.log10_adjoint, expected.frame.log10_adjoint, rtol=0, atol=1e-6)
    assert gradients.precision == f"recomputed in float32; the module itself computes in {str(dtype)[6:]}"
    assert expected.precision == "recomputed in float32, the module's own arithmetic"


def autocast_or_skip(kind: type[nn.RNNBase]) -> None:
    """Skip where torch alone cannot compute such a module in bfloat16: oneDNN has no LSTM of it on some CPUs."""
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            kind(D, 8)(torch.zeros(2, 1, D))
    except RuntimeError as error:
        pytest.skip(f"torch alone cannot compute it here: {error}")


def test_under_autocast() -> None:
    autocast_or_skip(nn.LSTM)
    torch.manual_seed(0)
    model = Network()
    frames = []
    for enabled in (False, True):
        with harness.watch(model) as gradients:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                loss = model(normal(T, B, D)).sum()
            loss.backward()
        frames.append(gradients.frame)
    np.testing.assert_allclose(frames[0].log10_adjoint, frames[1].log10_adjoint, rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN, nn.LSTM])
def test_the_arithmetic_under_autocast_is_autocasts_own(kind: type[nn.RNNBase]) -> None:
    """torch returns float32 of some of these modules there, computed in bfloat16."""
    autocast_or_skip(kind)
    torch.manual_seed(0)
    module = kind(D, 8, num_layers=2)
    with harness.watch(module) as gradients:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y, _ = module(normal(20, B, D))
        y.float().sum().backward()
    assert gradients.warnings == []
    assert gradients.precision == "recomputed in float32; the module itself computes in bfloat16"
    with harness.watch(module.double()) as gradients, torch.autocast("cpu", dtype=torch.bfloat16):
        module(normal(T, B, D).double())[0].sum().backward()
    assert gradients.precision == "recomputed in float64, the module's own arithmetic"


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_under_autocast_a_gradient_is_said_to_be_zero_only_where_the_training_has_zeros(kind: type[nn.RNNBase]) -> None:
    """torch's GRU hands its states on in float32 there, its RNN in float16."""
    torch.manual_seed(0)
    module, h = kind(D, 6), torch.zeros(1, B, 6).requires_grad_()
    gradients = harness.watch(module)
    with torch.autocast("cpu", dtype=torch.float16):
        y, _ = module(normal(30, B, D), h)
    (y[-1].float().sum() * 1e-6).backward()
    if y.dtype == torch.float16:
        assert not h.grad.any()
        with pytest.warns(UserWarning, match="below the smallest number of float16 at lag"):
            gradients.close()
    else:
        assert h.grad.any()
        gradients.close()
        assert gradients.warnings == []


def test_float32_is_recorded_as_its_training_computes_it() -> None:
    """Dropout as oneDNN's LSTM draws it, and numbers that agree with float64's to float32's digits."""
    torch.manual_seed(0)
    module = nn.LSTM(D, H, num_layers=2, dropout=0.5)
    x = normal(T, B, D).requires_grad_()
    with harness.watch(module) as gradients:
        _, (h, _) = module(x)
        h[-1].sum().backward()
    assert gradients.warnings == []
    assert np.isfinite(gradients.frame.log10_adjoint[gradients.frame.layer == 1]).any()


# what cannot be seen


def test_a_compiled_model_is_refused() -> None:
    model = Network()
    with pytest.raises(harness.HarnessError, match=r"compiled by torch.compile.*_orig_mod"):
        harness.watch(torch.compile(model, backend="eager"))
    assert hooks(model) == 0
    compiled = torch.compile(model, backend="eager")
    with harness.watch(model), pytest.raises(harness.HarnessError, match="call the uncompiled model in the updates"):
        compiled(normal(T, B, D))


def test_a_call_inside_a_transform_is_refused() -> None:
    cell = nn.GRUCell(D, H)
    with (
        harness.watch(cell),
        pytest.raises(harness.HarnessError, match=r"inside torch\.vmap.*outside of the transform"),
    ):
        torch.vmap(cell)(normal(B, 1, D))
    module = nn.RNN(D, H)
    with harness.watch(module), pytest.raises(harness.HarnessError, match=r"inside torch\.vmap"):
        torch.func.grad(lambda x: module(x)[0].sum())(normal(T, B, D))


class Outputs(nn.LSTM):
    def forward(self, x: Tensor, hx: Any = None) -> Any:
        return super().forward(x, hx)[0]


class Lengths(nn.GRU):
    def forward(self, x: Tensor, lengths: Any) -> Any:
        return super().forward(x)


class Triple(nn.GRU):
    def forward(self, x: Tensor, hx: Any = None) -> Any:
        y, h = super().forward(x, hx)
        return y, h, y.mean()


class OnlyH(nn.LSTMCell):
    def forward(self, x: Tensor, hx: Any = None) -> Any:
        return super().forward(x, hx)[0]


@pytest.mark.parametrize("steps", [1, 2, T])
def test_a_subclass_with_a_return_value_of_its_own_is_not_recorded_and_named(steps: int) -> None:
    for module, more in ((Outputs(D, H), ()), (Lengths(D, H), ([T] * B,)), (OnlyH(D, H), ())):
        gradients = harness.watch(module)
        x = normal(B, D) if isinstance(module, nn.LSTMCell) else normal(steps, B, D)
        with pytest.warns(UserWarning, match=r"the model: a subclass .* cannot be recorded.*gradients\.state"):
            y = module(x, *more)
        (y[0] if isinstance(y, tuple) else y).sum().backward()
        gradients.close()
        assert gradients.frame.empty


def test_a_subclass_that_returns_something_besides_is_recorded() -> None:
    module, plain = Triple(D, H), nn.GRU(D, H)
    plain.load_state_dict(module.state_dict())
    frames = []
    for each in (module, plain):
        with harness.watch(each) as gradients:
            each(normal(T, B, D))[0].sum().backward()
        assert gradients.warnings == []
        frames.append(gradients.frame)
    np.testing.assert_array_equal(frames[0].log10_adjoint, frames[1].log10_adjoint)


def test_a_module_of_torch_jit_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit itself
        model = nn.ModuleDict({"one": torch.jit.script(nn.LSTM(D, H))})
    with pytest.raises(
        harness.HarnessError, match=r"one is an nn\.LSTM compiled by torch\.jit.*watch the Python model"
    ):
        harness.watch(model)


# warnings


def test_an_input_that_is_changed_afterwards_is_named() -> None:
    module, x = nn.RNN(D, H), normal(T, B, D)
    for parameter in module.parameters():
        parameter.requires_grad_(parameter is module.bias_hh_l0)
    gradients = harness.watch(module)
    y, _ = module(x)
    y.sum().backward()
    x.zero_()
    with pytest.warns(UserWarning, match="changed in place"):
        gradients.close()


def test_an_output_that_is_changed_afterwards_is_no_mistake() -> None:
    """An activation in place, where torch's own backward pass allows it; what it sees is the output before."""
    records = []
    for inplace in (False, True):
        torch.manual_seed(0)
        module = nn.GRU(D, H, bias=False)
        for parameter in (module.weight_ih_l0, module.weight_hh_l0):
            parameter.requires_grad_(False)
        x = normal(T, B, D).requires_grad_()
        with harness.watch(module) as gradients:
            y, _ = module(x)
            y = y.clone() if not inplace else y
            y.mul_(2.0)
            y.sum().backward()
        assert gradients.warnings == []
        records.append(gradients.frame.log10_adjoint.to_numpy())
    np.testing.assert_array_equal(*records)


def test_a_gradient_of_zeros_is_named() -> None:
    module = nn.RNN(D, H).half()
    gradients = harness.watch(module)
    (module(normal(T, B, D).half())[0].float().sum() * 1e-9).backward()
    with pytest.warns(UserWarning, match="is exactly zero, below the smallest number of float16: scale the loss"):
        gradients.close()


def test_a_record_that_does_not_describe_the_forward_pass_says_so() -> None:
    class Noisy(nn.GRU):
        def forward(self, x: Tensor, hx: Any = None) -> Any:
            return super().forward(x + 1, hx)

    module = Noisy(D, H)
    gradients = harness.watch(module)
    module(normal(T, B, D))[0].sum().backward()
    with pytest.warns(UserWarning, match="does not describe this forward pass"):
        gradients.close()
    assert len(gradients.warnings) == 1


def test_a_graph_that_is_carried_over_updates_is_named() -> None:
    module, x = nn.LSTM(D, H), normal(T, B, D)
    for detached in (True, False):
        gradients, state = harness.watch(module, every=1), None
        y, state = module(x, state)
        y.sum().backward(retain_graph=True)
        gradients.step()
        if detached:
            module(x, tuple(part.detach() for part in state))
        else:
            with pytest.warns(UserWarning, match="of an earlier update with its graph.*detach the state"):
                module(x, state)
        gradients.close()


def test_a_learned_initial_state_is_no_mistake() -> None:
    module, start = nn.GRU(D, H), nn.Parameter(torch.zeros(1, 1, H))
    gradients = harness.watch(module, every=1)
    for _ in range(3):
        module(normal(T, B, D), start.expand(1, B, H))[0].sum().backward()
        gradients.step()
    gradients.close()
    assert gradients.warnings == []


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.GRUCell])
def test_a_learned_initial_state_and_input_are_those_of_the_call(kind: type[nn.Module]) -> None:
    """The optimizer steps before anything is computed."""
    frames = []
    for read_before in (True, False):
        torch.manual_seed(0)
        module, start, x = kind(D, H), nn.Parameter(normal(1, H)), nn.Parameter(normal(T, B, D, seed=4))
        optimizer = torch.optim.SGD([start, x, *module.parameters()], lr=10.0)
        gradients = harness.watch(module)
        h = start.expand(B, H)
        if kind is nn.GRUCell:
            for t in range(T):
                h = module(x[t], h)
            h.sum().backward()
        else:
            hx = h.unsqueeze(0)
            module(x, (hx, hx) if kind is nn.LSTM else hx)[0].sum().backward()
        if read_before:
            frames.append(gradients.frame)
        optimizer.step()
        gradients.step()
        if not read_before:
            frames.append(gradients.frame)
        assert gradients.warnings == []
        gradients.close()
    np.testing.assert_array_equal(frames[0].log10_adjoint, frames[1].log10_adjoint)


def test_a_state_that_is_kept_in_a_buffer_is_no_mistake() -> None:
    module, stored = nn.GRU(D, H), torch.zeros(1, B, H)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    gradients = harness.watch(module)
    for update in range(3):
        optimizer.zero_grad()
        y, h = module(normal(T, B, D, seed=update), stored)
        y.sum().backward()
        optimizer.step()
        stored.copy_(h.detach())
        gradients.step()
    gradients.close()
    assert gradients.warnings == []


def test_a_state_that_is_handed_on_without_its_gradient_is_named() -> None:
    module, x = nn.GRU(D, H), normal(T, B, D)
    with harness.watch(module) as gradients:
        _, state = module(x)
        y, _ = module(x, state.detach())
        y.sum().backward()
        with pytest.warns(UserWarning, match="call 1 starts from .* without its gradient: the gradient is truncated"):
            assert gradients.frame.call.unique().tolist() == [1]


def test_chunks_that_are_handed_on_without_a_gradient_have_their_numbers() -> None:
    module, x = nn.GRU(D, H), normal(T, B, D)
    gradients, state, loss = harness.watch(module), None, torch.zeros(())
    for chunk in range(4):
        y, state = module(x, state if state is None or chunk == 1 else state.detach())
        loss = loss + y.sum()
    loss.backward()
    with pytest.warns(UserWarning, match="calls 3 and 4 start from a state that an earlier call"):
        gradients.close()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell])
def test_a_state_that_is_changed_and_handed_on_without_its_gradient_is_named(kind: type[nn.Module]) -> None:
    """Nothing links it to the steps before; but they have no gradient, and it is not zero."""
    module, x = kind(D, H), normal(T, B, D)
    gradients, state = harness.watch(module), None
    if kind in (nn.LSTM, nn.GRU):
        _, state = module(x)
        changed = tuple(part.detach() * 0.9 for part in state) if kind is nn.LSTM else state.detach() * 0.9
        module(x, changed)[0].sum().backward()
        match = "call 1 starts from a state without a gradient, and no gradient has come to the call before it"
    else:
        for t in range(T):
            if t == 2:
                state = tuple(part.detach() for part in state) if kind is nn.LSTMCell else state.detach()
            state = module(x[t], state)
            state = tuple(part * 0.9 for part in state) if kind is nn.LSTMCell else state * 0.9
        (state[0] if kind is nn.LSTMCell else state).sum().backward()
        match = "call 1 starts from a state without a gradient, and no gradient has come to the 2 steps before it"
    with pytest.warns(UserWarning, match=match):
        gradients.close()


@pytest.mark.parametrize(("parts", "match"), [((0, 1), "h_2 and c_2 go to t = 3"), ((1,), "c_2 goes to t = 3")])
def test_a_cell_state_that_is_handed_on_without_its_gradient_is_named(parts: tuple[int, ...], match: str) -> None:
    """A loss at every step: no gradient is exactly zero."""
    cell, x = nn.LSTMCell(D, H), normal(T, B, D)
    gradients, state, loss = harness.watch(cell), None, torch.zeros(())
    for t in range(T):
        if t == 2:
            state = tuple(part.detach() if i in parts else part for i, part in enumerate(state))
        state = cell(x[t], state)
        loss = loss + state[0].sum()
    loss.backward()
    with pytest.warns(UserWarning, match=match + r" without the gradient: it is truncated there \(a detach\)"):
        gradients.close()


@pytest.mark.parametrize("name", ["h", "memory"])
def test_a_state_named_by_hand_that_is_truncated_is_named(name: str) -> None:
    W = nn.Parameter(normal(H, H))
    gradients, h = harness.watch(nn.Identity()), normal(B, H)
    for t in range(T):
        h = gradients.state(torch.tanh((h.detach() if t == 2 else h) @ W), name)
        gradients.mark(h * 1, "marked")
    h.sum().backward()
    with pytest.warns(UserWarning, match=f"∂L/∂{name}_t .*is exactly zero beyond lag 3 of 5"):
        gradients.close()
    assert len(gradients.warnings) == 1


@pytest.mark.parametrize("kind", [nn.GRU, nn.GRUCell])
def test_chunks_of_several_updates_and_evaluations_are_no_truncation(kind: type[nn.Module]) -> None:
    module, x = kind(D, H), normal(T, B, D)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    h = torch.zeros(1, B, H) if kind is nn.GRU else torch.zeros(B, H)
    with harness.watch(module) as gradients:
        for _ in range(3):
            if kind is nn.GRU:
                y, h = module(x, h.detach())
                module(x)  # without a backward pass
            else:
                h = y = module(x[1], module(x[0], h.detach()))
                module(x[0])
            optimizer.zero_grad()
            y.sum().backward()
            optimizer.step()
    assert gradients.warnings == []


def test_a_gradient_that_is_clipped_at_every_update_is_named() -> None:
    for largest, match in ((1e-3, "was clipped at every one of 5 recorded updates: "), (1e3, None)):
        model = Network()
        gradients = harness.watch(model, every=2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(10):
            optimizer.zero_grad()
            (model(normal(T, B, D)).sum() * 100).backward()
            nn.utils.clip_grad_norm_(model.parameters(), largest)
            optimizer.step()
            gradients.step()
        if match:
            with pytest.warns(UserWarning, match=match):
                gradients.close()
        else:
            gradients.close()
            assert gradients.warnings == []


def test_the_first_update_counts_among_those_that_are_clipped() -> None:
    """All but one are clipped: the first, or another; an update whose gradient is gone is not counted."""
    for left, gone, match in ((0, None, None), (3, None, None), (None, 2, "of 5 recorded .* could be compared, of 6:")):
        model = Network()
        gradients = harness.watch(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for update in range(6):
            optimizer.zero_grad()
            model(normal(T, B, D, seed=update)).sum().backward()
            if update != left:
                nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            optimizer.step()
            if update == gone:
                optimizer.zero_grad()
            gradients.step()
        if match:
            with pytest.warns(UserWarning, match=match):
                gradients.close()
        else:
            gradients.close()
            assert gradients.warnings == []


@pytest.mark.parametrize("stepped", [True, False])
def test_an_auxiliary_loss_before_the_decoder_is_no_mistake(stepped: bool) -> None:
    model = nn.ModuleList([nn.GRU(D, H), nn.GRU(D, H)])
    encoder, decoder = model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    gradients = harness.watch(model)
    for _ in range(3):
        optimizer.zero_grad()
        y, h = encoder(normal(T, B, D))
        y.mean().backward(retain_graph=True)
        decoder(normal(T, B, D), h)[0].mean().backward()
        optimizer.step()
        if stepped:
            gradients.step()
    gradients.close()
    assert gradients.warnings == []


def test_a_graph_that_is_carried_past_the_optimizer_is_named_without_step() -> None:
    module, scale = nn.GRU(D, H), nn.Parameter(torch.ones(()))  # torch's own check does not see a weight apart
    other = nn.ModuleList([module, nn.Linear(1, 1)])
    optimizer = torch.optim.SGD(other[1].parameters(), lr=0.1)
    with harness.watch(other):
        y, h = module(normal(T, B, D) * scale)
        (y.sum() + other[1](torch.ones(1, 1)).sum()).backward(retain_graph=True)
        optimizer.step()
        with pytest.warns(UserWarning, match="of an earlier update with its graph"):
            module(normal(T, B, D), h)


def test_a_mean_over_accumulated_batches_is_not_clipping() -> None:
    model = Network()
    gradients = harness.watch(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for update in range(5):
        optimizer.zero_grad()
        for batch in range(3):
            model(normal(T, B, D, seed=3 * update + batch)).square().sum().backward()
        for parameter in model.parameters():
            parameter.grad /= 3  # type: ignore[operator]
        optimizer.step()
        gradients.step()
    gradients.close()
    assert gradients.warnings == []


def test_units_that_are_all_dead_are_not_said_to_be_detached() -> None:
    module = nn.RNN(1, 1, nonlinearity="relu", bias=False)
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    x = torch.ones(T, 1, 1)
    x[:3] = -10.0
    gradients = harness.watch(module)
    module(x)[1].sum().backward()
    with pytest.warns(UserWarning, match=r"beyond lag 3 of 5: .*\(a detach\), or all units are saturated or dead"):
        gradients.close()


@pytest.mark.parametrize("kind", [nn.GRU, nn.GRUCell])
def test_a_frame_that_is_read_between_backward_passes_changes_nothing(kind: type[nn.Module]) -> None:
    frames, module = [], kind(D, H).double()
    for read in (False, True):
        with harness.watch(module) as gradients:
            for seed in (1, 2):
                x = normal(T, B, D, seed=seed).double()
                h = module(x[1], module(x[0])) if kind is nn.GRUCell else module(x)[1]
                named = gradients.mark(h * 1, "named")
                loss = named.square().sum()
                loss.backward(retain_graph=True)
                if read:
                    assert gradients.frame.call.max() == seed
                loss.backward()
        frames.append(gradients.frame)
    assert frames[0].call.unique().tolist() == [1, 2]
    assert not frames[1].duplicated(["module", "call", "state", "t"]).any()
    assert frames[0].equals(frames[1])


def test_a_name_of_the_models_own_states_is_refused() -> None:
    module = nn.GRU(D, H)
    with harness.watch(module) as gradients:
        y, _ = module(normal(T, B, D))
        for name in ("h", "c"):
            with pytest.raises(harness.HarnessError, match=r"itself a recurrent module.*choose another name"):
                gradients.mark(y, name)
        gradients.mark(y, "outputs").sum().backward()
    assert set(gradients.frame.state) == {"h", "outputs"}


def test_chunks_with_the_optimizers_step_between_are_no_mistake() -> None:
    module = nn.GRU(D, H)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    with harness.watch(module) as gradients:
        h = torch.zeros(1, B, H)
        for _ in range(3):
            y, h = module(normal(T, B, D), h.detach())
            optimizer.zero_grad()
            y.sum().backward()
            optimizer.step()
    assert gradients.warnings == []


def test_a_long_training_without_step_is_named_once() -> None:
    for stepped in (True, False):
        module = nn.GRU(D, H)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        gradients = harness.watch(module)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(25):
                optimizer.zero_grad()
                for _ in range(2):
                    module(normal(T, B, D))[0].mean().backward()
                optimizer.step()
                if stepped:
                    gradients.step()
        assert [str(each.message)[:34] for each in caught] == ["the weights have changed 20 times,"] * (not stepped)
        gradients.close()


def test_settings_and_scripted_modules_that_cannot_be_are_refused() -> None:
    for settings in ({"every": 2.5}, {"every": "3"}, {"every": 0}, {"every": True}, {"start": -1}):
        with pytest.raises(harness.HarnessError, match=f"{next(iter(settings))}: .*expected an integer, [01] or more"):
            harness.watch(nn.GRU(D, H), **settings)  # type: ignore[arg-type]
    assert harness.watch(nn.GRU(D, H), every=np.int64(2)).close() is None  # type: ignore[arg-type,func-returns-value]


def test_what_is_no_module_tensor_or_name_is_refused() -> None:
    with pytest.raises(harness.HarnessError, match=r"watch: expected a torch\.nn\.Module, not str"):
        harness.watch("abc")  # type: ignore[arg-type]
    with harness.watch(nn.Identity()) as gradients:
        for call in (gradients.state, gradients.mark):
            with pytest.raises(harness.HarnessError, match=r"a tensor and then its name.*, not \(str, Tensor\)"):
                call("h", torch.ones(2, 3))  # type: ignore[arg-type]


# what is shown


def test_the_frame_has_the_stated_columns_and_figures_are_drawn() -> None:
    model = Network(num_layers=2)
    with harness.watch(model) as gradients:
        model(normal(T, B, D)).sum().backward()
    assert gradients.frame.columns.tolist() == [
        "module", "call", "update", "layer", "direction", "state", "t", "lag", "log10_adjoint",
        "log10_adjoint_geometric", "log10_adjoint_q25", "log10_adjoint_q50", "log10_adjoint_q75", "log10_immediate",
    ]  # fmt: skip
    assert gradients.frame.module.unique().tolist() == ["recurrent"]
    decay = gradients.figure("decay")
    lines = [line for line in decay.axes[0].lines if len(line.get_xdata()) == T]
    top = gradients.frame[(gradients.frame.state == "h") & (gradients.frame.layer == 2)]
    assert any(np.allclose(line.get_ydata()[::-1], top.log10_adjoint) for line in lines)
    assert len(gradients.figure("heatmap", path="cell").axes) == 2  # the map, and its colours
    with pytest.raises(harness.HarnessError, match="did you mean 'heatmap'"):
        gradients.figure("heatmaps")
    with pytest.raises(harness.HarnessError, match="no setting 'colour'"):
        gradients.figure("decay", colour="layer")


def test_without_a_backward_pass_there_is_nothing_to_draw() -> None:
    model = Network()
    with harness.watch(model) as gradients:
        model(normal(T, B, D))
    assert gradients.frame.empty
    with pytest.raises(harness.HarnessError, match="no backward pass has reached"):
        gradients.figure("decay")
