"""How the gradient shrinks on its way back: log10 ‖∂L/∂h_t‖ against the lag, with the linear theory's slope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.figures import panels
from harness.figures.kind import SEED, FigureKind
from harness.study import labels
from harness.study.spec import StudySpec
from harness.theory.linear import GAMMA, log10_rate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames
    from harness.statistics.intervals import Band

Path = Literal["hidden", "cell", "both"]
COLUMN: Mapping[str, str] = {"hidden": "log10_adjoint", "cell": "log10_adjoint_cell"}
SYMBOL: Mapping[str, str] = {"hidden": "∂L/∂h_t", "cell": "∂L/∂c_t"}
DASHES: Mapping[str, Any] = {"hidden": "-", "cell": (0, (1, 1))}
RUG = 0.028  # height of one row of the rug, as a share of the axes


class Decay(FigureKind):
    """Size of the gradient against the lag at one recorded update."""

    kind: Literal["decay"]
    hue: str | None = Field("spectral_radius", description="setting that colours the lines; null: one colour")
    col: str | None = Field("cell", description="setting with a panel for each value, side by side")
    row: str | None = Field(None, description="setting with a panel for each value, one below another")
    update: Literal["first", "last"] | int = Field(
        "first", description="which record of each run: first (at initialisation), last, or that of one recorded update"
    )
    path: Path = Field("hidden", description="gradient of the hidden state, of the cell state (gated cells), or both")
    theory: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("rnn",), description="cells in whose panels the linear theory ρ^lag is drawn, at initialisation; [] for none"
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return decay(
            frames.select(self.where).gradients,
            hue=self.hue, col=self.col, row=self.row, update=self.update, path=self.path, theory=self.theory,
        )  # fmt: skip

    def caption(self, study: StudySpec) -> str:
        when = {"first": "at initialisation", "last": "at each run's last record"}.get(str(self.update))
        what = " and ".join(f"‖{SYMBOL[p]}‖" for p in _paths(self.path))
        theory = (
            "Dashed: the linear recurrence's slope ρ^lag ((ρ/4)^lag with sigmoids) from the value at lag 0. "
            if self.theory and self.update == "first"
            else ""
        )
        return (
            f"Batch mean of {what} against the lag T − t, {when or f'at update {self.update}'}. Lines are means of "
            f"the logarithm over seeds, bands their bootstrap 95 % intervals. {theory}An exact zero has no logarithm: "
            f"it is left out of the mean and marked by a tick below the lines.{self.about(study)}"
        )


@dataclass(frozen=True)
class Line:
    """What is drawn for one group of runs: the mean and band of log10 by lag, and where exact zeros are."""

    lag: npt.NDArray[np.int64]
    band: Band
    zeros: npt.NDArray[np.int64]


def at_update(gradients: pd.DataFrame, update: str | int) -> pd.DataFrame:
    """One record of each run: its first, its last, or that of one update."""
    if isinstance(update, int):
        return gradients[gradients["update"] == update]
    ordered = gradients.sort_values("update", kind="stable").groupby("run_id", sort=False)
    return ordered.head(1) if update == "first" else ordered.tail(1)


def line(gradients: pd.DataFrame, column: str) -> Line | None:
    """Mean over seeds of a list column by lag; None if nothing in it was measured.

    Runs of one seed are averaged first: the seed is the unit. −inf (an exact zero) is not averaged but reported as a
    lag in `zeros`, if any run has it there.
    """
    import numpy as np

    from harness.statistics.frames import by_lag
    from harness.statistics.intervals import mean_band

    there = gradients[gradients[column].notna()]
    matrix = by_lag(list(there[column]))
    if not matrix.size:
        return None
    finite = np.where(np.isfinite(matrix), matrix, np.nan)
    rows = [finite[(there["seed"] == seed).to_numpy()] for seed in sorted(there["seed"].unique())]
    by_seed = np.stack([_mean(part) for part in rows])
    zeros = np.flatnonzero((matrix == -np.inf).any(axis=0))
    return Line(np.arange(matrix.shape[1]), mean_band(by_seed, np.random.default_rng(SEED)), zeros)


def decay(
    gradients: pd.DataFrame,
    *,
    hue: str | None = "spectral_radius",
    col: str | None = "cell",
    row: str | None = None,
    update: Literal["first", "last"] | int = "first",
    path: Path = "hidden",
    theory: tuple[str, ...] = ("rnn",),
) -> Figure:
    """Draw log10 of the adjoint against the lag, one line for each hue, with the linear theory's slope.

    Args:
        gradients: rows of `Frames.gradients`.
        hue, col, row: columns.
        update: which record of each run.
        path: gradient of the hidden state, of the cell state, or both (dotted: the cell state).
        theory: cells in whose panels ρ^lag is drawn (a gated cell's blocks are no linear recurrence); only at
        initialisation.

    Raises:
        HarnessError: if nothing was recorded for this choice, or a column is not there.
    """
    from harness.figures import style

    record = at_update(gradients, update)
    paths = _paths(path)
    known = record[record[[COLUMN[p] for p in paths]].notna().any(axis=1)]
    panels.demand(known, f"gradient of the {' or the '.join(paths)} state was recorded at {_when(update)}")
    hues = panels.levels(known, hue)
    tints = style.colours(hue, hues)
    seen: set[str] = set()
    with style.context():
        figure, made = panels.panels(known, row, col)
        rugs: list[tuple[Axes, int, npt.NDArray[np.int64], str]] = []
        for panel in made:
            for i, (level, tint) in enumerate(zip(hues, tints, strict=True)):
                group = panels.part(panel.frame, hue, level)
                for p in paths:
                    drawn = None if group.empty else line(group, COLUMN[p])
                    if drawn is None:
                        continue
                    _line(panel.ax, drawn, tint, DASHES[p])
                    rugs.append((panel.ax, i, drawn.zeros, tint))
                    if p == "hidden" and update == "first":
                        for rho in _radii(group, theory):
                            seen |= _slope(panel.ax, drawn, rho, tint)
            _axes(panel, paths)
        seen |= _rugs(rugs, [panel.ax for panel in made], len(hues))
        handles = list(_handles(hue, list(zip(hues, tints, strict=True)), paths, seen))
        panels.legend(figure, handles, title=None if hue in (None, "cell") else labels.axis(str(hue)))
    return figure


def _paths(path: Path) -> list[str]:
    return ["hidden", "cell"] if path == "both" else [path]


def _mean(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    import numpy as np

    counts = np.isfinite(rows).sum(axis=0)
    mean: npt.NDArray[np.float64] = np.full(rows.shape[1], np.nan)
    np.divide(np.nansum(rows, axis=0), counts, out=mean, where=counts > 0)
    return mean


def _when(update: str | int) -> str:
    return f"update {update}" if isinstance(update, int) else f"the {update} update"


def _radii(group: pd.DataFrame, theory: tuple[str, ...]) -> list[float]:
    """ρ of a group in which theory speaks: the setting, or what was measured before training where it is null.

    Times φ′(0), which is γ for each φ: ¼ of a sigmoid network.
    """
    if "cell" in group.columns:
        group = group[group["cell"].isin(theory)]
    slopes = set(group["nonlinearity"].dropna()) & set(GAMMA) if "nonlinearity" in group.columns else set()
    slope = GAMMA[slopes.pop()] if len(slopes) == 1 else 1.0
    measured = group["initial_spectral_radius"]
    asked = group["spectral_radius"].astype("float64") if "spectral_radius" in group.columns else measured
    if asked.isna().all():
        mean = float(measured.mean())
        return [slope * mean] if mean == mean else []
    return sorted(slope * asked.dropna().unique())


def _line(ax: Axes, drawn: Line, tint: str, dashes: Any) -> None:
    above = 3 + 1 / len(drawn.lag)  # of two that coincide the shorter is on top
    ax.plot(drawn.lag, drawn.band.mean, color=tint, linestyle=dashes, zorder=above)
    ax.fill_between(drawn.lag, drawn.band.low, drawn.band.high, color=tint, alpha=0.22, linewidth=0, zorder=2)


def _slope(ax: Axes, drawn: Line, rho: float, tint: str) -> set[str]:
    import numpy as np

    from harness.figures import style

    anchor = drawn.band.mean[0]
    if rho <= 0 or not np.isfinite(anchor):
        return set()
    lag = drawn.lag[: int(np.flatnonzero(np.isfinite(drawn.band.mean))[-1]) + 1]  # theory knows no truncation
    ax.plot(
        lag,
        anchor + lag * log10_rate(rho),
        color=tint,
        linestyle=(0, (4, 2)),
        linewidth=style.scaled(0.7),
        zorder=4 + 1 / len(drawn.lag),
    )
    return {"theory"}


def _rugs(rugs: list[tuple[Axes, int, npt.NDArray[np.int64], str]], axes: list[Axes], rows: int) -> set[str]:
    """Exact zeros as ticks in a strip below the data, one row of the strip for each hue."""
    import numpy as np

    from harness.figures import style

    if not any(len(zeros) for _, _, zeros, _ in rugs):
        return set()
    strip = RUG * (rows + 1)
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low - (high - low) * strip / (1 - strip), high)  # the panels share it
    for ax, i, zeros, tint in rugs:
        foot = np.full(len(zeros), RUG * (rows - i - 0.5))
        ax.vlines(
            zeros, foot, foot + 0.8 * RUG, colors=tint, linewidth=style.scaled(0.7), transform=ax.get_xaxis_transform()
        )
    return {"zero"}


def _axes(panel: panels.Panel, paths: list[str]) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    style.powers_of_ten(panel.ax.yaxis)
    style.whole_numbers(panel.ax.xaxis)
    panel.ax.margins(x=0.02)
    if panel.bottom:
        panel.ax.set_xlabel(labels.axis("lag"))
    if panel.left:
        symbols = [r"\partial L/\partial h_t" if p == "hidden" else r"\partial L/\partial c_t" for p in paths]
        panel.ax.set_ylabel("batch mean of " + ", ".join(rf"$\|{symbol}\|$" for symbol in symbols))


def _handles(hue: str | None, named: list[tuple[Any, str]], paths: list[str], seen: set[str]) -> Iterator[Any]:
    from matplotlib.lines import Line2D

    from harness.figures import style

    if hue is not None:
        for level, tint in named:
            yield Line2D([], [], color=tint, label=labels.value(hue, level))
    if len(paths) > 1:
        yield Line2D([], [], color=style.INK, label="hidden state h")
        yield Line2D([], [], color=style.INK, linestyle=DASHES["cell"], label="cell state c")
    if "theory" in seen:
        yield Line2D(
            [],
            [],
            color=style.INK,
            linestyle=(0, (4, 2)),
            linewidth=style.scaled(0.7),
            label="linear theory $\\rho^{\\mathrm{lag}}$",
        )
    if "zero" in seen:
        yield Line2D([], [], color=style.INK, marker="|", linestyle="none", label="exact zero")
