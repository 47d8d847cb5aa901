"""What is read from hidden states, and how it is judged: classes, bits or real numbers.

Outputs are (…, R, B, C) and targets (…, R, B); the leading axis, if there is one, runs over the answers of a vector or
the steps of a sequence. `UNSCORED` targets, of numbers NaN, are seen by neither loss nor accuracy.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from harness.tasks.task import TOLERANCE, UNSCORED, Readout


def losses(kind: Readout, outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean loss of each replica over what is scored, (R,), in nats; 0 where nothing is.

    classes: −log softmax(ŷ)[y]; bits: −log of the Bernoulli with logit ŷ; numbers: (ŷ − y)², no nats.
    """
    given = scored(targets)
    if kind == "classes":
        # Replica by replica, as a readout lays out its answers: no copy of them is made.
        own, truth = outputs.movedim(-3, 0), targets.movedim(-2, 0)
        flat = cross_entropy(own.flatten(0, -2), truth.flatten().long(), reduction="none", ignore_index=UNSCORED)
        return _mean(flat.view(truth.shape).movedim(0, -2), given)
    predicted = outputs.squeeze(-1)
    truth = targets.to(predicted.dtype) if given is None else torch.where(given, targets, 0).to(predicted.dtype)
    if kind == "numbers":
        loss = mse_loss(predicted, truth, reduction="none")
    else:
        # torch's logistic rounds an element by its place among all: each replica's are computed by themselves.
        each = zip(predicted.movedim(-2, 0).contiguous(), truth.movedim(-2, 0).contiguous(), strict=True)
        loss = torch.stack([binary_cross_entropy_with_logits(x, y, reduction="none") for x, y in each], -2)
    return _mean(loss if given is None else loss * given, given)


def right(kind: Readout, outputs: Tensor, targets: Tensor, tolerance: float = TOLERANCE) -> Tensor:
    """Whether each answer is right, of the shape of `targets`; what is not scored counts as right.

    Args:
        tolerance: a number is right if |ŷ − y| is below it.
    """
    predicted = answers(kind, outputs)
    if kind == "numbers":
        return torch.lt((predicted - targets).abs(), tolerance) | torch.isnan(targets)
    return torch.eq(predicted, targets) | torch.eq(targets, UNSCORED)


def answers(kind: Readout, outputs: Tensor) -> Tensor:
    """The likeliest class, the likelier bit, or the number."""
    if kind == "classes":
        return outputs.argmax(-1)
    return (outputs.squeeze(-1) > 0).long() if kind == "bits" else outputs.squeeze(-1)


def share_right(hit: Tensor, scored: Tensor) -> Tensor:
    """The share of right answers among the scored ones, (R,).

    Raises:
        ValueError: none is scored.
    """
    both = torch.stack([hit & scored, scored]).double().cpu().transpose(-1, -2)  # (2, …, B, R)
    counted = both.flatten(1, -2).sum(1)
    if not counted[1].all():
        raise ValueError("no answer of the task is scored, so that there is no accuracy")
    return counted[0] / counted[1]


def scored(targets: Tensor) -> Tensor | None:
    """Which targets are scored; None where all are."""
    given = ~torch.isnan(targets) if targets.is_floating_point() else targets != UNSCORED
    return None if bool(given.all()) else given


def _mean(values: Tensor, given: Tensor | None) -> Tensor:
    """Over all but the replica axis (the last but one), each replica's numbers in a row of their own."""
    rows = values.movedim(-2, 0).flatten(1).contiguous()  # of B = 1 a view, which torch sums in another order
    return rows.mean(1) if given is None else rows.sum(1) / given.movedim(-2, 0).flatten(1).sum(1).clamp(min=1)
