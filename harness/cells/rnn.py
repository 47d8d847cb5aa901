"""The simple recurrent network (Elman 1990, "TheoryCheck structure in time"), as torch.nn.RNN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from harness.cells.cell import Cell, State, recurrent, sigmoid
from harness.study.spec import setting, wrong

if TYPE_CHECKING:
    from torch import Tensor

OF_A_DEVIATION = ("normal", "sparse")


class RNN(Cell):
    """h_t = φ(W h_{t−1} + U x_t + b_x + b_h), φ = tanh, relu or the logistic sigmoid."""

    gates = ("h",)
    fused = True

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

    @model_validator(mode="before")
    @classmethod
    def _deviation(cls, data: object, info: object) -> object:
        """Two ways to start have a deviation, and need it."""
        if not isinstance(data, dict):
            return data
        init, given = data.get("init", "torch"), data.get("deviation")
        if init in OF_A_DEVIATION:
            if given is None:
                raise wrong("deviation", f"must be given with init: {init}")
            return data
        if given is not None and "deviation" in (getattr(info, "context", None) or {}).get("swept", ()):
            raise wrong("deviation", f"has no meaning with init: {init}, so it cannot be swept there")
        return {**data, "deviation": None}

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        a = z + recurrent(parameters, state[0])
        if self.nonlinearity == "sigmoid":
            return {"h": sigmoid(a)}
        return {"h": a.tanh() if self.nonlinearity == "tanh" else a.relu()}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["h"],)
