"""Decay of the gradient on its way back: log10 ‖∂L/∂h_t‖ against the lag, with the linear theory's slope.

The vertical axis has the range of what was measured: a line of theory that leaves it ends in an arrow at its edge, so
that ρ^100 of the smallest ρ does not press all measured lines into a tenth of the height.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from harness.figures import adjoint, line_ends, minimal_decay, panels, texts
from harness.figures.kind import COL, HUE, ROW, SEED, FigureKind
from harness.figures.layered import LAYERS, LINEAR, about_directions, about_layers, linear, one_layer
from harness.figures.line_ends import LineEnd
from harness.figures.selection import RecordedUpdate, at_update
from harness.figures.steps import about_lengths, by_lag, levels
from harness.study.matching import Value, canonical, matches
from harness.study.pooling import of_settings
from harness.study.spec import StudySpec
from harness.theory.linear import GAMMA, log10_rate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.schema import Values
    from harness.statistics.frames import Frames
    from harness.statistics.intervals import Band

PathChoice = Literal["hidden", "cell", "both"]
LINE_STYLE: dict[str, Any] = {"hidden": "-", "cell": (0, (1, 1))}
RUG = 0.028  # height of one row of the rug, as a share of the axes


class Decay(FigureKind):
    """Size of the gradient against the lag at one recorded update."""

    tells_apart = LAYERS
    kind: Literal["decay"]
    hue: str | None = Field("spectral_radius", description=HUE)
    col: str | None = Field("cell", description=COL)
    row: str | None = Field(None, description=ROW)
    update: RecordedUpdate = Field(
        "first", description="which record of each run: first (at initialisation), last, or that of one recorded update"
    )
    path: PathChoice = Field(
        "hidden", description="gradient of the hidden state, of the cell state (gated cells), or both"
    )
    statistic: adjoint.Statistic = Field("mean", description=adjoint.STATISTIC)
    theory: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("rnn",),
        description="cells in whose panels the linear theory ρ^lag is drawn, at initialisation, of mingru and minlstm "
        "the closed form of their start; [] for none; never of a stack, a normalised recurrence or with zoneout",
    )

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return decay(
            one_layer(frames.select(self.where).gradients, self.hue, self.col, self.row),
            hue=self.hue, col=self.col, row=self.row, update=self.update, path=self.path, statistic=self.statistic,
            theory=self.theory,
        )  # fmt: skip

    def caption(self, study: StudySpec) -> str:
        when = {"first": "at initialisation", "last": "at each run's last record"}.get(str(self.update))
        norms = " and ".join(f"‖{adjoint.SYMBOL[path]}‖" for path in _paths(self.path))
        shown, lead = (self.hue, self.col, self.row), adjoint.OVER_BATCH[self.statistic]
        word = "median" if self.statistic == "median" else "mean"
        lengths = f"Sequences differ in length: at a lag that only some of a batch reach the {word} is over those."
        single = " (of a single run, the quartiles of its sequences)" if self.statistic == "median" else ""
        return (
            f"{lead.capitalize()} of {norms} against the lag T − t, {when or f'at update {self.update}'}. Lines are "
            f"means of the logarithm over seeds, bands their bootstrap 95 % intervals{single}."
            f"{self._theory(study)} An exact zero has "
            f"no logarithm: it is left out of the mean and marked by a tick below the lines."
            f"{about_layers(study, self.where, *shown)}{about_directions(study, self.where, *shown)}"
            f"{about_lengths(study, self.where, lengths)}{self.about(study)}"
        )

    def _theory(self, study: StudySpec) -> str:
        """The sentence about the dashed lines; empty where none is drawn of any point of the grid."""
        rows = [row for point in study.points if matches(row := point.columns(), of_settings(self.where))]
        lines: dict[tuple[Value, ...], list[Mapping[str, Any]]] = {}
        for row in rows:
            if self.update == "first" and self.path != "cell" and row.get("cell") in self.theory:
                lines.setdefault(tuple(canonical(row.get(name)) for name in self.columns()), []).append(row)
        single = [row for line in lines.values() if linear(line) for row in line]
        closed = sorted({str(row["cell"]) for row in single} & {"mingru", "minlstm"})
        single = [row for row in single if row["cell"] not in closed]
        start = f" Dashed, for {' and '.join(closed)}: the closed form of its start." if closed else ""
        slopes = {GAMMA.get(str(row.get("nonlinearity")), 1.0) for row in single}
        powers = {1.0: "ρ^lag", 0.25: "(ρ/4)^lag with sigmoids"}
        if not slopes:
            return start
        drawn = " or ".join(powers[slope] for slope in sorted(slopes, reverse=True))
        others = [cell for cell in self.theory if cell not in closed]
        some = " of one layer, not normalised, without zoneout" if len(single) < sum(map(len, lines.values())) else ""
        return start + (
            f" Dashed: the linear recurrence's slope {drawn} from the value at lag 0, for {' and '.join(others)}"
            f"{some}; an arrow at the edge says where it goes on beyond what was measured."
        )


@dataclass(frozen=True)
class Line:
    """The line of one group of runs: mean and band of log10 by lag, and the lags at which there is an exact zero."""

    lag: npt.NDArray[np.int64]
    band: Band
    zeros: npt.NDArray[np.int64]

    @property
    def finite(self) -> npt.NDArray[np.int64]:
        """The lags at which there is a mean."""
        import numpy as np

        return np.flatnonzero(np.isfinite(self.band.mean))


@dataclass(frozen=True)
class TheoryLine:
    """A line of theory to draw once the range of the data is known: the panel, the lags, the values, the colour."""

    ax: Axes
    lags: npt.NDArray[np.int64]
    values: Values
    colour: str
    name: str = "linear theory $\\rho^{\\mathrm{lag}}$"


@dataclass(frozen=True)
class RugRow:
    """Exact zeros to mark below a line: the panel, the row of the rug (one a hue), the lags and the colour."""

    ax: Axes
    row: int
    lags: npt.NDArray[np.int64]
    colour: str


def line(gradients: pd.DataFrame, column: str) -> Line | None:
    """Mean over seeds of a list column by lag; None if nothing in it was measured.

    Runs of one seed are averaged first: the seed is the unit. −inf (an exact zero) is not averaged but reported as a
    lag in `zeros`, if any run has it there. The band of a single run's median is from its lower to its upper quartile.
    """
    import numpy as np

    from harness.statistics.intervals import Band, mean_band, seed_means

    measured = gradients[gradients[column].notna()]
    matrix = by_lag(levels(measured, column))
    if not matrix.size:
        return None
    band = mean_band(seed_means(matrix, measured["seed"]), np.random.default_rng(SEED))
    if len(measured) == 1 and column.endswith(adjoint.MEDIAN):
        ends = [
            by_lag(levels(measured, column.replace(adjoint.MEDIAN, end)))[0] for end in (adjoint.LOWER, adjoint.UPPER)
        ]
        band = Band(band.mean, *(np.where(np.isfinite(end), end, np.nan) for end in ends))
    zeros = np.flatnonzero((matrix == -np.inf).any(axis=0))
    return Line(np.arange(matrix.shape[1]), band, zeros)


def decay(
    gradients: pd.DataFrame,
    *,
    hue: str | None = "spectral_radius",
    col: str | None = "cell",
    row: str | None = None,
    update: RecordedUpdate = "first",
    path: PathChoice = "hidden",
    statistic: adjoint.Statistic = "mean",
    theory: tuple[str, ...] = ("rnn",),
) -> Figure:
    """Draw log10 of the adjoint against the lag, one line for each hue, with the linear theory's slope.

    Args:
        gradients: rows of `Frames.gradients`.
        hue, col, row: columns.
        update: which record of each run.
        path: gradient of the hidden state, of the cell state, or both (dotted: the cell state).
        statistic: of the norms over the batch.
        theory: cells in whose panels ρ^lag is drawn (a gated cell's blocks are no linear recurrence); only at
            initialisation.

    Raises:
        HarnessError: nothing was recorded for this choice, or a column does not exist.
    """
    from harness.figures import style

    record = at_update(gradients, update)
    paths = _paths(path)
    adjoint.demand_statistic(record, paths, statistic)
    known = record[record[[adjoint.column_of(p, statistic) for p in paths]].notna().any(axis=1)]
    panels.demand(known, f"gradient of the {' or the '.join(paths)} state was recorded at {_when(update)}")
    hues = panels.levels(known, hue)
    colours = style.colours(hue, hues)
    rug: list[RugRow] = []
    theories: list[TheoryLine] = []
    ends: list[LineEnd] = []
    with style.context():
        figure, grid = panels.panels(known, row, col)
        for panel in grid:
            for i, (level, colour) in enumerate(zip(hues, colours, strict=True)):
                group = panels.part(panel.frame, hue, level)
                for p in paths:
                    measured = None if group.empty else line(group, adjoint.column_of(p, statistic))
                    if measured is None:
                        continue
                    _line(panel.ax, measured, colour, LINE_STYLE[p])
                    rug.append(RugRow(panel.ax, i, measured.zeros, colour))
                    if hue is not None and p == paths[0] and measured.finite.size:
                        last = int(measured.finite[-1])
                        ends.append(LineEnd(panel.ax, last, float(measured.band.mean[last]), level, colour))
                    # Theory is about the untrained network: after training the weights are no longer those of ρ.
                    if p == "hidden" and update == "first":
                        slopes = (_slope(panel.ax, measured, rho, colour) for rho in _radii(group, theory))
                        theories += [slope for slope in slopes if slope is not None]
                        theories += _of_start(panel.ax, measured, group, theory, colour)
            _axes(panel, paths, statistic)
        # Theory takes no part in the limits, which are known when all panels are drawn: they share this axis.
        low, high = grid[0].ax.get_ylim()
        grid[0].ax.set_ylim(low, high)
        for each in theories:
            _theory(each, low, high)
        # The rug lies below all lines, so that it needs the limits that all panels together came to.
        any_zero = _rug(rug, [panel.ax for panel in grid], len(hues))
        labelled = hue is not None and line_ends.write(figure, ends, hue, hues)
        handles = [] if labelled else panels.hue_handles(hue, hues, colours)
        handles += _handles(paths, theories={each.name for each in theories}, zero=any_zero)
        panels.legend(figure, handles, title=None if labelled else panels.hue_title(hue))
    return figure


def _paths(path: PathChoice) -> list[str]:
    return ["hidden", "cell"] if path == "both" else [path]


def _when(update: RecordedUpdate) -> str:
    return f"update {update}" if isinstance(update, int) else f"the {update} update"


def _radii(group: pd.DataFrame, theory: tuple[str, ...]) -> list[float]:
    """ρ of a group for which the theory holds: the setting, or the measured radius before training where it is null.

    None of a group with a network for which it does not: a stack, a normalised recurrence, zoneout.

    Times φ′(0), which is the largest slope γ of each of these nonlinearities: 1 of tanh and relu, ¼ of a sigmoid.
    """
    if "cell" in group.columns:
        group = group[group["cell"].isin(theory)]
    settings = group[[name for name in LINEAR if name in group.columns]].drop_duplicates()
    if not linear([dict(zip(settings.columns, row, strict=True)) for row in settings.itertuples(index=False)]):
        return []
    slopes = set(group["nonlinearity"].dropna()) & set(GAMMA) if "nonlinearity" in group.columns else set()
    slope = GAMMA[slopes.pop()] if len(slopes) == 1 else 1.0
    measured = group["initial_spectral_radius"]
    setting = group["spectral_radius"].astype("float64") if "spectral_radius" in group.columns else measured
    if setting.isna().all():
        mean = float(measured.mean())
        return [slope * mean] if mean == mean else []
    return sorted(slope * setting.dropna().unique())


def _line(ax: Axes, measured: Line, colour: str, line_style: Any) -> None:
    import numpy as np

    from harness.figures import style

    shown = int(np.isfinite(measured.band.mean).sum())
    zorder = 3 + 1 / max(shown, 1)  # of two lines that coincide the shorter one is on top
    ax.plot(measured.lag, measured.band.mean, color=colour, linestyle=line_style, zorder=zorder)
    # a step between two zeros, as the last of h where nothing passes back, is a line without length: it is marked
    finite = np.pad(np.isfinite(measured.band.mean), 1)
    alone = finite[1:-1] & ~finite[:-2] & ~finite[2:]
    if alone.any():
        ax.plot(
            measured.lag[alone], measured.band.mean[alone], marker="o", markersize=style.scaled(2.5), color=colour,
            linestyle="none", zorder=zorder,
        )  # fmt: skip
    ax.fill_between(
        measured.lag, measured.band.low, measured.band.high, color=colour, alpha=0.22, linewidth=0, zorder=2
    )


def _slope(ax: Axes, measured: Line, rho: float, colour: str) -> TheoryLine | None:
    """ρ^lag from the measured value at lag 0; None without such a value."""
    import numpy as np

    anchor = measured.band.mean[0]
    if rho <= 0 or not np.isfinite(anchor):
        return None
    lag = measured.lag[: int(measured.finite[-1]) + 1]  # theory does not describe a truncation
    return TheoryLine(ax, lag, anchor + lag * log10_rate(rho), colour)


def _of_start(ax: Axes, measured: Line, group: pd.DataFrame, theory: tuple[str, ...], colour: str) -> list[TheoryLine]:
    """The closed form of a minimal cell's start from the measured value at lag 0, if it is among `theory`."""
    if "cell" not in group.columns or not measured.finite.size or not set(group["cell"]) <= set(theory):
        return []
    lags = measured.lag[: int(measured.finite[-1]) + 1]
    values = minimal_decay.decay(group, lags)
    return [] if values is None else [TheoryLine(ax, lags, measured.band.mean[0] + values, colour, "closed form")]


def _theory(line: TheoryLine, low: float, high: float) -> None:
    """Draw a line of theory up to where it leaves the range of the data, with an arrow there."""
    import numpy as np

    from harness.figures import style

    x, y = line.lags.astype(float), line.values
    outside = np.flatnonzero((y < low) | (y > high))
    leaves = bool(outside.size)
    if leaves:
        k = int(outside[0])  # never 0: there it is a measured value
        edge = low if y[k] < low else high
        x = np.append(x[:k], x[k - 1] + (edge - y[k - 1]) / (y[k] - y[k - 1]) * (x[k] - x[k - 1]))
        y = np.append(y[:k], edge)
    width, zorder = style.scaled(0.7), 4 + 1 / len(line.lags)
    line.ax.plot(x, y, color=line.colour, linestyle=style.DASHED, linewidth=width, zorder=zorder)
    if leaves:
        marker = "v" if edge == low else "^"
        line.ax.plot(
            x[-1:], y[-1:], marker=marker, markersize=style.scaled(3.5), color=line.colour, linestyle="none",
            clip_on=False, zorder=5,
        )  # fmt: skip


def _rug(rug: list[RugRow], axes: list[Axes], rows: int) -> bool:
    """Exact zeros as ticks in a strip below the data, one row of the strip for each hue; whether there are any."""
    import numpy as np

    from harness.figures import style

    if not any(len(each.lags) for each in rug):
        return False
    strip = RUG * (rows + 1)
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low - (high - low) * strip / (1 - strip), high)  # the panels share this axis
    for each in rug:
        bottom = np.full(len(each.lags), RUG * (rows - each.row - 0.5))
        each.ax.vlines(
            each.lags, bottom, bottom + 0.8 * RUG, colors=each.colour, linewidth=style.scaled(0.7),
            transform=each.ax.get_xaxis_transform(),
        )  # fmt: skip
    return True


