"""What peers in torch over several replicas share: stacked parameters (R, …), batches, loss, clipping, optimizer."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.peers import Array, Taken
from benchmarks.problem import Problem


class Stacked(ABC):
    """R replicas, seeds 0 … R−1, in one graph.

    Args:
        replicas: R; None: as many as the problem has.
    """

    def __init__(self, problem: Problem, replicas: int | None = None) -> None:
        self.problem, self.update, self.replicas = problem, 0, replicas or problem.sizes.R
        given = [problem.initial(seed) for seed in range(self.replicas)]
        self.parameters = {
            name: torch.from_numpy(np.stack([replica[name] for replica in given])).requires_grad_() for name in given[0]
        }
        self.optimizer = torch.optim.RMSprop(self.parameters.values(), lr=problem.training.learning_rate)

    @abstractmethod
    def last(self, tokens: Tensor) -> Tensor:
        """h_T (R, B, H) from tokens (R, T, B)."""

    @abstractmethod
    def norms(self) -> Array | None:
        """Σ_b ‖∂L/∂h_t‖ after a backward pass, (T, R); None if nothing is recorded."""

    def step(self) -> Taken:
        batches = [self.problem.batch(seed, self.update) for seed in range(self.replicas)]
        tokens = torch.from_numpy(np.stack([batch.inputs for batch in batches])).long()
        classes = torch.from_numpy(np.stack([batch.targets for batch in batches]))
        p = self.parameters
        scores = torch.baddbmm(p["b_y"].unsqueeze(1), self.last(tokens), p["V"].mT)
        losses = cross_entropy(scores.flatten(0, 1), classes.flatten(), reduction="none").view(classes.shape).mean(1)
        self.optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        norms = self.norms()
        self._clip()
        self.optimizer.step()
        self.update += 1
        return Taken(losses.detach().numpy(), norms)

    def _clip(self) -> None:
        """Each replica's gradient by its own norm, as `clip_grad_norm_` does."""
        longest = self.problem.training.clip_norm
        assert longest is not None
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        lengths = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients])
        scale = (longest / (torch.linalg.vector_norm(lengths, dim=0) + 1e-6)).clamp(max=1.0)
        for g in gradients:
            g.mul_(scale.view(-1, *[1] * (g.dim() - 1)))


def adjoint_norms(states: list[Tensor]) -> Array:
    """Σ_b ‖∂L/∂h_t‖ from tensors (R, B, H) that retain their gradients; the loss is a mean, so B · mean_b is Σ_b.

    A state on which the loss does not depend has no gradient.
    """
    adjoints = torch.stack([torch.zeros_like(h) if h.grad is None else h.grad for h in states])  # (T, R, B, H)
    norms: Array = torch.linalg.vector_norm(adjoints, dim=-1).sum(-1).numpy()
    return norms
