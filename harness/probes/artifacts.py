"""What a study may ask to keep of a run at its end: states and gates, codes, answers, parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.cells.cell import State
from harness.models.decoder import Decoding
from harness.models.language_model import TABLE, LanguageModel
from harness.models.model import Model
from harness.recurrence.drive import drive
from harness.tasks.facts import facts
from harness.tasks.lengths import marked_absent
from harness.tasks.task import Batch

Rows = Sequence[Mapping[str, object]]
SIDES = ("first", "second")  # of a pair


@torch.no_grad()
def artifacts(
    model: Model,
    parameters: Mapping[str, Tensor],
    seed: int,
    *,
    states: int = 0,
    codes: int = 0,
    examples: int = 0,
    weights: bool = False,
) -> dict[str, Rows]:
    """Rows of the tables of states, codes, examples and weights of one run (R = 1); data from the final stream.

    Args:
        states, codes, examples: for how many sequences each; 0: no such table.
        weights: the parameters themselves.
    """
    tables: dict[str, Rows] = {}
    if weights:
        tables["weights"] = [
            {"name": name, "shape": list(p.shape[1:]), "values": p.detach().cpu().double().flatten().tolist()}
            for name, p in parameters.items()
        ]
    if states:
        tables["states"] = state_rows(model, parameters, model.task.batch(seed, "final", 0, states))
    if codes:
        tables["codes"] = code_rows(model, parameters, model.task.batch(seed, "final", 0, codes))
    if examples:
        tables["examples"] = example_rows(model, parameters, model.task.batch(seed, "final", 0, examples))
    return tables


def state_rows(model: Model, parameters: Mapping[str, Tensor], batch: Batch) -> Rows:
    """Every part of the state and every activation of the (encoding) recurrence, step by step."""
    inputs, _ = tensors(batch, parameters)
    parts = states_and_gates(model, parameters, inputs)
    rows = []
    for b in range(inputs.shape[2]):
        symbols, answer = model.task.spelled(batch.inputs[:, b]), model.task.answered(batch.targets[..., b])
        for part, values in parts.items():
            for unit, column in enumerate(values[:, 0, b].T.tolist()):
                rows.append({
                    "sequence": b, "symbols": symbols, "answer": answer, "part": part, "unit": unit, "values": column,
                })  # fmt: skip
    return rows


def states_and_gates(model: Model, parameters: Mapping[str, Tensor], inputs: Tensor) -> dict[str, Tensor]:
    """h, c and all gates and candidates by name, each (T, R, B, H); of a simple RNN h alone."""
    state: State = model.start(parameters, *inputs.shape[1:3])
    seen: dict[str, list[Tensor]] = {}
    parameters = model.cell.parametrize(parameters)
    for z in drive(parameters, inputs):
        a = model.cell.activations(parameters, state, z)
        state = model.cell.expected(state, model.cell.combine(state, a))
        now = {name: part for name, part in zip(model.cell.states, state, strict=True) if name in ("h", "c")}
        for name, value in {**a, **now}.items():
            seen.setdefault(name, []).append(value)
    return {name: torch.stack(values) for name, values in seen.items()}


def code_rows(model: Model, parameters: Mapping[str, Tensor], batch: Batch) -> Rows:
    """The codes of an encoder–decoder's inputs, or the vectors of words in pairs; no other model has any."""
    if isinstance(model, LanguageModel):
        return word_rows(model, parameters)
    if not isinstance(model, Decoding):
        return []
    inputs, _ = tensors(batch, parameters)
    codes = model.encode(parameters, inputs, None)[0][0]  # (B, H)
    task = model.task
    return [
        {
            "sequence": b, "text": "".join(task.spelled(batch.inputs[:, b])), "labels": task.labels(batch.inputs[:, b]),
            "code": code,
        }
        for b, code in enumerate(codes.tolist())
    ]  # fmt: skip


def word_rows(model: LanguageModel, parameters: Mapping[str, Tensor]) -> Rows:
    """The vectors of words of which the task knows pairs: both words of each pair, one after the other."""
    task = model.task
    index = {word: i for i, word in enumerate(task.alphabet)}  # type: ignore[attr-defined]
    table = parameters[TABLE][0].cpu().double()
    pairs = [(relation, pair) for relation, own in facts().pairs.items() for pair in own if set(pair) <= set(index)]
    return [
        {"sequence": n, "text": word, "labels": [relation, " – ".join(pair), side], "code": table[index[word]].tolist()}
        for n, (relation, pair) in enumerate(pairs)
        for side, word in zip(SIDES, pair, strict=True)
    ]


def example_rows(model: Model, parameters: Mapping[str, Tensor], batch: Batch) -> Rows:
    """Inputs, right answers and the network's own, as text."""
    inputs, targets = tensors(marked_absent(batch, steps=model.task.shape == "sequence_to_sequence"), parameters)
    answers, hit = model.answers(parameters, inputs, targets)
    task = model.task
    return [
        {
            "text": "".join(task.spelled(batch.inputs[:, b])), "target": task.answered(batch.targets[..., b]),
            "answer": task.answered(answers[..., 0, b].cpu().numpy()), "right": bool(hit[..., 0, b].all()),
        }
        for b in range(inputs.shape[2])
    ]  # fmt: skip


def tensors(batch: Batch, parameters: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """A batch as that of one replica, on the device of the parameters."""
    device = next(iter(parameters.values())).device
    inputs = torch.as_tensor(batch.inputs, device=device).unsqueeze(1)
    return inputs, torch.as_tensor(batch.targets, device=device).unsqueeze(batch.targets.ndim - 1)
