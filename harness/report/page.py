"""report.html: claim, verdicts, figures, grid and provenance of a study in one file, which needs no network.

It is complete without JavaScript; with it the grid can be sorted and filtered, and its points opened.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors.text import printable
from harness.figures.rendering import RenderedFigure, media_type
from harness.report.gridtable import MEASURES, axis_values, grid_rows, runs_by_point
from harness.report.markup import fill_template, typeset
from harness.report.tuning_section import tuning_section
from harness.schema import MACHINE, OUTCOMES
from harness.statistics.frames import Frames
from harness.store.files import replace_file
from harness.study import labels
from harness.study.held_out import Registration
from harness.study.matching import ordered
from harness.study.spec import StudySpec
from harness.verdicts.choosing import TunedCombination
from harness.verdicts.documents import standing
from harness.verdicts.metrics import Metric, metric_named
from harness.verdicts.registration import conclusion, registration_sentences
from harness.verdicts.summary import SYMBOLS
from harness.verdicts.verdict import Verdict, interval_head

if TYPE_CHECKING:
    import pandas as pd

# When a browser shows which image of a figure, the first that matches; else the one on light paper.
SOURCES = {
    "stacked dark": "(max-width: 36rem) and (prefers-color-scheme: dark)",
    "stacked": "(max-width: 36rem)",
    "dark": "(prefers-color-scheme: dark)",
}
ALWAYS = ("solved", "unsolved", "diverged")  # columns of the grid that are there even if empty
MOST_RUNS = 200  # rows of the list of failed and diverged runs
MOST_POINTS = 1000  # rows of the grid: each costs intervals, curves and a map
SHADES = 32  # of a gradient map


def write(
    path: Path,
    study: StudySpec,
    frames: Frames,
    verdicts: Sequence[Verdict],
    drawings: Sequence[RenderedFigure],
    provenance: Mapping[str, Any],
    notes: Sequence[str] = (),
    reasons: Mapping[str, str] | None = None,
    measures: Sequence[Metric] = MEASURES,
    tuned: Sequence[TunedCombination] = (),
    registration: Registration | None = None,
    not_shown: int = 0,
) -> None:
    """Write the report; the same arguments give the same bytes.

    Args:
        path: the HTML file.
        study: its name, claim, axes and points are shown.
        frames: the results, planned runs only.
        verdicts: of all expectations, in the study's order.
        drawings: the study's figures; the first one is shown above the verdicts.
        provenance: what it ran on, by name; 'command' is shown on its own. The page has no date but one given here.
        notes: sentences to the reader, for example about missing figures.
        reasons: why runs failed, by run id.
        measures: the metrics of the grid.
        tuned: the combinations for which settings were chosen.
        registration: of the study with all its seeds.
        not_shown: runs that have a result and are not on the page: of calibration seeds, beside judged ones.

    Raises:
        OSError: the file cannot be written.
    """
    text = html(
        study, frames, verdicts, drawings, provenance, notes, reasons, measures, registration, not_shown, tuned=tuned
    )
    replace_file(path, text.encode("utf-8", errors="backslashreplace"))  # a file name may be no valid UTF-8


def html(
    study: StudySpec,
    frames: Frames,
    verdicts: Sequence[Verdict],
    drawings: Sequence[RenderedFigure],
    provenance: Mapping[str, Any],
    notes: Sequence[str] = (),
    reasons: Mapping[str, str] | None = None,
    measures: Sequence[Metric] = MEASURES,
    registration: Registration | None = None,
    not_shown: int = 0,
    *,
    live: int | None = None,
    tuned: Sequence[TunedCombination] = (),
) -> str:
    """The report as text; arguments as in `write`.

    Args:
        live: the number of this version of the page in a live view: the page asks the server for a newer one.
    """
    if len(study.points) > MOST_POINTS:
        cut = f"The grid shows the first {MOST_POINTS:,} of {len(study.points):,} points; runs.parquet has them all."
        notes = [*notes, cut]
    grid = grid_rows(study, frames.runs_at_lengths, MOST_POINTS, measures)
    context = {
        "study": study,
        "seeds": len(study.seeds),
        "overall": conclusion(verdicts, study, registration),
        "state": _standing(study, verdicts),
        "symbols": SYMBOLS,
        "interval_head": interval_head(verdicts).replace(" ", "\u00a0", 1),
        "verdicts": [(verdict, list(verdict.rows())) for verdict in verdicts],
        "metrics": [metric_named(name) for name in dict.fromkeys(verdict.metric for verdict in verdicts)],
        "first": [_embedded(drawing) for drawing in drawings[:1]],
        "others": [_embedded(drawing) for drawing in drawings[1:]],
        "axes": [labels.axis(name) for name in study.axes()],
        "filters": axis_values(study),
        "outcomes": [
            name for name in (*OUTCOMES, "missing") if name in ALWAYS or any(row.counts[name] for row in grid)
        ],
        "grid": grid,
        "measures": measures,
        "tuning": tuning_section(study, tuned),
        "stopped": stopped_runs(study, frames.runs, reasons or {}),
        "most": MOST_RUNS,
        "command": str(provenance.get("command", "")),
        "facts": _facts(provenance, frames.runs),
        "notes": [*registration_sentences(study, registration), *notes, *mixed_machines(frames.runs)],
        "data": _data(study, frames, verdicts, drawings, provenance, live, registration, not_shown),
        "live": live,
    }
    scripts = ["report.js"] if live is None else ["report.js", "live.js"]
    return fill_template("report.html.j2", context, scripts, connects=live is not None)


def stopped_runs(
    study: StudySpec, runs: pd.DataFrame, reasons: Mapping[str, str]
) -> list[tuple[str, str, str, str, str, str]]:
    """Runs that failed or diverged: outcome, settings, seed, updates, run id, reason."""
    axes = study.axes()
    rows = runs[runs["outcome"].isin(["failed", "diverged"])].sort_values(
        ["outcome", "run_id"], ascending=[False, True]
    )
    return [
        (
            str(run["outcome"]),
            labels.condition({axis: run.get(axis) for axis in axes}),
            labels.value("seed", run["seed"]),
            labels.value("updates", run["updates"]),
            str(run["run_id"]),
            reasons.get(run["run_id"], "no error was recorded")
            if run["outcome"] == "failed"
            else "loss or gradient not finite",
        )
        for run in rows.to_dict("records")
    ]


def mixed_machines(runs: pd.DataFrame) -> list[str]:
    """A sentence for each property of the machine (CPU, versions, engine, device) of which the runs have several."""
    sentences = []
    for name in MACHINE:
        values = runs[name].dropna().unique() if name in runs.columns else ()
        if len(values) > 1:
            sentences.append(
                f"These results mix {len(values)} values of {name}: {'; '.join(sorted(map(str, values)))}."
            )
    return sentences


def _data(
    study: StudySpec,
    frames: Frames,
    verdicts: Sequence[Verdict],
    drawings: Sequence[RenderedFigure],
    provenance: Mapping[str, Any],
    live: int | None,
    registration: Registration | None,
    not_shown: int,
) -> Mapping[str, Any]:
    """The data for the page's script, and the summary that the index page of all studies reads."""
    from matplotlib.colors import to_hex

    from harness.figures import style
    from harness.report.explorer import point_data

    shades = style.magnitude_map()
    axes, outcomes = study.axes(), frames.runs["outcome"].value_counts()
    return {
        "names": [
            printable(labels.title({axis: settings.get(axis) for axis in axes}))
            for settings in (point.columns() for point in study.points[:MOST_POINTS])
        ],
        "points": point_data(frames, runs_by_point(study, frames.runs, MOST_POINTS)),
        "shades": [to_hex(shades(i / (SHADES - 1))) for i in range(SHADES)],
        "zero": style.ZERO,
        "live": live,
        "summary": {
            "name": study.name,
            "claim": study.claim,
            "study": study.path,
            "state": _standing(study, verdicts),
            "sentence": conclusion(verdicts, study, registration),
            "not_shown": not_shown,
            "planned": (len(study.rows) or len(study.points)) * len(study.seeds),
            "outcomes": {str(name): int(count) for name, count in outcomes.items()},
            "figure": drawings[0].name if drawings else None,
            "date": str(provenance.get("date", "")),
        },
    }


