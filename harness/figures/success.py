"""Success rate against a setting, with binomial intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from harness.figures.kind import COL, ROW, SERIES_HUE, FigureKind
from harness.figures.score import score
from harness.study import labels
from harness.study.spec import StudySpec
from harness.verdicts.metrics import finished

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.statistics.frames import Frames


class Success(FigureKind):
    """Success rate against a setting, one series per hue."""

    pooling = "Runs that differ in {} are pooled: a rate is over all of them."
    kind: Literal["success"]
    x: str = Field("sequence_length", description="setting on the x axis, its values at equal distances")
    hue: str | None = Field("cell", description=SERIES_HUE)
    col: str | None = Field(None, description=COL)
    row: str | None = Field(None, description=ROW)

    def draw(self, frames: Frames, study: StudySpec) -> Figure:
        return success(frames.select(self.where).runs, x=self.x, hue=self.hue, col=self.col, row=self.row)

    def caption(self, study: StudySpec) -> str:
        return (
            f"Share of runs solved against {labels.axis(self.x)}; a diverged run counts as not solved, a failed one "
            "not at all. Bars are Wilson 95 % intervals over seeds (the runs of a seed count as one); n counts the "
            "runs behind each point (written beside it where it differs). Lines join values that are numbers."
            f"{self.about(study)}"
        )


def rates(runs: pd.DataFrame, *, by: list[str]) -> pd.DataFrame:
    """Solved runs, n, success rate and its Wilson interval for each combination of the columns in `by`.

    Failed runs have no result and are left out; combinations without a run have no row.
    """
    import pandas as pd

    from harness.statistics.intervals import pooled_interval

    done = finished(runs)
    solved = (done["outcome"] == "solved").astype(int)
    keys = [done[name] for name in by]
    counted = solved.groupby(keys, dropna=False, sort=True).agg(["sum", "count"]).reset_index()
    counted.columns = pd.Index([*by, "solved", "n"])
    seeds = done["seed"].groupby(keys, dropna=False, sort=True).nunique().to_numpy()
    counts = zip(counted["solved"], counted["n"], seeds, strict=True)
    ends = [pooled_interval(int(k), int(n), int(s)) for k, n, s in counts]
    return counted.assign(
        rate=counted["solved"] / counted["n"], low=[end.low for end in ends], high=[end.high for end in ends]
    )


def success(
    runs: pd.DataFrame,
    *,
    x: str = "sequence_length",
    hue: str | None = "cell",
    col: str | None = None,
    row: str | None = None,
) -> Figure:
    """Draw success rates with Wilson intervals; arguments and errors are those of `score`."""
    return score(runs, metric="success_rate", x=x, hue=hue, col=col, row=row)
