"""Twins of the kernels: torch's autograd over a loop of the equations, one replica at a time."""

from dataclasses import dataclass

import numpy as np
import torch

import harness.recurrence.kernels as kernels

torch.set_num_threads(1)

CASES = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh")]


@dataclass
class Problem:
    """The arguments of a kernel's forward pass, and the gradients that its backward pass starts from."""

    name: str
    activation: str
    x: np.ndarray
    state: tuple
    parameters: tuple
    last: tuple | None
    every: np.ndarray | None

    def run(self, **options):
        kernel = kernels.KERNELS[self.name]
        states, saved = kernel.forward(self.x, self.state, self.parameters, activation=self.activation)
        gradients = kernel.backward(saved, last=self.last, every=self.every, record=True, **options)
        return states, gradients

    def replica(self, r):
        """The same for one replica, alone."""
        one = slice(r, r + 1)
        return Problem(
            self.name,
            self.activation,
            self.x[:, one].copy(),
            tuple(s[one].copy() for s in self.state),
            tuple(p[one].copy() for p in self.parameters),
            None if self.last is None else tuple(g if g is None else g[one].copy() for g in self.last),
            None if self.every is None else self.every[:, one].copy(),
        )


def problem(name, activation="tanh", *, T, R=1, B, H, D, dtype=np.float64, real=False, loss="last", radius=0.9, seed=0):
    """A random problem; spectral radius about `radius` in each gate's block; `loss` is last, every or both."""
    g = np.random.default_rng(seed)
    kernel = kernels.KERNELS[name]
    G = kernel.gates

    def normal(*shape):
        return g.standard_normal(shape).astype(dtype)

    W = (radius / np.sqrt(H) * normal(R, G * H, H)).astype(dtype)
    parameters = (W, normal(R, G * H, D), normal(R, G * H), normal(R, G * H))
    x = normal(T, R, B, D) if real else g.integers(-1, D, (T, R, B))
    state = tuple(normal(R, B, H) for _ in range(kernel.states))
    last = tuple(normal(R, B, H) for _ in state) if loss in ("last", "both") else None
    every = normal(T, R, B, H) if loss in ("every", "both") else None
    return Problem(name, activation, x, state, parameters, last, every)


def step(name, activation, x, state, W, U, b_x, b_h):
    """The equations of torch's documentation."""
    a, b = x @ U.mT + b_x, state[0] @ W.mT + b_h
    if name == "rnn":
        return (torch.tanh(a + b) if activation == "tanh" else torch.relu(a + b),)
    if name == "lstm":
        i, f, g, o = (a + b).chunk(4, dim=-1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
    (a_r, a_z, a_n), (b_r, b_z, b_n) = a.chunk(3, dim=-1), b.chunk(3, dim=-1)
    r, z = torch.sigmoid(a_r + b_r), torch.sigmoid(a_z + b_z)
    n = torch.tanh(a_n + r * b_n)
    return ((1 - z) * n + z * state[0],)


def vectors(x, D, dtype):
    """Real inputs as they are; unit vectors for symbols, zeros for -1."""
    return x if x.ndim == 4 else (x[..., None] == np.arange(D)).astype(dtype)


def twin(p, window=None):
    """The states, gradients and levels that `answer` should return, in float64, the replica first."""
    T, R = p.x.shape[:2]
    first = 1 if window is None else max(1, T - window + 1)
    D = p.parameters[1].shape[2]
    xs = torch.tensor(vectors(p.x, D, np.float64), dtype=torch.float64)
    out = []
    for r in range(R):
        W, U, b_x, b_h = (torch.tensor(q[r], dtype=torch.float64, requires_grad=True) for q in p.parameters)
        x = xs[:, r].clone().requires_grad_()
        initial = tuple(torch.tensor(s[r], dtype=torch.float64, requires_grad=True) for s in p.state)
        history = [initial]
        for t in range(1, T + 1):
            before = history[-1]
            if t == first and first > 1:
                before = tuple(s.detach() for s in before)
            history.append(step(p.name, p.activation, x[t - 1], before, W, U, b_x, b_h))
            for s in history[-1]:
                s.retain_grad()
        loss = torch.zeros((), dtype=torch.float64)
        if p.last is not None:
            for s, g in zip(history[-1], p.last, strict=True):
                loss = loss + (s * torch.tensor(g[r], dtype=torch.float64)).sum()
        if p.every is not None:
            for t in range(first, T + 1):
                loss = loss + (history[t][0] * torch.tensor(p.every[t - 1, r], dtype=torch.float64)).sum()
        loss.backward()

        def gradient(q):
            return np.zeros(q.shape) if q.grad is None else q.grad.numpy()

        result = {"W": gradient(W), "U": gradient(U), "b_x": gradient(b_x), "b_h": gradient(b_h), "x": gradient(x)}
        for k, name in enumerate(("h", "c")[: len(initial)]):
            result[name] = np.stack([s[k].detach().numpy() for s in history])
            result[f"{name}_0"] = gradient(initial[k])
            adjoints = np.stack([gradient(s[k]) for s in history[1:]])
            adjoints[: first - 1] = 0
            top = np.abs(adjoints).max(axis=(1, 2), keepdims=True)  # squares of small adjoints would underflow
            with np.errstate(divide="ignore"):
                norms = np.linalg.norm(adjoints / np.where(top > 0, top, 1), axis=-1).sum(-1)
                result[f"level_{name}"] = np.log10(norms) + np.log10(top[:, 0, 0])
        out.append(result)
    return {key: np.stack([result[key] for result in out]) for key in out[0]}


def answer(p, window=None):
    """The states, gradients and levels of the kernel, by name, the replica first."""
    states, g = p.run(window=window, need_dx=p.x.ndim == 4)
    result = {"W": g.dW, "U": g.dU, "b_x": g.db_x, "b_h": g.db_h}
    if g.dx is not None:
        result["x"] = g.dx.swapaxes(0, 1)
    levels = (g.log10_adjoint, g.log10_adjoint_cell)
    for name, s, d, level in zip(("h", "c"), states, g.dstate, levels, strict=False):
        result.update({name: s, f"{name}_0": d, f"level_{name}": level.T})
    return result


def distance(a, b):
    """||a - b|| / ||b||, and 0 where both are zero."""
    error = np.linalg.norm(np.asarray(a, np.float64) - b)
    return error if error == 0 else error / np.linalg.norm(b)