def _standing(study: StudySpec, verdicts: Sequence[Verdict]) -> str:
    """The verdicts in one word; none on calibration seeds, which decide nothing."""
    return "none" if study.calibrates else standing(verdicts)


def _embedded(drawing: RenderedFigure) -> Mapping[str, Any]:
    return {
        "name": drawing.name,
        "title": drawing.name.replace("_", " ").replace("-", " "),
        "caption": typeset(drawing.caption.replace(" %", "\u00a0%")),
        "width": ("wide" if drawing.wide else "narrow") + " high" * drawing.high,
        "alt": f"{drawing.name}: {drawing.caption.split('. ')[0].rstrip('.')}.",
        "source": _data_uri(drawing.image),
        "sources": [(SOURCES[name], _data_uri(drawing.others[name])) for name in SOURCES if name in drawing.others],
        "scrolls": drawing.wide and "stacked" not in drawing.others,
    }


def _data_uri(image: bytes) -> str:
    return f"data:{media_type(image)};base64,{b64encode(image).decode('ascii')}"


def _facts(provenance: Mapping[str, Any], runs: pd.DataFrame) -> list[tuple[str, str]]:
    """The rows of the table of provenance: those given, then the machine columns of the runs."""
    given = {name: value for name, value in provenance.items() if name != "command"}
    facts = [(name, _words(value)) for name, value in given.items()]
    for name in MACHINE:
        values = ordered(runs[name].dropna().unique()) if name in runs.columns and name not in given else []
        if values:
            facts.append((f"{name} of the runs", "; ".join(map(str, values))))
    return facts


def _words(value: object) -> str:
    """A value of the provenance as text, nested ones too."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value)
