"""A cell over time: one function, two engines behind it.

The torch engine runs the cell's own `step`, any cell on any device, and can be differentiated twice. The compiled
engine makes machine code for the whole sequence from the cell's equations (docs/engine.md). Both fill an
`AdjointRecorder` during the backward pass when given one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.cells.cell import Cell, State
from harness.recurrence.adjoints import AdjointRecorder, immediate_norms, replay
from harness.recurrence.products import products

Parameters = Mapping[str, Tensor]


def scan(
    cell: Cell,
    parameters: Parameters,
    inputs: Tensor,
    state: State,
    *,
    window: int | None = None,
    every_step: bool = False,
    engine: str = "torch",
    recorder: AdjointRecorder | None = None,
) -> tuple[Tensor, State]:
    """Run a cell over a sequence.

    Args:
        parameters: the cell's, stacked over replicas (see `Cell`).
        inputs: tokens (T, R, B), 0 … D − 1, −1 for a row of zeros; or real rows (T, R, B, D).
        state: the state before the first step, each part (R, B, H).
        window: K; h_{T−K} and all before it are constants for the backward pass. None, or K ≥ T: full BPTT.
        every_step: return h_1 … h_T instead of h_T alone.
        engine: "torch" or "compiled"; a cell that cannot be compiled takes the first.
        recorder: filled during the backward pass.

    Returns:
        h_T (R, B, H), or with `every_step` h_1 … h_T as (T, R, B, H); and the state after the last step.

    Raises:
        ValueError: a token is outside the alphabet.
    """
    inputs = inputs.to(parameters["U"].dtype) if inputs.is_floating_point() else inputs.long()
    K = min(window or len(inputs), len(inputs))
    if engine == "compiled":
        from harness.recurrence.compiler.recurrence import run, untraceable

        if untraceable(cell, parameters["U"].shape[2]) is None:
            if inputs.dim() == 3:
                check_tokens(inputs, parameters["U"].shape[2])
            return run(
                cell, cell.parametrize(parameters), inputs, state, window=K, every_step=every_step, recorder=recorder
            )
    return _steps(cell, parameters, inputs, state, window=K, every_step=every_step, recorder=recorder)


def _steps(
    cell: Cell,
    parameters: Parameters,
    inputs: Tensor,
    state: State,
    *,
    window: int,
    every_step: bool,
    recorder: AdjointRecorder | None,
) -> tuple[Tensor, State]:
    """The torch engine: the cell's `step`, T times."""
    parameters = cell.parametrize(parameters)
    T = len(inputs)
    cut = T - window
    states = [tuple(part.detach() for part in state) if cut else state]
    z = drive(parameters, inputs)
    # Before the window no graph is made: truncated BPTT then costs what its window costs, in time and in memory.
    with torch.no_grad():
        for t in range(cut):
            states.append(cell.step(parameters, states[-1], z[t]))
    for t in range(cut, T):
        states.append(cell.step(parameters, states[-1], z[t]))
    output = torch.stack([s[0] for s in states[1:]]) if every_step else states[-1][0]
    if recorder is not None and output.requires_grad:
        # The recorder goes back a second time, through detached copies: training's own gradient is the same, bit for
        # bit, with and without it.
        frozen = {name: value.detach() for name, value in parameters.items()}
        constants = [tuple(part.detach() for part in s) for s in states]
        driven = z.detach().requires_grad_()  # autograd refuses a part of a state that hangs on the input alone
        output = output.view_as(output)  # the loss sees this node alone: its gradient is the immediate one

        def write(gradient: Tensor) -> None:
            def immediate(t: int) -> Tensor | None:
                return gradient[t - 1] if every_step else gradient if t == T else None

            def step(previous: State, t: int) -> State:
                return cell.step(frozen, previous, driven[t - 1])

            levels = replay(step, constants, immediate, window=window)
            recorder.log10_adjoint = levels[0]
            recorder.log10_adjoint_cell = levels[cell.states.index("c")] if "c" in cell.states else None
            recorder.log10_immediate = immediate_norms(gradient, T, window)

        output.register_hook(write)  # type: ignore[no-untyped-call]
    return output, states[-1]


def drive(parameters: Parameters, inputs: Tensor) -> Tensor:
    """U x_t + b_x for all t at once, (T, R, B, G·H); a token is a one-hot row, −1 a row of zeros.

    Raises:
        ValueError: a token is outside the alphabet; it would otherwise be a row of zeros, without a word.
    """
    U = parameters["U"]
    R, _, D = U.shape
    # The input's share of all steps is one large product: only W h_{t−1} has to wait for the step before.
    if inputs.dim() == 3:
        check_tokens(inputs, D)
        inputs = (inputs.unsqueeze(-1) == torch.arange(D, device=inputs.device)).to(U.dtype)
    T, _, B, _ = inputs.shape
    rows = inputs.transpose(0, 1).reshape(R, T * B, D)
    driven = products(rows, U.mT, parameters["b_x"].unsqueeze(1))
    if driven.requires_grad:  # how torch sums a bias's gradient depends on the strides, and those on R where B = 1
        driven.register_hook(_contiguous)  # type: ignore[no-untyped-call]
    return driven.view(R, T, B, -1).transpose(0, 1)


def _contiguous(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.contiguous()


def check_tokens(tokens: Tensor, D: int) -> None:
    """Refuse tokens that are none of an alphabet of D, nor −1.

    Raises:
        ValueError: one is outside.
    """
    if tokens.numel() and (tokens.min() < -1 or tokens.max() >= D):
        raise ValueError(f"tokens {int(tokens.min())} … {int(tokens.max())}, expected −1 … {D - 1}")
