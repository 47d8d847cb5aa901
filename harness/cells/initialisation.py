"""Weights before training: torch's default, or blocks of a given spectral radius. One replica at a time, numpy only.

Each parameter has a stream of its own, so that one seed gives the same draw of W at every spectral radius, and the same
input weights, biases and readout whatever is done to W.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from harness.cells.cell import Cell, PaperCell
from harness.rng import generator

Matrix = npt.NDArray[np.float64]
FAN_IN = 15  # weights into each unit of a sparse block (Pascanu, Mikolov & Bengio 2013, "smart tanh")


def initialise(cell: Cell, seed: int, *, input_size: int, length: int) -> dict[str, Matrix]:
    """The parameters of one replica of a cell.

    All are uniform on (−1/√H, 1/√H), torch's default for its recurrent modules, except: W's gate blocks, with another
    `init`, are Gaussian, orthogonal, sparse or the identity, scaled to the given spectral radius; with a `deviation`
    all weights are N(0, deviation²) and all biases 0, but for a sparse W; with `init: paper` the parameters are as the
    cell's paper says; and `forget_bias` sets b_x + b_h of the forget gate.

    Args:
        input_size: D.
        length: T, the longest dependency chrono initialisation allows for (Tallec & Ollivier 2018, eq. 16).

    Returns:
        float64: W (G·H, H) or whatever recurrent weights the cell has, U (G·H, D), b_x (G·H,), with `biases: 2` b_h
        (G·H,), and what else is in the cell's `shapes`.
    """
    H, G = cell.hidden_size, len(cell.gates)
    bound = 1 / sqrt(H)

    def uniform(name: str, *shape: int) -> Matrix:
        return generator(seed, f"initialise {name}").uniform(-bound, bound, shape)

    parameters = {name: uniform(name, *shape) for name, shape in cell.shapes(H, input_size).items()}
    if (deviation := getattr(cell, "deviation", None)) is not None:
        parameters = {name: normal(seed, name, deviation, p.shape) for name, p in parameters.items()}
    if isinstance(cell, PaperCell) and cell.init == "paper":
        parameters |= cell.paper(
            lambda name: generator(seed, f"initialise {name} paper"), input_size=input_size, length=length
        )
    if cell.spectral_radius is not None:
        for name in cell.recurrent_weights:
            stream = generator(seed, f"initialise {name} {cell.init}")
            parameters[name] = np.concatenate([block(cell.init, H, stream) * cell.spectral_radius for _ in range(G)])
    _set_forget_bias(cell, parameters, seed, length)
    return parameters


def normal(seed: int, name: str, deviation: float, shape: tuple[int, ...]) -> Matrix:
    """A matrix of N(0, deviation²); a vector, which is a bias, of zeros."""
    if len(shape) == 1:
        return np.zeros(shape)
    return generator(seed, f"initialise {name} normal").normal(0, deviation, shape)


def block(kind: str, H: int, stream: np.random.Generator) -> Matrix:
    """An (H, H) matrix of spectral radius 1: "gaussian", "orthogonal" (Haar: Mezzadri 2007), "identity" or "sparse".

    Sparse: `FAN_IN` Gaussian weights into each unit, at places drawn without replacement (Jaeger & Haas 2004; Martens &
    Sutskever 2011); all of them where H is smaller.
    """
    if kind == "identity":
        return np.eye(H)
    gaussian = stream.standard_normal((H, H))
    if kind == "sparse":
        kept = np.argsort(stream.random((H, H)), axis=1) < FAN_IN
        return np.asarray(gaussian * kept / spectral_radius(gaussian * kept))
    if kind == "orthogonal":
        Q, R = np.linalg.qr(gaussian)
        return np.asarray(Q * np.sign(np.diag(R)))
    return np.asarray(gaussian / spectral_radius(gaussian))


def spectral_radius(W: Matrix) -> float:
    """ρ(W) = max |λ(W)| of a square matrix; NaN where W is not finite."""
    return float(np.abs(np.linalg.eigvals(W)).max()) if np.isfinite(W).all() else float("nan")


def sigma_max(W: Matrix) -> float:
    """σ₁(W), the largest singular value; NaN where W is not finite."""
    return float(np.linalg.norm(W, 2)) if np.isfinite(W).all() else float("nan")


def _set_forget_bias(cell: Cell, parameters: dict[str, Matrix], seed: int, length: int) -> None:
    """Set b_x + b_h of the forget gate (chrono: of the input gate too); the recurrent bias there becomes zero."""
    wanted = getattr(cell, "forget_bias", None)
    if wanted is None:
        return
    H = cell.hidden_size
    values: dict[str, Matrix] = {"f": np.full(H, wanted if wanted != "chrono" else 0.0)}
    if wanted == "chrono":
        # U(1, T−1); a sequence of two steps or fewer has no lag to remember, and ln 1 = 0 then
        values["f"] = np.log(generator(seed, "initialise chrono").uniform(1, max(length - 1, 1), H))
        values["i"] = -values["f"]
    for gate, value in values.items():
        if gate not in cell.gates:  # a cell that forgets and has no input gate
            continue
        rows = slice(cell.gates.index(gate) * H, (cell.gates.index(gate) + 1) * H)
        parameters["b_x"][rows] = value
        if "b_h" in parameters:
            parameters["b_h"][rows] = 0.0
