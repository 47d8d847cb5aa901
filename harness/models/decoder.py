"""The half that unrolls a vector into a sequence: each step sees the symbol before it.

In training that symbol is the right one (teacher forcing: Williams & Zipser 1989); when it is judged, its own answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.cells.cell import State
from harness.models.model import Model, Parameters, read
from harness.recurrence.adjoints import AdjointRecorder
from harness.recurrence.scan import scan_layers
from harness.tasks.task import UNSCORED


class Decoding(Model):
    """ŷ_t = V s_t + b_y with s_t the decoder's state; symbols 0 … C−1, and C stands for "begin".

    The decoder's own parameters are named W′, U′ (over C + 1 symbols), b_x′, b_h′. A target sequence ends with the
    task's end symbol; what comes after it is UNSCORED.
    """

    def encode(
        self,
        parameters: Parameters,
        inputs: Tensor,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> State:
        """The decoder's first state."""
        raise NotImplementedError

    def outputs(
        self,
        parameters: Parameters,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> tuple[Tensor, State]:
        """Logits (T′, R, B, C), each step told the right symbol before it."""
        n = len(masks) // 2  # masks of the encoder come first
        first = self.encode(parameters, inputs, recorder, masks[:n])
        begin = torch.full_like(targets[:1], self.task.output_size)
        previous = torch.cat([begin, targets[:-1]])  # UNSCORED is PADDING: a row of zeros
        own = None if recorder is None else recorder.part()
        # The whole of both recurrences: a window is refused for tasks with a decoder (training/validation.py).
        s, last = scan_layers(
            self.stack, decoder(parameters), previous, first,
            every_step=True, engine=self.engine, recorder=own, masks=masks[n:],
        )  # fmt: skip
        return read(parameters, s), last

    @torch.no_grad()
    def answer(self, parameters: Parameters, inputs: Tensor, steps: int) -> Tensor:
        """Symbols (T′, R, B): what the code of the inputs is unrolled to."""
        return self.unrolled(parameters, self.encode(parameters, inputs), steps)

    @torch.no_grad()
    def unrolled(self, parameters: Parameters, state: State, steps: int) -> Tensor:
        """Symbols (T′, R, B), each step told its own answer before it; nothing is sampled, the likeliest is taken."""
        h = state[0]
        symbols = [torch.full(h.shape[:2], self.task.output_size, dtype=torch.long, device=h.device)]
        own = decoder(parameters)
        for _ in range(steps):
            s, state = scan_layers(self.stack, own, symbols[-1][None], state, engine=self.engine)
            symbols.append(read(parameters, s).argmax(-1))
        return torch.stack(symbols[1:])

    @torch.no_grad()
    def answers(self, parameters: Parameters, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        symbols = self.answer(parameters, inputs, len(targets))
        return symbols, ((symbols == targets) | (targets == UNSCORED)).all(0)

    def right(self, parameters: Parameters, inputs: Tensor, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Exact match: a sequence is right if every symbol up to its end is."""
        return self.answers(parameters, inputs, targets)[1], (targets != UNSCORED).any(0)


def decoder(parameters: Parameters) -> Parameters:
    """The decoder's parameters under a cell's own names."""
    return {name.removesuffix("′"): value for name, value in parameters.items() if name.endswith("′")}
