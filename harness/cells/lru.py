"""The linear recurrent unit, complex and diagonal (Orvieto, Smith, Gu, Fernando, Gulcehre, Pascanu & De 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import model_validator

from harness.cells.cell import Draw, PaperCell, State
from harness.cells.initialisation import Weights
from harness.study.section import setting, wrong

if TYPE_CHECKING:
    from torch import Tensor


class LRU(PaperCell):
    """x_t = λ ⊙ x_{t−1} + e^γ ⊙ (U x_t + b), λ = exp(−e^ν + i e^θ); h = (Re x, Im x).

    "Resurrecting recurrent neural networks for long sequences", eq. 6 and section 3. The N = ⌊H/2⌋ complex units are
    kept as H real numbers, so that a linear readout of h is Re(C x) with a complex C; the unit left over at an odd H
    is real. `init: paper` draws λ uniformly on a ring of the complex plane, e^γ = √(1 − |λ|²), and the real and
    imaginary parts of the input matrix from N(0, 1/2D); b, which the paper has not, starts at 0.
    """

    gates = ("h",)
    recurrent_weights = ("nu", "theta")

    cell: Literal["lru"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    r_min: float = setting(0.0, "least |λ| before training", replica=True, ge=0, lt=1)
    r_max: float = setting(1.0, "largest |λ| before training", replica=True, gt=0, le=1)
    max_phase: float = setting(2 * pi, "largest phase of λ before training", unit="rad", replica=True, gt=0, le=2 * pi)

    @model_validator(mode="after")
    def _ring(self) -> LRU:
        if self.r_min >= self.r_max:
            raise wrong("r_min", f"is {self.r_min}, and must be less than r_max, which is {self.r_max}")
        return self

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        units = H - H // 2
        return super().shapes(H, D) | {"nu": (units,), "theta": (H // 2,), "gamma": (units,)}

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, D = self.hidden_size, input_size
        shapes = self.shapes(H, D)
        squared = draw("nu").uniform(self.r_min**2, self.r_max**2, shapes["nu"])  # |λ|²: uniform in area
        return {
            "nu": np.log(-0.5 * np.log(squared)),
            "theta": np.log(self.max_phase * draw("theta").uniform(size=shapes["theta"])),
            "gamma": 0.5 * np.log1p(-squared),
            "U": draw("U").normal(0, 1 / sqrt(2 * D), shapes["U"]),
            "b_x": np.zeros(H),
        }

    def parametrize(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Re λ and ∓Im λ as they act on (Re x, Im x), and e^γ, each (R, H)."""
        if "lambda_re" in parameters:
            return parameters
        N = self.hidden_size // 2
        re, im = self.eigenvalues(parameters)
        gain = parameters["gamma"].exp()
        return {**parameters, "lambda_re": re, "lambda_im": im, "gain": joined(gain[:, :N], gain)}

    def eigenvalues(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Re λ as it acts on (Re x, Im x) in place, and ∓Im λ as it acts on them swapped, (R, H) each."""
        N = self.hidden_size // 2
        modulus, angle = (-parameters["nu"].exp()).exp(), parameters["theta"].exp()
        re, im, real = modulus[:, :N] * angle.cos(), modulus[:, :N] * angle.sin(), modulus[:, N:]
        return joined(re, re, real), joined(-im, im, real.new_zeros(real.shape))

    def recurrent_matrices(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        re, im = self.eigenvalues(parameters)
        return (re.diag_embed() + self.swapped(im.diag_embed()),)

    def swapped(self, h: Tensor) -> Tensor:
        """(Re x, Im x) → (Im x, Re x), along the last axis."""
        N = self.hidden_size // 2
        return joined(h[..., N : 2 * N], h[..., :N], h[..., 2 * N :])

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        known = self.parametrize(parameters)
        re, im, gain = (known[name].unsqueeze(1) for name in ("lambda_re", "lambda_im", "gain"))  # (R, 1, H)
        return {"h": re * state[0] + im * self.swapped(state[0]) + gain * z}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["h"],)


def joined(*parts: Tensor) -> Tensor:
    """Parts one after another along the last axis."""
    import torch

    return torch.cat(parts, dim=-1)
