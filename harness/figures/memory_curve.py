"""A curve of theory over a phase diagram: the mean field's memory of a tanh RNN, in steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.study import labels
from harness.study.spec import Section
from harness.theory.mean_field import fixed_point, time_scale

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes

POINTS = 200


class MemoryCurve(Section):
    """T = multiple · ξ(ρ²): how long a wide tanh RNN remembers an input before training (`theory:`)."""

    multiple: float = Field(gt=0, description="T is so many times ξ")
    input_variance: float = Field(ge=0, description="variance of U x_t + b")
    input_correlation: float = Field(ge=0, le=1, description="its correlation between two sequences")

    def steps(self, radii: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """multiple · ξ at each spectral radius, with σ_w² = ρ²: a wide Gaussian block's, by the circular law."""
        import numpy as np

        points = [fixed_point(float(ρ) ** 2, self.input_variance, self.input_correlation) for ρ in radii]
        return self.multiple * np.array([time_scale(point.chi) for point in points])

    def draw(self, ax: Axes, across: list[Any], up: list[Any]) -> None:
        """Dashed, over cells at equal distances: positions between two values are interpolated, upwards in log T."""
        import numpy as np

        from harness.figures import style

        radii = np.linspace(float(across[0]), float(across[-1]), POINTS)
        lengths = np.log(np.asarray(up, float))
        heights = np.interp(np.log(self.steps(radii)), lengths, np.arange(len(up)) + 0.5, left=np.nan, right=np.nan)
        at = np.interp(radii, np.asarray(across, float), np.arange(len(across)) + 0.5)
        ax.plot(at, heights, color=style.INK, linestyle="--", linewidth=style.scaled(1.2), zorder=5)

    def caption(self) -> str:
        return (
            f" Dashed: {self.multiple:g} ξ, with ξ = −1/ln χ the steps over which a wide tanh RNN's memory falls by e "
            f"before training (mean field, {labels.axis('spectral_radius')} as σ_w)."
        )
