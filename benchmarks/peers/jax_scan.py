"""JAX: jit(vmap(scan)) over R replicas, recording the same adjoints. Import it only where jax is installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # one thread, as all others have

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.peers import Taken
from benchmarks.problem import Problem

DECAY, EPSILON = 0.99, 1e-8  # torch.optim.RMSprop's
UNROLL = 4  # steps of the scan in one round of XLA's loop: 5–10 % faster than 1, and 10 is slower

State = tuple[Array, ...]
Tree = dict[str, Array]


@jax.custom_vjp
def probe(h: Array, levels: Array) -> Array:
    """h itself; on the way back, ‖∂L/∂h_b‖ comes out as the "gradient" of `levels` (B,).

    Cheaper than the gradient of a zero that is added to h: B numbers a step are kept instead of B·H.
    """
    return h


probe.defvjp(lambda h, levels: (h, None), lambda _, g: (g, jnp.sqrt((g * g).sum(-1))))


def rnn(p: Tree, state: State, z: Array) -> State:
    """h_t = tanh(W h_{t−1} + b_h + z), z = U x_t + b_x."""
    (h,) = state
    return (jnp.tanh(h @ p["W"].T + p["b_h"] + z),)


def lstm(p: Tree, state: State, z: Array) -> State:
    """i, f, o = σ(·), g = tanh(·); c_t = f c_{t−1} + i g; h_t = o tanh(c_t)."""
    h, c = state
    i, f, g, o = jnp.split(h @ p["W"].T + p["b_h"] + z, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(p: Tree, state: State, z: Array) -> State:
    """r, u = σ(·), n = tanh(z_n + r (W_n h_{t−1} + b_n)); h_t = (1 − u) n + u h_{t−1}."""
    (h,) = state
    r_x, u_x, n_x = jnp.split(z, 3, axis=-1)
    r_h, u_h, n_h = jnp.split(h @ p["W"].T + p["b_h"], 3, axis=-1)
    r, u = jax.nn.sigmoid(r_x + r_h), jax.nn.sigmoid(u_x + u_h)
    return ((1 - u) * jnp.tanh(n_x + r * n_h) + u * h,)


CELLS: dict[str, tuple[Callable[[Tree, State, Array], State], int]] = {
    "rnn": (rnn, 1),
    "lstm": (lstm, 2),
    "gru": (gru, 1),
}


class JaxScan:
    """R replicas, seeds 0 … R−1, in one compiled step."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.update, self.replicas = problem, 0, problem.sizes.R
        given = [problem.initial(seed) for seed in range(self.replicas)]
        self.parameters = {name: jnp.stack([replica[name] for replica in given]) for name in given[0]}
        self.squares = {name: jnp.zeros_like(value) for name, value in self.parameters.items()}
        self.compiled = jax.jit(jax.vmap(self.replica), donate_argnums=(0, 1))

    def replica(self, p: Tree, squares: Tree, tokens: Array, classes: Array) -> tuple[Tree, Tree, Array, Array]:
        """One step of one replica: parameters, mean squared gradients, loss, Σ_b ‖∂L/∂h_t‖ (T,)."""
        cell, parts = CELLS[self.problem.sizes.cell]
        T, B = tokens.shape

        def loss(p: Tree, levels: Array) -> Array:
            rows = p["U"].T + p["b_x"]  # a token is a one-hot row: U x_t is a look-up

            def advance(state: State, now: tuple[Array, Array]) -> tuple[State, None]:
                token, level = now
                h, *others = cell(p, state, rows[token])
                return (probe(h, level), *others), None

            zero = jnp.zeros((B, self.problem.sizes.H))
            (h, *_), _ = jax.lax.scan(advance, (zero,) * parts, (tokens, levels), unroll=UNROLL)
            scores = jax.nn.log_softmax(h @ p["V"].T + p["b_y"])
            return -scores[jnp.arange(B), classes].mean()

        value, (gradients, norms) = jax.value_and_grad(loss, (0, 1))(p, jnp.zeros((T, B)))
        length = jnp.sqrt(sum((g * g).sum() for g in gradients.values()))
        scale = jnp.minimum(1.0, self.problem.training.clip_norm / length)
        clipped = {name: g * scale for name, g in gradients.items()}
        squares = {name: DECAY * squares[name] + (1 - DECAY) * g * g for name, g in clipped.items()}
        rate = self.problem.training.learning_rate
        stepped = {name: p[name] - rate * g / (jnp.sqrt(squares[name]) + EPSILON) for name, g in clipped.items()}
        return stepped, squares, value, norms.sum(-1)

    def step(self) -> Taken:
        batches = [self.problem.batch(seed, self.update) for seed in range(self.replicas)]
        tokens: Any = np.stack([batch.inputs for batch in batches]).astype(np.int32)  # (R, T, B)
        classes: Any = np.stack([batch.targets for batch in batches]).astype(np.int32)
        self.parameters, self.squares, losses, norms = self.compiled(self.parameters, self.squares, tokens, classes)
        self.update += 1
        return Taken(np.asarray(losses), np.asarray(norms).T)
