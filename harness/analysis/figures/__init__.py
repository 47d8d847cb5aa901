"""The figure kinds; a new one is one file and one line.

Read whenever a study is read, so nothing heavy stands at the top of a kind.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.figures.codes import Codes
from harness.analysis.figures.composite import Composite
from harness.analysis.figures.decay import Decay
from harness.analysis.figures.examples import Examples
from harness.analysis.figures.heatmap import Heatmap
from harness.analysis.figures.kind import FigureKind
from harness.analysis.figures.learning import Learning
from harness.analysis.figures.nodes import Nodes
from harness.analysis.figures.phase import Phase
from harness.analysis.figures.profile import Profile
from harness.analysis.figures.score import Score
from harness.analysis.figures.states import States
from harness.analysis.figures.success import Success
from harness.analysis.figures.switches import SwitchError, Switches

FIGURES: Mapping[str, type[FigureKind]] = {
    "success": Success,
    "score": Score,
    "learning": Learning,
    "decay": Decay,
    "heatmap": Heatmap,
    "phase": Phase,
    "profile": Profile,
    "examples": Examples,
    "codes": Codes,
    "states": States,
    "switches": Switches,
    "switch_error": SwitchError,
    "nodes": Nodes,
    "panels": Composite,
}
