"""Temporal order without the harness, as a script: three radii, eight seeds, ∂L/∂h_t at every update."""

import argparse
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

T, H, D, C, BATCH, EVALUATED, EVERY = 100, 50, 8, 4, 32, 512, 100
LEARNING_RATE, CLIP, RADII, SEEDS = 1e-3, 1.0, (0.8, 1.0, 1.2), range(8)


def sample(rng: np.random.Generator, n: int) -> tuple[Tensor, Tensor]:
    """Tokens (T, n) and classes (n,): X, Y = 0, 1; distractors 2–5; B, E = 6, 7."""
    tokens, columns = rng.integers(2, 6, (T, n)), np.arange(n)
    first, second = rng.integers(0, 2, n), rng.integers(0, 2, n)
    tokens[0], tokens[-1] = 6, 7
    tokens[rng.integers(T // 10, 2 * T // 10, n), columns] = first
    tokens[rng.integers(5 * T // 10, 6 * T // 10, n), columns] = second
    return one_hot(torch.from_numpy(tokens), D).float(), torch.from_numpy(2 * first + second)


class Net(nn.Module):
    def __init__(self, radius: float) -> None:
        super().__init__()
        self.cell, self.readout = nn.RNNCell(D, H), nn.Linear(H, C)
        W = torch.randn(H, H)
        self.cell.weight_hh.data = W * radius / torch.linalg.eigvals(W).abs().max()

    def forward(self, x: Tensor) -> Tensor:
        h, self.states = None, []
        for row in x:
            h = self.cell(row, h)
            if h.requires_grad:
                h.retain_grad()
            self.states.append(h)
        return self.readout(h)


def accuracy(net: Net, rng: np.random.Generator, n: int) -> float:
    with torch.no_grad():
        x, y = sample(rng, n)
        return (net(x).argmax(-1) == y).float().mean().item()


def train(radius: float, seed: int, updates: int) -> tuple:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng, net = np.random.default_rng(seed), Net(radius)
    optimizer = torch.optim.RMSprop(net.parameters(), lr=LEARNING_RATE)
    curve, norms = [], []
    for update in range(updates + 1):
        x, y = sample(rng, BATCH)
        optimizer.zero_grad()
        cross_entropy(net(x), y).backward()
        norms.append(torch.stack([h.grad for h in net.states]).norm(dim=-1).sum(-1).log10().numpy())
        if update % EVERY == 0 or update == updates:
            curve.append((update, accuracy(net, rng, EVALUATED)))
            if curve[-1][1] >= 0.99:
                break
        nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        optimizer.step()
    return radius, seed, update, curve, np.array(norms), accuracy(net, rng, 2048)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--updates", type=int, default=800)
    options = parser.parse_args()
    tasks = [joblib.delayed(train)(radius, seed, options.updates) for radius in RADII for seed in SEEDS]
    results = joblib.Parallel(n_jobs=options.jobs)(tasks)
    options.out.mkdir(parents=True, exist_ok=True)
    names = ["radius", "seed", "updates", "curve", "norms", "final_accuracy"]
    pd.DataFrame(results, columns=names).drop(columns=["curve", "norms"]).to_parquet(options.out / "runs.parquet")
    np.savez(options.out / "norms.npz", **{f"{r[0]}-{r[1]}": r[4] for r in results})
