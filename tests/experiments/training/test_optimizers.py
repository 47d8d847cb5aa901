"""Optimizers are torch.optim's, to the last bit, without what its classes import."""

import subprocess
import sys

import pytest
import torch
from networks import normal

from harness.experiments.training.optimizers import OPTIMIZERS, Optimizer

CLASSES = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_are_those_of_the_class(name: str, dtype: torch.dtype) -> None:
    shapes = [(3, 7, 5), (3, 7), (3, 2)]
    ours, theirs = ([normal(i, *shape, dtype=dtype).requires_grad_() for i, shape in enumerate(shapes)] for _ in "ab")
    optimizer, twin = Optimizer(name, ours, 1e-2), CLASSES[name](theirs, lr=1e-2, foreach=False)
    for step in range(20):
        for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            if i < 2 or step > 3:  # the last has no gradient at first
                p.grad = normal(100 * step + i, *p.shape, dtype=dtype)
                q.grad = p.grad.clone()
        optimizer.step()
        twin.step()
        optimizer.zero_grad()
        assert all(p.grad is None for p in ours)
        twin.zero_grad()
    for p, q in zip(ours, theirs, strict=True):
        assert torch.equal(p, q)
        assert optimizer.state.get(p, {}).keys() == {key for key, value in twin.state[q].items() if value is not None}


def test_training_does_not_import_the_compiler_of_torch() -> None:
    code = (
        "import sys, torch; from harness.experiments.training.optimizers import Optimizer, OPTIMIZERS\n"
        "for name in OPTIMIZERS:\n"
        "    p = torch.ones(2, requires_grad=True); p.grad = torch.ones(2); Optimizer(name, [p], 0.1).step()\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
