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


ACTING = ("lambda_re", "lambda_im", "gain")  # what a step uses of `parametrize`, each (R, H)


class LRU(PaperCell):
    """x_t = λ ⊙ x_{t−1} + e^γ ⊙ (U x_t + b), λ = exp(−e^ν + i e^θ); h = (Re x, Im x).

    "Resurrecting recurrent neural networks for long sequences", eq. 6 and section 3. The N = ⌊H/2⌋ complex units are
    kept as H real numbers, so that a linear readout of h is Re(C x) with a complex C; the unit left over at an odd H
    is real. `init: paper` draws λ uniformly on a ring of the complex plane, e^γ = √(1 − |λ|²), and the real and
    imaginary parts of the input matrix from N(0, 1/2D); b, which the paper has not, starts at 0.

    The paper's λ are complex. With `eigenvalues: positive` all H units are real, λ = exp(−e^ν) in (0, 1); with `signed`
    λ = 2 exp(−e^ν) − 1 in (−1, 1), which is how Grazzi et al. 2025, eq. 2, let the eigenvalues of diagonal linear
    recurrences be negative. Both are ours for an LRU: |λ| starts as in the paper, its sign at random, U from N(0, 1/D).
    """

    gates = ("h",)
    recurrent_weights = ("nu", "theta")
    diagonal = True

    cell: Literal["lru"] = setting(..., "which cell")
    init: Literal["paper"] = setting("paper", "as in the paper", replica=True)
    eigenvalues: Literal["complex", "positive", "signed"] = setting(
        "complex",
        "λ: complex, as in the paper; real, positive in (0, 1) or signed in (−1, 1)",
        order=("positive", "signed", "complex"),
    )
    gamma: bool = setting(True, "whether the input is normalised by e^γ; without it, γ = 0 and is not trained")
    r_min: float = setting(0.0, "least |λ| before training", replica=True, ge=0, lt=1)
    r_max: float = setting(1.0, "largest |λ| before training", replica=True, gt=0, le=1)
    max_phase: float = setting(2 * pi, "largest phase of λ before training", unit="rad", replica=True, gt=0, le=2 * pi)

    @model_validator(mode="after")
    def _ring(self) -> LRU:
        if self.r_min >= self.r_max:
            raise wrong("r_min", f"is {self.r_min}, and must be less than r_max, which is {self.r_max}")
        if self.eigenvalues != "complex" and self.max_phase != type(self).model_fields["max_phase"].default:
            raise wrong("max_phase", f"has no meaning with eigenvalues: {self.eigenvalues}, which are real")
        return self

    @property
    def pairs(self) -> int:
        """N, how many of the units are complex, two numbers of h each."""
        return self.hidden_size // 2 if self.eigenvalues == "complex" else 0

    def shapes(self, H: int, D: int) -> dict[str, tuple[int, ...]]:
        pairs = H // 2 if self.eigenvalues == "complex" else 0
        shapes = super().shapes(H, D) | {"nu": (H - pairs,), "theta": (pairs,)}
        return shapes | ({"gamma": (H - pairs,)} if self.gamma else {})

    def paper(self, draw: Draw, *, input_size: int, length: int) -> Weights:
        H, D = self.hidden_size, input_size
        shapes = self.shapes(H, D)
        squared = draw("nu").uniform(self.r_min**2, self.r_max**2, shapes["nu"])  # |λ|²: uniform in area
        nu = np.log(-0.5 * np.log(squared))
        if self.eigenvalues == "signed":
            modulus = np.sqrt(squared) * draw("sign").choice([-1, 1], shapes["nu"])
            nu = np.log(-np.log1p((modulus - 1) / 2))  # exp(−e^ν) = (1 + λ)/2
        return {
            "nu": nu,
            "theta": np.log(self.max_phase * draw("theta").uniform(size=shapes["theta"])),
            **({"gamma": 0.5 * np.log1p(-squared)} if self.gamma else {}),
            "U": draw("U").normal(0, 1 / sqrt(2 * D if self.eigenvalues == "complex" else D), shapes["U"]),
            "b_x": np.zeros(H),
        }

    def parametrize(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Re λ and ∓Im λ as they act on (Re x, Im x), and e^γ, each (R, H); of real λ there is no second."""
        if "lambda_re" in parameters:
            return parameters
        N = self.pairs
        re, im = self.parts(parameters)
        known = {**parameters, "lambda_re": re} | ({"lambda_im": im} if self.eigenvalues == "complex" else {})
        if not self.gamma:
            return known
        gain = parameters["gamma"].exp()
        return {**known, "gain": joined(gain[:, :N], gain)}

    @property
    def partners(self) -> tuple[int, ...]:
        N = self.pairs
        return (*range(N, 2 * N), *range(N), *range(2 * N, self.hidden_size))

    def parts(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Re λ as it acts on (Re x, Im x) in place, and ∓Im λ as it acts on them swapped, (R, H) each."""
        N = self.pairs
        modulus, angle = (-parameters["nu"].exp()).exp(), parameters["theta"].exp()
        if self.eigenvalues == "signed":
            modulus = 2 * modulus - 1
        re, im, real = modulus[:, :N] * angle.cos(), modulus[:, :N] * angle.sin(), modulus[:, N:]
        return joined(re, re, real), joined(-im, im, real.new_zeros(real.shape))

    def recurrent_matrices(self, parameters: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        re, im = self.parts(parameters)
        return (re.diag_embed() + self.swapped(im.diag_embed()),)

    def swapped(self, h: Tensor) -> Tensor:
        """(Re x, Im x) → (Im x, Re x), along the last axis."""
        N = self.pairs
        return joined(h[..., N : 2 * N], h[..., :N], h[..., 2 * N :])

    def activations(self, parameters: Mapping[str, Tensor], state: State, z: Tensor) -> dict[str, Tensor]:
        known = {name: value.unsqueeze(1) for name, value in self.parametrize(parameters).items() if name in ACTING}
        h = known["lambda_re"] * state[0]
        if "lambda_im" in known:
            h = h + known["lambda_im"] * self.swapped(state[0])
        return {"h": h + (known["gain"] * z if self.gamma else z)}

    def combine(self, state: State, a: Mapping[str, Tensor]) -> State:
        return (a["h"],)


def joined(*parts: Tensor) -> Tensor:
    """Parts one after another along the last axis."""
    import torch

    return torch.cat(parts, dim=-1)
