"""Whether gradients are clipped: their norm when the backward pass has accumulated it, and after the update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import frexp

import torch
from torch import Tensor, nn

from harness.watching.moment import Moment

SHORTER = 0.999  # of a norm: less is clipping, more is rounding
FEWEST = 3  # records that make "every"


class Clipping:
    """Compares the norms of parameters' gradients at recorded updates; needs `step`."""

    def __init__(self, model: nn.Module, moment: Moment) -> None:
        self.moment = moment
        self.parameters = [
            parameter for parameter in model.parameters() if parameter.requires_grad and parameter.is_leaf
        ]
        self.norms: dict[int, Tensor] = {}
        self.clipped: list[tuple[float, float] | None] = []  # norms before and after, of each recorded update
        self.recorded = 0
        for i, parameter in enumerate(self.parameters):
            hook = self._accumulated(i)
            moment.handles.append(parameter.register_post_accumulate_grad_hook(hook))  # type: ignore[no-untyped-call]

    def _accumulated(self, i: int) -> Callable[[Tensor], None]:
        def accumulated(parameter: Tensor) -> None:
            if self.moment.recording and parameter.grad is not None:
                self.norms[i] = torch.linalg.vector_norm(parameter.grad.detach())

        return accumulated

    def finish_update(self) -> None:
        """Compare a recorded update's norms; without gradients, or after zero_grad(), there is nothing to compare."""
        self.recorded += 1
        pairs = [
            (float(norm), float(torch.linalg.vector_norm(gradient.detach())))
            for i, norm in self.norms.items()
            if (gradient := self.parameters[i].grad) is not None
        ]
        self.norms.clear()
        before, after = (sum(each[k] ** 2 for each in pairs) ** 0.5 for k in (0, 1))
        if not 0 < after < float("inf"):
            return
        # torch.amp.GradScaler divides all gradients by a power of two before the update
        scaled = frexp(before / after)[0] == 0.5 and before > after
        self.clipped.append((before, after) if not scaled and after < SHORTER * before else None)

    def report(self) -> None:
        """Warn where all recorded updates were clipped; a constant factor, as of accumulated batches, is none."""
        pairs = [pair for pair in self.clipped if pair is not None]
        if len(pairs) < max(FEWEST, len(self.clipped)):
            return
        same_factor = _all_equal([after / before for before, after in pairs])
        some = "" if len(pairs) == self.recorded else f" whose gradients could be compared, of {self.recorded}"
        if not same_factor or _all_equal([after for _, after in pairs]):
            self.moment.warn(
                f"the gradient was clipped at every one of {len(pairs)} recorded updates{some}: the length of each "
                "step is then that of the threshold, not of the gradient",
                ("clipped", ""),
            )


def _all_equal(values: Sequence[float]) -> bool:
    return max(values) - min(values) <= (1 - SHORTER) * max(values)
