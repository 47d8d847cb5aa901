"""What a trained network writes: how a text goes on, symbol by symbol, and what it says that a program prints."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from harness.cells.cell import State
from harness.models.decoder import Decoding
from harness.models.model import Model, Parameters
from harness.rng import generator
from harness.tasks.written_programs import WrittenPrograms

Floats = npt.NDArray[np.float64]


@torch.no_grad()
def read_on(
    model: Model, parameters: Parameters, tokens: npt.ArrayLike, state: State | None = None
) -> tuple[Floats, State]:
    """Logits of the symbol that comes next, (C,), and the state, once all tokens (T,) have been read.

    Args:
        parameters: of one replica, each (1, …).
        tokens: at least one.
        state: before the first token; None: zeros.
    """
    inputs = torch.as_tensor(np.asarray(tokens), device=parameters["U"].device).long().view(-1, 1, 1)  # (T, R, B)
    logits, state = model.outputs(parameters, inputs, inputs, state)
    return logits[-1, 0, 0].double().cpu().numpy(), state


def probabilities(logits: Floats, temperature: float = 1.0, top_k: int | None = None) -> Floats:
    """softmax(ŷ / τ) over the k largest logits, zero elsewhere, (C,); τ = 0 is its limit: the likeliest symbol alone.

    Of equal logits the one of the lower index comes first. Temperature: Ackley, Hinton & Sejnowski 1985; top-k: Fan,
    Lewis & Dauphin 2018.
    """
    likeliest = np.argsort(-logits, kind="stable")[: 1 if temperature == 0 else top_k]
    p = np.zeros(len(logits))
    with np.errstate(over="ignore", under="ignore"):  # τ → 0: the quotient is −∞, its exponential 0
        p[likeliest] = np.exp((logits[likeliest] - logits[likeliest[0]]) / (temperature or 1.0))
    return np.asarray(p / p.sum())


def continuation(
    model: Model,
    parameters: Parameters,
    prompt: npt.ArrayLike,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> Iterator[int]:
    """Symbols without end: each drawn from the distribution after all before it, then read in its turn.

    Symbol n is drawn from the stream (seed, "sample", n), so a longer continuation begins with the shorter one.

    Args:
        parameters: of one replica, each (1, …).
        prompt: tokens (T,), at least one.
    """
    logits, state = read_on(model, parameters, prompt)
    step = 0
    while True:
        p = probabilities(logits, temperature, top_k)
        token = int(generator(seed, "sample", step).choice(len(p), p=p))
        yield token
        logits, state = read_on(model, parameters, [token], state)
        step += 1


@torch.no_grad()
def answer_to(model: Decoding, parameters: Parameters, program: str) -> int | None:
    """The number that the network writes for a program; None if it is too long for the task or no number is written.

    Args:
        parameters: of one replica, each (1, …).
    """
    task = model.task
    assert isinstance(task, WrittenPrograms)
    if len(program) > task.longest_program:
        return None
    inputs = torch.as_tensor(task.read(program), device=parameters["U"].device).view(-1, 1, 1)  # (T, R, B)
    symbols = model.answer(parameters, inputs, task.longest_answer + 1)
    try:
        return int(task.answered(symbols[:, 0, 0].cpu().numpy()))
    except ValueError:
        return None
