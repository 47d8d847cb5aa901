"""Mean-field theory over a phase diagram: the number of steps over which an untrained tanh RNN remembers an input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.study import labels
from harness.study.spec import Section
from harness.theory.mean_field import fixed_point, time_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harness.schema import Values

POINTS = 200


class MemoryCurve(Section):
    """T = multiple · ξ(ρ²): how long a wide tanh RNN remembers an input before training (`theory:`)."""

    multiple: float = Field(gt=0, description="T is so many times ξ")
    input_variance: float = Field(ge=0, description="variance of U x_t + b")
    input_correlation: float = Field(ge=0, le=1, description="its correlation between two sequences")

    def steps(self, radii: Values) -> Values:
        """multiple · ξ at each spectral radius, with σ_w² = ρ²: a wide Gaussian block's, by the circular law."""
        import numpy as np

        points = [fixed_point(float(ρ) ** 2, self.input_variance, self.input_correlation) for ρ in radii]
        return self.multiple * np.array([time_scale(point.chi) for point in points])

    def draw(self, ax: Axes, radii: list[Any], lengths: list[Any]) -> None:
        """Draw the curve dashed over cells at equal distances: positions between two values are interpolated.

        Args:
            ax: the diagram, with cell i from i to i + 1 on both axes.
            radii: spectral radii of the columns; between them the position is linear in ρ.
            lengths: sequence lengths of the rows; between them the position is linear in log T.
        """
        import numpy as np

        from harness.figures import style

        grid = np.linspace(float(radii[0]), float(radii[-1]), POINTS)
        rows, columns = np.arange(len(lengths)) + 0.5, np.arange(len(radii)) + 0.5
        log_lengths = np.log(np.asarray(lengths, float))
        y = np.interp(np.log(self.steps(grid)), log_lengths, rows, left=np.nan, right=np.nan)
        x = np.interp(grid, np.asarray(radii, float), columns)
        ax.plot(x, y, color=style.ink(), linestyle="--", linewidth=style.scaled(1.2), zorder=5)

    def caption(self) -> str:
        return (
            f" Dashed: {self.multiple:g} ξ, with ξ = −1/ln χ the steps over which a wide tanh RNN's memory falls by e "
            f"before training (mean field, {labels.axis('spectral_radius')} as σ_w)."
        )
