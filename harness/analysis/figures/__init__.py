"""The figure kinds; a new one is one file and one line.

Read whenever a study is read, so nothing heavy stands at the top of a kind.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.figures.decay import Decay
from harness.analysis.figures.heatmap import Heatmap
from harness.analysis.figures.kind import FigureKind
from harness.analysis.figures.learning import Learning
from harness.analysis.figures.phase import Phase
from harness.analysis.figures.success import Success

FIGURES: Mapping[str, type[FigureKind]] = {
    "success": Success,
    "learning": Learning,
    "decay": Decay,
    "heatmap": Heatmap,
    "phase": Phase,
}
