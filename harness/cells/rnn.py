"""The simple recurrent network (Elman 1990, "Finding structure in time"), as torch.nn.RNN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import model_validator

from harness.cells import lecture
from harness.cells.cell import Cell, State, recurrent, sigmoid
from harness.cells.initialisation import Matrix, Weights, spectral_radius
from harness.rng import generator
from harness.study.section import setting, wrong

if TYPE_CHECKING:
    from torch import Tensor

FAN_IN = 15  # weights into each unit of a sparse block (Pascanu, Mikolov & Bengio 2013, "smart tanh")
DEVIATION_INITS = ("normal", "sparse")


class RNN(Cell):
    """h_t = φ(W h_{t−1} + U x_t + b_x + b_h), φ = tanh, relu or the logistic sigmoid."""

    gates = ("h",)
    normalises = True
    radius_inits = (*Cell.radius_inits, "sparse")

    cell: Literal["rnn"] = setting(..., "which cell")
    nonlinearity: Literal["tanh", "relu", "sigmoid"] = setting("tanh", "φ")
    init: Literal["torch", "gaussian", "orthogonal", "identity", "lecture", "normal", "sparse"] = setting(  # type: ignore[assignment]
        "torch",
        "recurrent weights before training: torch's default, or a block of that kind and radius; lecture: torch's "
        "default drawn from torch's own stream in the order of the lecture's notebook; normal: W, U and the readout "
        "N(0, deviation²), biases 0; sparse: the same, but W has 15 Gaussian weights into each unit and the given "
        "radius",
        replica=True,
    )
    deviation: float | None = setting(
        None, "standard deviation of the weights drawn with init: normal or sparse", replica=True, gt=0
    )

    @property
    def activation(self) -> str:
        return self.nonlinearity

    @property
    def draws_readout(self) -> bool:
        return self.init == "lecture" or self.deviation is not None

    @model_validator(mode="before")
    @classmethod
    def _deviation(cls, data: object, info: object) -> object:
        """Two ways to start have a deviation, and need it."""
        if not isinstance(data, dict):
            return data
        init, given = data.get("init", "torch"), data.get("deviation")
        if init in DEVIATION_INITS:
            if given is None:
                raise wrong("deviation", f"must be given with init: {init}")
            return data
        if given is not None and "deviation" in (getattr(info, "context", None) or {}).get("swept", ()):
            raise wrong("deviation", f"has no meaning with init: {init}, so it cannot be swept there")
        return {**data, "deviation": None}

    @model_validator(mode="after")
    def _lecture(self) -> RNN:
        lecture.check(self.init, self.biases)
        return self

    def start(self, seed: int, *, input_size: int, output_size: int, length: int) -> Weights:
        """As every cell, but for `lecture`, `normal` and `sparse`, which draw the readout too."""
        if self.init == "lecture":
            return lecture.weights(self, seed, input_size=input_size, output_size=output_size)
        if self.deviation is None:
            return super().start(seed, input_size=input_size, output_size=output_size, length=length)
        H = self.hidden_size
        shapes = {**self.shapes(H, input_size), "V": (output_size, H), "b_y": (output_size,)}
        weights: Weights = {name: normal(seed, name, self.deviation, shape) for name, shape in shapes.items()}
        if self.init == "sparse":
            W = sparse_block(H, generator(seed, f"initialise W {self.init}"))
            weights["W"] = W * (1.0 if self.spectral_radius is None else self.spectral_radius)
        return weights

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        a = z + recurrent(parameters, state[0])
        if self.nonlinearity == "sigmoid":
            return {"h": sigmoid(a)}
        return {"h": a.tanh() if self.nonlinearity == "tanh" else a.relu()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["h"],)


def normal(seed: int, name: str, deviation: float, shape: tuple[int, ...]) -> Matrix:
    """A matrix of N(0, deviation²); a vector, which is a bias, of zeros."""
    if len(shape) == 1:
        return np.zeros(shape)
    return generator(seed, f"initialise {name} normal").normal(0, deviation, shape)


def sparse_block(H: int, stream: np.random.Generator) -> Matrix:
    """An (H, H) matrix of spectral radius 1 with `FAN_IN` Gaussian weights into each unit; all where H is smaller.

    Their places are drawn without replacement (Jaeger & Haas 2004; Martens & Sutskever 2011).
    """
    gaussian = stream.standard_normal((H, H))
    sparse = gaussian * (np.argsort(stream.random((H, H)), axis=1) < FAN_IN)
    return np.asarray(sparse / spectral_radius(sparse))
