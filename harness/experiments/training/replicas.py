"""R replicas trained together: stacked parameters, one optimizer, and a way out for those that end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.experiments.training.optimizers import SCALARS, Optimizer
from harness.experiments.training.settings import Training
from harness.probes.contract import Update


@dataclass
class Replicas:
    """Stacked parameters (R, …) and their optimizer.

    All optimizers act on each number alone, so stacking changes nothing for a replica.
    """

    parameters: dict[str, Tensor]
    optimizer: Optimizer

    @classmethod
    def start(
        cls, replicas: Sequence[Mapping[str, npt.NDArray[np.float64]]], training: Training, device: str
    ) -> Replicas:
        """Stack the initial parameters of all replicas."""
        dtype = getattr(torch, training.parameter_dtype)
        parameters = {
            name: torch.as_tensor(
                np.stack([replica[name] for replica in replicas]), dtype=dtype, device=device
            ).requires_grad_()
            for name in replicas[0]
        }
        return cls(parameters, Optimizer(training.optimizer, parameters.values()))

    @property
    def device(self) -> torch.device:
        return next(iter(self.parameters.values())).device

    def gradient_norms(self) -> Tensor:
        """‖∂L/∂θ‖₂ of each replica over all its parameters, (R,): in float64, as a float32 square overflows at 1e19."""
        total: Tensor | float = 0.0
        exact = torch.float32 if self.device.type == "mps" else torch.float64  # mps has no float64
        for p in self.parameters.values():
            # added one by one: a sum over a stacked axis is ordered differently for R = 1
            if p.grad is not None:
                own = p.grad.flatten(1) if p.dim() > 1 else p.grad.unsqueeze(1)  # a module may have a single number
                total = total + torch.linalg.vector_norm(own, dim=1, dtype=exact).square()
        assert isinstance(total, Tensor)
        return total.sqrt()

    def clip(self, norms: Tensor, longest: float) -> None:
        """Scale each replica's gradient to at most `longest` (Pascanu, Mikolov & Bengio 2013, algorithm 1)."""
        scale = (longest / norms).clamp(max=1.0)
        for p in self.parameters.values():
            if p.grad is not None:
                p.grad.mul_(scale.to(p.dtype).view(-1, *[1] * (p.dim() - 1)))

    def clip_value(self, largest: float) -> None:
        """Hold each number of the gradient within ±`largest` (Mikolov 2012, "Statistical language models")."""
        for p in self.parameters.values():
            if p.grad is not None:
                p.grad.clamp_(-largest, largest)

    def step(self, norms: Tensor, training: Training, learning_rate: float) -> None:
        """One update: the gradient clipped, then the optimizer's step.

        Args:
            norms: of the gradients, (R,).
            learning_rate: of this update.
        """
        if training.clip_norm is not None:
            self.clip(norms, training.clip_norm)
        if training.clip_value is not None:
            self.clip_value(training.clip_value)
        self.optimizer.step(learning_rate)

    def copied(self) -> Replicas:
        """Parameters, gradients and optimizer as they stand, in memory of their own."""
        copies = {name: p.detach().clone().requires_grad_() for name, p in self.parameters.items()}
        for name, p in self.parameters.items():
            copies[name].grad = None if p.grad is None else p.grad.clone()
        return Replicas(copies, self.optimizer.twin({p: copies[name] for name, p in self.parameters.items()}))

    def update(self, number: int, norms: Tensor, training: Training, learning_rate: float) -> Update:
        """The next update, for probes: made on a copy, so that it is that of `step` to the bit and changes nothing.

        Args:
            number: updates made before.
            norms: of the gradients, (R,).
            learning_rate: of this update.
        """
        after = self.copied()
        after.step(norms, training, learning_rate)
        return Update(
            number,
            {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in self.parameters.items()},
            {name: _exact(after.parameters[name]) - _exact(p) for name, p in self.parameters.items()},
        )

    def standing(self, i: int) -> dict[str, npt.NDArray[Any]]:
        """Parameters and optimizer state of one replica."""
        arrays = {}
        for name, p in self.parameters.items():
            arrays[name] = p[i].detach().cpu().numpy()
            for key, value in self.optimizer.state.get(p, {}).items():
                arrays[f"{name} {key}"] = (value[i] if value.dim() > 0 else value).cpu().numpy()
        return arrays

    def restore(self, replicas: Sequence[Mapping[str, npt.NDArray[Any]]]) -> None:
        """Take over where these replicas stood.

        Raises:
            KeyError, ValueError: they are not replicas of this model and optimizer; some parameters may be theirs now.
        """
        keys = {name: {k.removeprefix(f"{name} ") for k in replicas[0] if k.startswith(f"{name} ")} for name in
                self.parameters}  # fmt: skip
        if len({frozenset(own) for own in keys.values() if own}) > 1:  # without a gradient a parameter has none
            raise ValueError("some parameters lack a part of the optimizer's state")
        for name, p in self.parameters.items():
            stacked = torch.as_tensor(np.stack([replica[name] for replica in replicas]))
            if stacked.shape != p.shape:  # copying would broadcast
                raise ValueError(f"{name}: of another shape")
            with torch.no_grad():
                p.copy_(stacked)
            state = {}
            for key in keys[name]:
                values = [replica[f"{name} {key}"] for replica in replicas]
                shared = key in SCALARS  # a step count, a running product; a number's own memory has no axis either
                state[key] = torch.as_tensor(values[0] if shared else np.stack(values))
                if not shared and state[key].shape != p.shape:
                    raise ValueError(f"{name} {key}: of another shape")
                state[key] = state[key] if shared else state[key].to(p.device)
            if state:
                self.optimizer.state[p] = state

    def keep(self, indices: Sequence[int]) -> None:
        """Let go of all replicas but these; optimizer state and gradients go with them."""
        chosen = torch.as_tensor(indices, device=self.device)
        for name, old in self.parameters.items():
            new = old.detach()[chosen].requires_grad_()
            new.grad = None if old.grad is None else old.grad[chosen]
            state = self.optimizer.state.pop(old, {})
            # per-number state has the parameter's shape; numbers such as Adam's step count are all replicas'
            self.optimizer.state[new] = {
                key: value[chosen] if isinstance(value, Tensor) and value.dim() > 0 else value
                for key, value in state.items()
            }
            own = self.optimizer.parameters
            own[[p is old for p in own].index(True)] = new
            self.parameters[name] = new


def _exact(p: Tensor) -> Tensor:
    """In float64 on the CPU, where differences of float32 do not round."""
    return p.detach().cpu().double()
