"""What a pack is fed: a batch an update, or, where the state is carried, a chunk of a long series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.cells.cell import State
from harness.experiments.training.arithmetic import arithmetic
from harness.experiments.training.settings import Training
from harness.models.model import Model, Parameters
from harness.rng import generator
from harness.tasks.lengths import marked_absent
from harness.tasks.task import UNSCORED, Batch, Part, Task

PART = "part "  # in a checkpoint, before the name of a tensor of `BatchSource.parts`


@dataclass(frozen=True)
class Chunks:
    """A series of `length` steps, trained on every `stride` steps through the last `window` of them.

    BPTT(h; h′) of Williams & Peng 1990 with h = window and h′ = stride: chunk k scores the steps
    [k·stride, (k + 1)·stride) and goes back through the `window` steps that end there. With stride = window the chunks
    do not overlap: the lecture's truncated BPTT.
    """

    length: int
    window: int
    stride: int

    @property
    def count(self) -> int:
        """Chunks, and so updates, of one pass through the series; the last may be shorter."""
        return -(-self.length // self.stride)

    def span(self, chunk: int) -> tuple[int, int, int]:
        """First step of a chunk, first scored step, and end."""
        scored, stop = chunk * self.stride, min((chunk + 1) * self.stride, self.length)
        return max(0, scored + self.stride - self.window), scored, stop


@dataclass
class BatchSource:
    """The batches of a pack of seeds, and the state that goes from one to the next."""

    model: Model
    training: Training
    device: str
    seeds: list[int]
    state: State | None = None
    series: dict[int, Batch] = field(default_factory=dict)
    episode: int = -1
    parts: dict[str, Tensor] = field(default_factory=dict)  # of a way forward: what stands for the state's derivative
    coming: dict[str, Tensor] = field(default_factory=dict)  # the same after the update

    @property
    def chunks(self) -> Chunks:
        """Of a carried task; its length is that of the series at hand."""
        length = len(self.series[self.seeds[0]].inputs)
        window = self.training.window(length)
        return Chunks(length, window, self.training.bptt_stride or window)

    def batch(self, update: int) -> tuple[Tensor, Tensor]:
        """Inputs (T, R, B[, D]) and targets (…, R, B) of an update; at the start of a series the state is zero."""
        if not self.model.task.carried:
            return draw(self.model.task, self.seeds, "train", update, self.training.batch_size, self.device)
        if not self.series:
            self._begin(0)
        chunks = self.chunks
        if update // chunks.count != self.episode:
            self._begin(update // chunks.count)
        start, scored, stop = chunks.span(update % chunks.count)
        cut = {
            seed: Batch(whole.inputs[start:stop], _unscored(whole.targets[start:stop], scored - start))
            for seed, whole in self.series.items()
        }
        return stack([cut[seed] for seed in self.seeds], self.device)

    def masks(self, update: int, batch: tuple[Tensor, Tensor]) -> list[Tensor | None]:
        """Masks of dropout after each layer but the last, (T, R, B, H) each, then zoneout's or h-detach's; a decoder's.

        Each replica's is from a stream of its own seed, update and layer: the same in any pack. A network that draws
        its masks itself has what it draws them by (`Model.draws`).
        """
        drawn_inside = self.model.draws(self.seeds, update)
        if drawn_inside is not None:
            return drawn_inside
        cell, (inputs, targets) = self.model.cell, batch
        if not cell.dropout and not cell.zoneout and not cell.h_detach:
            return []
        lengths = [len(inputs), len(targets)] if self.model.task.decodes else [len(inputs)]
        widths = [sum(direction.cell.hidden_size for direction in layer) for layer in self.model.stack.layers[:-1]]
        dtype = getattr(torch, self.training.parameter_dtype)  # under bfloat16 too: elementwise work is in float32
        masks: list[Tensor | None] = []
        for half, T in enumerate(lengths):
            if not cell.dropout:
                masks += [None] * len(widths)
            for layer, H in enumerate(widths, start=1) if cell.dropout else ():
                purpose = f"dropout{half or ''}.{layer}"
                shape = (T, inputs.shape[2], H)
                drawn = [generator(seed, purpose, update).random(shape, np.float32) for seed in self.seeds]
                alive = [numbers >= cell.dropout for numbers in drawn]
                stacked = torch.as_tensor(np.stack(alive, axis=1), device=self.device)
                masks.append(stacked.to(dtype) / (1 - cell.dropout))
            masks += self._zoneout(update, T, inputs.shape[2], "′" * half) if cell.zoneout else []
            masks += self._h_detach(update, T, inputs.shape[2], "′" * half) if cell.h_detach else []
        return masks

    def _zoneout(self, update: int, T: int, B: int, mark: str) -> list[Tensor | None]:
        """Of each direction which units keep their values, 1 or 0, (T, R, B, H for each part of the state)."""
        masks: list[Tensor | None] = []
        for direction in self.model.stack.directions:
            cell, purpose = direction.cell, f"zoneout{direction.suffix}{mark}"
            shape = (T, B, len(cell.states) * cell.hidden_size)
            drawn = [generator(seed, purpose, update).random(shape, np.float32) < cell.zoneout for seed in self.seeds]
            k = torch.as_tensor(np.stack(drawn, axis=1), device=self.device)
            masks.append(k.to(getattr(torch, self.training.parameter_dtype)))
        return masks

    def _h_detach(self, update: int, T: int, B: int, mark: str) -> list[Tensor | None]:
        """Of each direction at which steps no gradient passes through h, (T, R, B, H): one draw for all sequences."""
        masks: list[Tensor | None] = []
        for direction in self.model.stack.directions:
            cell, purpose = direction.cell, f"h-detach{direction.suffix}{mark}"
            drawn = [generator(seed, purpose, update).random(T, np.float32) < cell.h_detach for seed in self.seeds]
            d = torch.as_tensor(np.stack(drawn, axis=1), device=self.device).view(T, len(drawn), 1, 1)
            masks.append(d.to(getattr(torch, self.training.parameter_dtype)).expand(-1, -1, B, cell.hidden_size))
        return masks

    def carry(self, parameters: Parameters, inputs: Tensor, targets: Tensor, last: State, update: int) -> None:
        """Keep the state at the first step of the next chunk: its value, without its gradient."""
        if not self.model.task.carried:
            return
        chunks, chunk = self.chunks, update % self.chunks.count
        start, _, stop = chunks.span(chunk)
        ahead = chunks.span(chunk + 1)[0] if chunk + 1 < chunks.count else stop
        if ahead == start:
            return
        if ahead < stop:  # chunks overlap: go only as far as the next one starts
            with torch.no_grad(), arithmetic(self.training, self.device):
                _, last = self.model.outputs(parameters, inputs[: ahead - start], targets[: ahead - start], self.state)
        self.parts = self.coming
        # Here a carried task's gradient is cut: the value of the state goes on, its history does not.
        self.state = tuple(part.detach() for part in last)

    def keep(self, indices: Sequence[int]) -> None:
        """Let go of all replicas but these."""
        self.seeds = [self.seeds[i] for i in indices]
        self.series = {seed: self.series[seed] for seed in self.seeds if seed in self.series}
        if self.state is not None:
            self.state = tuple(part[torch.as_tensor(indices, device=part.device)] for part in self.state)

    def standing(self, i: int) -> dict[str, npt.NDArray[Any]]:
        """The carried state of one replica; its series is drawn again."""
        state = {str(k): part[i].cpu().numpy() for k, part in enumerate(self.state or ())}
        return state | {PART + name: part.cpu().numpy() for name, part in self.parts.items()}

    def restore(self, update: int, replicas: Sequence[Mapping[str, npt.NDArray[Any]]]) -> None:
        """Take over where these replicas stood after `update` updates."""
        if not self.model.task.carried:
            return
        self._begin(0)
        self._begin((update - 1) // self.chunks.count)  # where the state is from; the next may be a new episode
        of_state = [name for name in replicas[0] if not name.startswith(PART)]
        if of_state:
            self.state = tuple(
                torch.as_tensor(np.stack([r[str(k)] for r in replicas]), device=self.device)
                for k in range(len(of_state))
            )
        self.parts = {
            name.removeprefix(PART): torch.as_tensor(part, device=self.device)
            for name, part in replicas[0].items()
            if name.startswith(PART)
        }

    def _begin(self, episode: int) -> None:
        size = self.training.batch_size
        self.series = {seed: self.model.task.batch(seed, "train", episode, size) for seed in self.seeds}
        self.episode, self.state, self.parts = episode, None, {}


def draw(task: Task, seeds: Sequence[int], part: Part, index: int, size: int, device: str) -> tuple[Tensor, Tensor]:
    """A batch for each replica, from its own seed's stream: inputs (T, R, B[, D]), targets (…, R, B)."""
    # Runs of one seed see the same data whatever their settings: comparisons between cells of the grid are paired.
    drawn = {seed: task.batch(seed, part, index, size) for seed in set(seeds)}
    along = task.shape == "sequence_to_sequence"
    drawn = {seed: marked_absent(batch, steps=along) for seed, batch in drawn.items()}
    return stack([drawn[seed] for seed in seeds], device)


def stack(batches: Sequence[Batch], device: str) -> tuple[Tensor, Tensor]:
    """Batches of R replicas side by side."""
    inputs = np.stack([batch.inputs for batch in batches], axis=1)
    targets = np.stack([batch.targets for batch in batches], axis=batches[0].targets.ndim - 1)
    return torch.as_tensor(inputs, device=device), torch.as_tensor(targets, device=device)


def _unscored(targets: npt.NDArray[np.number[Any]], steps: int) -> npt.NDArray[np.number[Any]]:
    """Targets of which the first steps are not scored; of numbers, which are floats, these are NaN."""
    if not steps:
        return targets
    none = np.nan if np.issubdtype(targets.dtype, np.floating) else UNSCORED
    return np.concatenate([np.full_like(targets[:steps], none), targets[steps:]])
