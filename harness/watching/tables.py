"""Recorded levels as a table: a row a state and time step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError, nearest
from harness.schema import BATCH_STATISTICS, STEP_COLUMNS
from harness.watching.levels import Levels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.figures.kind import FigureKind

PLACE = ("module", "call", "update", "layer", "direction", "state")


def frame_of(levels: Sequence[Levels]) -> pd.DataFrame:
    """Columns of `PLACE`, then t (1 … T), lag = T − t, log10_adjoint, those over the batch, log10_immediate."""
    import pandas as pd

    lengths = [len(each.adjoint) for each in levels]
    columns = {name: np.repeat([getattr(each, name) for each in levels], lengths) for name in PLACE}
    t = np.concatenate([np.arange(1, T + 1) for T in lengths]) if levels else np.empty(0, np.int64)
    measured = {
        "t": t,
        "lag": np.repeat(np.asarray(lengths, np.int64), lengths) - t,
        "log10_adjoint": np.concatenate([each.adjoint for each in levels]) if levels else np.empty(0),
        **{
            f"log10_adjoint_{name}": np.concatenate([each.over_batch[name] for each in levels] or [np.empty(0)])
            for name in BATCH_STATISTICS
        },
        "log10_immediate": np.concatenate([each.immediate for each in levels]) if levels else np.empty(0),
    }
    return pd.DataFrame({**columns, **measured})


PATHS = {"h": "log10_adjoint", "c": "log10_adjoint_cell"}
AXES = ("layer", "direction", "module", "call", "state")


def wide(levels: Sequence[Levels]) -> list[dict[str, Any]]:
    """A row a layer and direction of a call, with lists over t, as the table of gradients has them; c beside its h.

    A state that was named by hand and is neither has a row of its own.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for each in levels:
        name = "h" if each.state in PATHS else each.state
        key = (each.module, each.call, each.layer, each.direction, name, each.update)
        row = rows.setdefault(
            key,
            {
                **dict(zip(("module", "call", "layer", "direction", "state", "update"), key, strict=True)),
                **dict.fromkeys(STEP_COLUMNS),
            },
        )
        column = PATHS.get(each.state, PATHS["h"])
        row[column] = each.adjoint.tolist()
        row |= {f"{column}_{name}": level.tolist() for name, level in each.over_batch.items()}
        if each.state != "c":
            row["log10_immediate"] = each.immediate.tolist()
    return list(rows.values())


def drawn(levels: Sequence[Levels], kind: str, settings: Mapping[str, Any]) -> Figure:
    """A decay or a heat map of recorded levels.

    Raises:
        HarnessError: nothing was recorded, or there is no such kind or setting.
    """
    import pandas as pd

    from harness.figures.decay import Decay, decay
    from harness.figures.heatmap import Heatmap, heatmap
    from harness.figures.selection import at_update

    kinds: dict[str, Any] = {"decay": decay, "heatmap": heatmap}
    if kind not in kinds:
        raise HarnessError(f"no figure '{kind}' of a watched model{nearest(kind, kinds)}")
    own = _checked(kind, settings, Decay if kind == "decay" else Heatmap)
    rows = wide(levels)
    if not rows:
        raise HarnessError("nothing was recorded: no backward pass has reached a watched state")
    frame = pd.DataFrame(rows)
    frame["module"] = frame["module"].replace("", "model")
    frame["run_id"] = frame["module"] + "/" + frame["call"].astype(str) + "/" + frame["state"]
    frame["seed"], frame["updates"] = 0, frame["update"].max() + 1  # every record is on the schedule
    frame["initial_spectral_radius"] = np.nan
    differing = [name for name in AXES if frame[name].nunique() > 1]
    chosen = dict(own)
    taken = {value for name, value in own.items() if name in ("hue", "row", "col", "y")}
    differing = [name for name in differing if name not in taken]
    if kind == "decay":
        chosen.setdefault("theory", ())
        places = ["hue", "col", "row"]
    else:
        update = chosen.pop("update", None)
        chosen.setdefault("y", "update" if update is None and frame["update"].nunique() > 1 else "layer")
        if chosen["y"] == "layer":
            frame = at_update(frame, "first" if update is None else update)
        differing = [name for name in differing if name != chosen["y"]]
        places = ["col", "row"]
    for place in places:
        if place not in chosen:
            chosen[place] = differing.pop(0) if differing else None
    figure: Figure = kinds[kind](frame, **chosen)
    return figure


SETTINGS = {
    "decay": ("hue", "col", "row", "update", "path", "statistic"),
    "heatmap": ("y", "update", "col", "row", "path", "statistic"),
}


def _checked(kind: str, settings: Mapping[str, Any], model: type[FigureKind]) -> dict[str, Any]:
    """The settings of a figure, as a study's figure of that kind may have them.

    Raises:
        HarnessError: there is no such setting, or it cannot have that value.
    """
    from pydantic import ValidationError

    from harness.study.grid import explain

    place = f"figure '{kind}'"
    for name, value in settings.items():
        if name not in SETTINGS[kind]:
            raise HarnessError(f"{place}: no setting '{name}'{nearest(name, SETTINGS[kind])}")
        if name in ("hue", "col", "row") and value is not None and value not in AXES:
            raise HarnessError(f"{place}: {name}: no column '{value}'{nearest(value, AXES)}")
    try:
        model.model_validate({**settings, "kind": kind})
    except ValidationError as error:
        raise HarnessError("\n".join(f"{place}: {key}: {problem}" for key, problem in explain(error, model))) from None
    return dict(settings)
