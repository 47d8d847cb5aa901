"""The Lorenz system of 1963, a chaotic series whose largest Lyapunov exponent is known.

    dx/dt = σ (y − x),   dy/dt = x (ρ − z) − y,   dz/dt = x y − β z,   σ = 10, ρ = 28, β = 8/3

Lorenz 1963, "Deterministic nonperiodic flow", J. Atmos. Sci. 20, 130, with his values. Integrated by the classical
fourth-order Runge–Kutta method at a fixed step, so that the series is that of a map, whose derivative is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np

from harness.schema import Values

SIGMA, RHO, BETA = 10.0, 28.0, 8 / 3
# In nats per unit of time: Sprott 1997, "Lyapunov exponent and dimension of the Lorenz attractor",
# https://sprott.physics.wisc.edu/chaos/lorenzle.htm, by RK4 with steps of .001 over 10⁶ units of time
EXPONENT = 0.906
DIVERGENCE = -(SIGMA + 1 + BETA)  # the trace of the Jacobian, everywhere: the sum of the three exponents
LONGEST_STEP = 0.01  # of Runge–Kutta
TRANSIENT = 20.0  # units of time before a series begins


def field(state: Values) -> Values:
    """d(x, y, z)/dt, (3, …) → (3, …)."""
    x, y, z = state
    return np.stack([SIGMA * (y - x), x * (RHO - z) - y, x * y - BETA * z])


def tangent_field(both: Values) -> Values:
    """The same of a state and k tangents side by side, (3, …, 1 + k): each tangent follows the Jacobian of `field`."""
    x, y, z = both[..., :1]
    dx, dy, dz = both[..., 1:]
    pushed = np.stack([SIGMA * (dy - dx), (RHO - z) * dx - dy - x * dz, y * dx + x * dy - BETA * dz])
    return np.concatenate([field(both[..., :1]), pushed], axis=-1)


def advance(right_hand_side: Callable[[Values], Values], state: Values, duration: float) -> Values:
    """The state after `duration`, in equal Runge–Kutta steps of about `LONGEST_STEP`.

    Of a state with tangents it is the derivative of these steps themselves that pushes them.
    """
    steps = max(1, round(duration / LONGEST_STEP))
    h = duration / steps
    for _ in range(steps):
        first = right_hand_side(state)
        second = right_hand_side(state + h / 2 * first)
        third = right_hand_side(state + h / 2 * second)
        fourth = right_hand_side(state + h * third)
        state = state + h / 6 * (first + 2 * second + 2 * third + fourth)
    return state


def series(generator: np.random.Generator, sequences: int, steps: int, time_step: float) -> Values:
    """Series on the attractor, without noise, each from a first state of its own: (steps + 1, sequences, 3)."""
    first = np.array([[0.0], [0.0], [RHO - 1]]) + 8 * generator.standard_normal((3, sequences))
    states = [advance(field, first, TRANSIENT)]
    for _ in range(steps):
        states.append(advance(field, states[-1], time_step))
    return np.moveaxis(np.stack(states), 1, -1)


def predictability_time(exponent: float) -> float:
    """ln 2/λ₁, in which an error doubles, in the unit of time that λ₁ has."""
    return log(2) / exponent
