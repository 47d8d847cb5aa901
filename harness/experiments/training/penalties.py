"""What is added to the gradient of the loss: Ω, gradient flossing, orthogonal recurrent blocks.

Each is a function of tensors stacked over R replicas, exact per replica; `add_penalties` is what the loop calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.cells.layers import recurrent_names
from harness.models.model import Model, Parameters
from harness.recurrence.drive import drive
from harness.recurrence.products import products
from harness.recurrence.scan import scan
from harness.rng import generator

if TYPE_CHECKING:
    from harness.experiments.training.settings import Training

# φ′ as a function of h = φ(a)
SLOPES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda h: 1 - h.square(),
    "sigmoid": lambda h: h * (1 - h),
    "relu": lambda h: (h > 0).to(h.dtype),
}


def add_penalties(
    training: Training, model: Model, parameters: Parameters, inputs: Tensor, state: State | None, last: Tensor
) -> None:
    """Add the gradients of the penalties that were asked for to those that the backward pass has left.

    Args:
        parameters: stacked over replicas, with gradients.
        inputs: (T, R, B) or (T, R, B, D).
        state: before the first step; None: zeros.
        last: h_T (R, B, H), with its gradient where Ω was asked for.
    """
    cell = model.cell
    state = state or model.start(parameters, *inputs.shape[1:3])
    if training.omega is not None:
        with torch.no_grad():
            h, _ = scan(cell, parameters, inputs, state, every_step=True, engine=model.engine)
        assert last.grad is not None
        slopes = SLOPES[cell.activation](h)
        K = training.window(len(h))
        add(parameters, {"W": training.omega * omega_gradient(parameters["W"], slopes[-K:], last.grad)[1]})
    if training.flossing is not None:
        for r in range(inputs.shape[1]):  # one by one: torch's QR of a stack differs in its last digits
            alone = {name: p.detach()[r : r + 1].requires_grad_() for name, p in parameters.items()}
            first = tuple(part[r : r + 1, :1] for part in state)
            one = inputs[:, r : r + 1, :1]  # the first sequence of the batch stands for all
            exponents = lyapunov_exponents(cell, alone, one, first, training.flossing_exponents)
            gradients = torch.autograd.grad(exponents.square().sum(), list(alone.values()), allow_unused=True)
            for p, g in zip(parameters.values(), gradients, strict=True):
                if g is not None:
                    p.grad[r] += training.flossing * g[0]  # type: ignore[index]
    if training.orthogonal is not None:
        recurrent = set(recurrent_names(cell))
        for name in [name for name in parameters if name.removesuffix("′") in recurrent]:
            add(parameters, {name: training.orthogonal * orthogonal_gradient(parameters[name])})


def add(parameters: Parameters, gradients: Mapping[str, Tensor]) -> None:
    """Add to the gradients of the parameters by name."""
    for name, gradient in gradients.items():
        grad = parameters[name].grad
        assert grad is not None
        grad += gradient


@torch.no_grad()
def omega_gradient(W: Tensor, slopes: Tensor, adjoint: Tensor) -> tuple[Tensor, Tensor]:
    """Ω of a simple recurrent network whose loss sees h_T alone, and ∂⁺Ω/∂W.

        Ω = mean over k and sequences of (‖∂E/∂h_{k+1} · ∂h_{k+1}/∂h_k‖ / ‖∂E/∂h_{k+1}‖ − 1)²

    with ∂h_{k+1}/∂h_k = diag(φ′(a_{k+1})) W, differentiated through this W alone: ∂E/∂h and all states are constants.
    Only the direction of an adjoint enters, so that it is carried at length 1 and cannot underflow; where it is exactly
    zero, a step is left out of the mean.

    Args:
        W: (R, H, H).
        slopes: φ′(a_k) of the last K steps, (K, R, B, H).
        adjoint: ∂E/∂h_T, (R, B, H), of any length.

    Returns:
        Ω (R,), and its gradient (R, H, H); zero where no step is left.

    Source: Pascanu, Mikolov & Bengio 2013, section 3.3, eq. 9 and 10; the paper writes a sum over k, its authors'
    program takes the mean.
    """
    g, alive = _unit(adjoint)
    left, right = [], []
    total = torch.zeros(W.shape[0], adjoint.shape[1], dtype=W.dtype, device=W.device)
    counted = torch.zeros_like(total)
    for t in range(len(slopes) - 1, 0, -1):
        δ = slopes[t] * g
        v = δ @ W  # (∂E/∂h_{k+1} · ∂h_{k+1}/∂h_k) / ‖∂E/∂h_{k+1}‖
        ratio = torch.linalg.vector_norm(v, dim=-1)
        total += torch.where(alive, (ratio - 1).square(), 0.0)
        counted += alive
        g, alive = _unit(v)
        left.append(δ * torch.where(alive, 2 * (ratio - 1), 0.0).unsqueeze(-1))
        right.append(g)
    if not left:
        return total.sum(1), torch.zeros_like(W)
    pairs = counted.sum(1).clamp(min=1)
    gradient = products(torch.cat(left, dim=1).mT, torch.cat(right, dim=1))
    return total.sum(1) / pairs, gradient / pairs.view(-1, 1, 1)


def _unit(v: Tensor) -> tuple[Tensor, Tensor]:
    """Each row at length 1, and whether it has a length at all."""
    largest = v.abs().amax(-1, keepdim=True)  # first, so that no square underflows
    alive = largest != 0
    v = torch.where(alive, v / largest, v)
    return torch.where(alive, v / torch.linalg.vector_norm(v, dim=-1, keepdim=True), v), alive.squeeze(-1)


def lyapunov_exponents(
    cell: Cell, parameters: Parameters, inputs: Tensor, state: State, count: int, frame: Tensor | None = None
) -> Tensor:
    """The first finite-time Lyapunov exponents along one sequence of each replica, differentiable in the parameters.

        D_t Q_{t−1} = Q_t R_t,    λ_i = (1/T) Σ_t ln |(R_t)_ii|

    with D_t the Jacobian of the cell's step from the whole state to the whole state, and Q_0 an orthonormal frame.

    Args:
        inputs: (T, R, 1) or (T, R, 1, D).
        state: before the first step, (R, 1, H) each.
        count: k, at most N, the numbers of the state.
        frame: Q_0, (N, k); None: one that is drawn once, the same for all runs.

    Returns:
        λ_1 … λ_k in nats per step, (R, k), over the steps before one that removes a direction (a relu unit that is off
        does); zero where that is the first.

    Source: Engelken 2023, "Gradient flossing: improving gradient descent through dynamic control of Jacobians";
    the QR method is that of Benettin et al. 1980.
    """
    inputs = inputs.to(parameters["U"].dtype) if inputs.is_floating_point() else inputs.long()
    weights = cell.parametrize(parameters)
    R, _, H = state[0].shape
    size = H * len(state)
    if frame is None:
        frame = torch.linalg.qr(torch.as_tensor(generator(0, "flossing").standard_normal((size, count))))[0]
    Q = frame.mT.to(weights["U"]).expand(R, count, size)  # a tangent a row, as if it were a sequence of its own
    state = tuple(part.detach().expand(R, count, H).requires_grad_() for part in state)
    logs = []
    for z in drive(weights, inputs):
        following = cell.step(weights, state, z.expand(R, count, z.shape[-1]))
        moved = _pushed(state, following, Q.split(H, dim=-1))
        q, r = torch.linalg.qr(torch.cat(moved, dim=-1).mT)
        lengths = r.diagonal(dim1=-2, dim2=-1).abs()
        if not (lengths > size * torch.finfo(lengths.dtype).eps * lengths.amax()).all():
            break  # a direction is gone, and with it the derivative of QR
        logs.append(lengths.log())
        # Nodes of their own: h_t is computed from c_t, and a derivative with respect to c_t must not follow that path.
        Q, state = q.mT, tuple(part.view_as(part) for part in following)
    none = 0 * weights["U"].sum((1, 2)).unsqueeze(1).expand(R, count)  # zeros that have a gradient, of zero
    return torch.stack(logs).mean(0) if logs else none


def _pushed(before: State, after: State, tangents: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """∂after/∂before · tangents, as the derivative of a product with its transpose: differentiable once more."""
    u = tuple(torch.zeros_like(part).requires_grad_() for part in after)
    back = torch.autograd.grad(after, before, u, create_graph=True)
    return torch.autograd.grad(back, u, tangents, create_graph=True)


@torch.no_grad()
def orthogonal_gradient(W: Tensor) -> Tensor:
    """The gradient of ‖WᵀW − I‖²_F summed over gate blocks: 4 W (WᵀW − I) each.

    Args:
        W: (R, G·H, H).

    Source: Vorontsov, Trabelsi, Kadoury & Pal 2017, "On orthogonality and learning recurrent networks with long term
    dependencies".
    """
    H = W.shape[-1]
    unity = torch.eye(H, dtype=W.dtype, device=W.device)
    return torch.cat([4 * block @ (block.mT @ block - unity) for block in torch.split(W, H, dim=1)], dim=1)
