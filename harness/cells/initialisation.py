"""Weights before training, as cells draw them: numpy only, one replica at a time.

Each parameter has a stream of its own, so that one seed gives the same draw of W at every spectral radius, and the same
input weights, biases and readout whatever is done to W.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.rng import generator

Matrix = npt.NDArray[np.float64]
Weights = dict[str, Matrix]  # a replica's parameters by name


def uniform(seed: int, shapes: Mapping[str, tuple[int, ...]], H: int) -> Weights:
    """Parameters uniform on (−1/√H, 1/√H), torch's default for its recurrent modules."""
    bound = 1 / sqrt(H)
    return {name: generator(seed, f"initialise {name}").uniform(-bound, bound, shape) for name, shape in shapes.items()}


def scaled_blocks(seed: int, blocks: Mapping[str, int], kind: str, radius: float | None, *, H: int) -> Weights:
    """Recurrent weights of a given spectral radius: an (H, H) block for each gate, one below another.

    Args:
        seed: of the run.
        blocks: how many each parameter has, by its name.
        kind: of the blocks; see `block`.
        radius: ρ of each block; None gives no weights.
        H: hidden units.
    """
    if radius is None:
        return {}
    weights = {}
    for name, number in blocks.items():
        stream = generator(seed, f"initialise {name} {kind}")
        weights[name] = np.concatenate([block(kind, H, stream) * radius for _ in range(number)])
    return weights


def block(kind: str, H: int, stream: np.random.Generator) -> Matrix:
    """An (H, H) matrix of spectral radius 1: "gaussian", "orthogonal" (Haar: Mezzadri 2007) or "identity"."""
    if kind == "identity":
        return np.eye(H)
    gaussian = stream.standard_normal((H, H))
    if kind == "orthogonal":
        Q, R = np.linalg.qr(gaussian)
        return np.asarray(Q * np.sign(np.diag(R)))  # without the signs Q is not uniformly distributed
    return np.asarray(gaussian / spectral_radius(gaussian))


def set_forget_bias(
    weights: Weights, gates: tuple[str, ...], bias: float | Literal["chrono"] | None, seed: int, length: int
) -> Weights:
    """The parameters with b_x + b_h of the forget gate at a number, or drawn by chrono initialisation.

        chrono: b_f = ln U(1, T − 1), b_i = −b_f

    The recurrent bias of these gates becomes zero. A cell that has no input gate sets its forget gate alone.

    Args:
        weights: of one replica, with b_x (G·H,) and maybe b_h; changed in place.
        gates: names of the G blocks.
        bias: None leaves the parameters as they are drawn.
        seed: of the run.
        length: T; a sequence of two steps or fewer has no lag to remember, and ln 1 = 0 then.

    Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", eq. 16.
    """
    if bias is None:
        return weights
    H = len(weights["b_x"]) // len(gates)
    values: dict[str, Matrix] = {"f": np.full(H, 0.0 if bias == "chrono" else bias)}
    if bias == "chrono":
        values["f"] = np.log(generator(seed, "initialise chrono").uniform(1, max(length - 1, 1), H))
        values["i"] = -values["f"]
    for gate in [gate for gate in values if gate in gates]:
        rows = slice(gates.index(gate) * H, (gates.index(gate) + 1) * H)
        weights["b_x"][rows] = values[gate]
        if "b_h" in weights:
            weights["b_h"][rows] = 0.0
    return weights


def spectral_radius(W: Matrix) -> float:
    """ρ(W) = max |λ(W)| of a square matrix; NaN where W is not finite."""
    return float(np.abs(np.linalg.eigvals(W)).max()) if np.isfinite(W).all() else float("nan")


def sigma_max(W: Matrix) -> float:
    """σ₁(W), the largest singular value; NaN where W is not finite."""
    return float(np.linalg.norm(W, 2)) if np.isfinite(W).all() else float("nan")
