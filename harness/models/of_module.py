"""A network from a factory, met with a task: one replica, states read out by the harness or logits of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness.cells.cell import Cell, State
from harness.cells.module import Module
from harness.models.model import Initial, Model, Parameters, linear, read
from harness.models.network import Network
from harness.models.whole_rows import rows, shifted
from harness.recurrence.adjoints import AdjointRecorder
from harness.rng import generator
from harness.study.code import CodeError

SEEDS = 2**53  # a seed goes through a float64 where records are in that precision


class OutsideRecorder(AdjointRecorder):
    """A recorder that watches a module from outside (`experiments/training/watched.py`)."""

    def watch(self, module: nn.Module, steps: int | None) -> None:
        """Watch the calls that follow.

        Args:
            steps: T, where sequences have lengths of their own: a module that packs them has no step that none has.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class OfModule(Model):
    """The module of a study, on a sequence → vector or sequence → sequence task; R = 1.

    Sequences of their own lengths begin at the first step for a module, as in torch: it is called with rows of zeros
    after their ends, and with the lengths. In training, `masks` holds one number, the seed of torch's generator: the
    module draws its masks itself. Where it is judged there is none, and it is in evaluation mode.
    """

    network: Network = field(kw_only=True)

    @cached_property
    def numbers(self) -> int:
        """C, or N·C where a vector holds N answers: numbers that are read out at a step."""
        return self.task.answers * self.task.output_size

    def initialise(self, cell: Cell, seed: int) -> Initial:
        """Build the module; its parameters as the factory made them, V and b_y as for any cell.

        Raises:
            CodeError: the factory, or a first call on two sequences of zeros, does not give what is expected.
        """
        assert isinstance(cell, Module)
        sizes = {"input_size": self.task.input_size, "output_size": self.numbers, "length": self.task.length}
        self.network.build(torch_seed(seed, "construction"), sizes, cell.settings)
        own = self.network.initial()
        if not own:
            raise CodeError(f"{self.network.code.shown} returned a module without parameters to train")
        built = self.network.own  # in its own arithmetic: what the training computes in is not known here
        x = torch.zeros(self.task.length, 2, self.task.input_size, dtype=next(iter(built.values())).dtype)
        lengths = torch.full((2,), self.task.length) if self.task.varies else None
        with torch.no_grad():
            answer = self._called(built, x, lengths, ())
        if cell.output == "logits":
            return own
        clash = sorted({"V", "b_y"} & own.keys())
        if clash:
            raise CodeError(
                f"{self.network.code.shown}: the module's '{clash[0]}' has the name of the harness's readout"
            )
        return {**own, **linear(seed, "V", "b_y", self.numbers, answer.shape[-1])}

    def outputs(
        self,
        parameters: Parameters,
        inputs: Tensor,
        targets: Tensor,
        state: State | None = None,
        recorder: AdjointRecorder | None = None,
        masks: Sequence[Tensor | None] = (),
    ) -> tuple[Tensor, State]:
        """Logits (R, B, C), (N, R, B, C) or (T, R, B, C), as of any model of the task's shape."""
        own = {name: parameters[name][0] for name in self.network.parameters}
        dtype = next(iter(parameters.values())).dtype
        inputs, lengths = self.present(inputs)
        x, own_lengths = rows(inputs[:, 0], self.task.input_size, dtype), None
        if lengths is not None:
            own_lengths = lengths[0].cpu()
            x = shifted(x, lengths[0] - len(x))
        answer = self._called(own, x, own_lengths, masks, recorder).to(dtype)  # (T, B, H), or without T
        along = self.task.shape == "sequence_to_sequence"
        if lengths is not None and (self._states or along):
            answer = shifted(answer, len(x) - lengths[0])
        answer = answer.unsqueeze(-3)  # (T, R, B, H), or without T
        if self._states:
            answer = read(parameters, answer if along else answer[-1])
        if self.task.answers > 1:
            answer = answer.view(*answer.shape[:2], self.task.answers, self.task.output_size).permute(2, 0, 1, 3)
        return answer, ()

    def draws(self, seeds: Sequence[int], update: int) -> list[Tensor | None]:
        """What makes a pass one of training: the seed of torch's generator at this update."""
        [seed] = seeds
        return [torch.tensor(torch_seed(seed, "module", update), dtype=torch.float64)]

    def advance(self) -> None:
        self.network.advance()

    def standing(self) -> dict[str, npt.NDArray[Any]]:
        return {name: value.cpu().numpy() for name, value in self.network.buffers.items()}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        buffers = self.network.buffers
        if arrays.keys() != buffers.keys():
            raise ValueError("buffers of another module")
        self.network.buffers = {name: torch.as_tensor(np.array(arrays[name])) for name in buffers}

    @property
    def _output(self) -> str:
        return self.cell.output if isinstance(self.cell, Module) else ""

    @property
    def _states(self) -> bool:
        return self._output == "states"

    def _called(
        self,
        parameters: Parameters,
        x: Tensor,
        lengths: Tensor | None,
        masks: Sequence[Tensor | None],
        recorder: AdjointRecorder | None = None,
    ) -> Tensor:
        """What the module returns, (T, B, H) or logits, once its shape has been checked."""
        seed = int(masks[0]) if masks and masks[0] is not None else torch_seed(0, "judged")
        before: dict[str, Any] = {}
        if isinstance(recorder, OutsideRecorder):
            before["before"] = partial(recorder.watch, steps=None if lengths is None else len(x))
        answer = self.network(parameters, x, lengths, seed, training=bool(masks), **before)
        T, B, _ = x.shape
        along = self.task.shape == "sequence_to_sequence"
        expected = (T, B, None) if self._states else (T, B, self.numbers) if along else (B, self.numbers)
        text = "(T, B, H)" if self._states else "(T, B, C)" if along else "(B, C)"
        if not isinstance(answer, Tensor):
            hint = (
                "; torch.nn's recurrent modules return a pair, whose first is the states"
                if isinstance(answer, tuple)
                else ""
            )
            kind = "None" if answer is None else f"a {type(answer).__name__}"
            raise CodeError(f"{self._shown} returned {kind}; expected a tensor {text}{hint}")
        fits = answer.dim() == len(expected) and all(
            n in (None, m) for n, m in zip(expected, answer.shape, strict=True)
        )
        if not fits or not answer.is_floating_point():
            shape = ", ".join("H" if n is None else str(n) for n in expected)
            raise CodeError(
                f"{self._shown} returned {tuple(answer.shape)} of {answer.dtype} for an input {tuple(x.shape)}, (T, B, "
                f"D); expected with output: {self._output} are real numbers {text} = ({shape})"
            )
        return answer

    @property
    def _shown(self) -> str:
        return f"{self.network.code.shown}: the module"


def torch_seed(seed: int, purpose: str, update: int = 0) -> int:
    """The seed of torch's generator for one purpose of a run's seed."""
    return int(generator(seed, f"torch {purpose}", update).integers(SEEDS))
