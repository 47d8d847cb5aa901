"""The figure kinds by name; a new kind is one file and one line here.

Imported whenever a study is read: the modules of kinds import pandas and matplotlib inside functions only.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.figures.arrows import Arrows
from harness.figures.code_region import CodeRegion
from harness.figures.codes import Codes
from harness.figures.composite import Composite
from harness.figures.decay import Decay
from harness.figures.difficulties import Difficulties
from harness.figures.examples import Examples
from harness.figures.generalisation import Generalisation
from harness.figures.heatmap import Heatmap
from harness.figures.kind import FigureKind
from harness.figures.learning import Learning
from harness.figures.nodes import Nodes
from harness.figures.parameters import Parameters
from harness.figures.phase import Phase
from harness.figures.prediction import Prediction
from harness.figures.profile import ProfileFigure
from harness.figures.score import Score
from harness.figures.sensitivity import Sensitivity
from harness.figures.states import States
from harness.figures.success import Success
from harness.figures.switches import SwitchError, Switches
from harness.figures.units import Units

FIGURES: Mapping[str, type[FigureKind]] = {
    "success": Success,
    "score": Score,
    "sensitivity": Sensitivity,
    "generalisation": Generalisation,
    "learning": Learning,
    "decay": Decay,
    "heatmap": Heatmap,
    "phase": Phase,
    "prediction": Prediction,
    "profile": ProfileFigure,
    "parameters": Parameters,
    "units": Units,
    "examples": Examples,
    "codes": Codes,
    "code_region": CodeRegion,
    "arrows": Arrows,
    "difficulties": Difficulties,
    "states": States,
    "switches": Switches,
    "switch_error": SwitchError,
    "nodes": Nodes,
    "panels": Composite,
}