def _axes(panel: panels.Panel, paths: list[str], statistic: str) -> None:
    from harness.figures import style

    style.guide(panel.ax)
    style.powers_of_ten(panel.ax.yaxis)
    style.whole_numbers(panel.ax.xaxis)
    panel.ax.margins(x=0.02)
    panel.label_x(texts.axis("lag"))
    if panel.left:
        panel.ax.set_ylabel(f"{adjoint.OVER_BATCH[statistic]} of " + ", ".join(adjoint.NORM[path] for path in paths))


def _handles(paths: list[str], *, theories: set[str], zero: bool) -> list[Any]:
    """Legend entries for what was drawn besides the hues."""
    from matplotlib.lines import Line2D

    from harness.figures import style

    handles = []
    if len(paths) > 1:
        handles += [
            Line2D([], [], color=style.ink(), label="hidden state h"),
            Line2D([], [], color=style.ink(), linestyle=LINE_STYLE["cell"], label="cell state c"),
        ]
    for text in sorted(theories):
        width = style.scaled(0.7)
        handles.append(Line2D([], [], color=style.ink(), linestyle=style.DASHED, linewidth=width, label=text))
    if zero:
        handles.append(Line2D([], [], color=style.ink(), marker="|", linestyle="none", label="exact zero"))
    return handles
