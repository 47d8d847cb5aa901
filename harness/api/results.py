"""Tables, verdicts and figures of what a study has measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.api.display import paragraph, table
from harness.errors import HarnessError, Place, nearest
from harness.figures.feasibility import figure_faults
from harness.figures.kind import FigureKind
from harness.registry import FIGURE_PLUGINS
from harness.study.grid import explain
from harness.study.plugins import installed
from harness.verdicts.summary import SYMBOLS, summary
from harness.verdicts.verdict import Verdict, interval_head, overall

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from harness.study.spec import StudySpec
    from harness.verdicts.judging import JudgedStudy


class Verdicts(tuple[Verdict, ...]):
    """A study's verdicts, in its order; printed as `python -m harness.check` prints them."""

    __slots__ = ()

    @property
    def hold(self) -> bool:
        """Whether every expectation holds; one that an override has left without runs is not judged."""
        return all(verdict.state in ("holds", "not asked") for verdict in self)

    def __repr__(self) -> str:
        return f"{summary(self)}\n\n{overall(list(self))}"

    def _repr_html_(self) -> str:
        rows = []
        for verdict in self:
            groups = list(verdict.rows()) or [("", "–", "–", "0")]
            measured = "; ".join(f"{name} {value}".strip() for name, value, _, _ in groups)
            intervals, counts = ("; ".join(row[column] for row in groups) for column in (2, 3))
            rows.append((SYMBOLS[verdict.state], verdict.text, measured, intervals, counts, _remarks(verdict)))
        head = ("", "expectation", "measured", interval_head(self), "n", "")
        return table(head, rows) + paragraph(overall(list(self)))


def _remarks(verdict: Verdict) -> str:
    return "; ".join(text for text in (verdict.reason, f"warning: {verdict.remark}" * bool(verdict.warning)) if text)


@dataclass(frozen=True, repr=False)
class Results:
    """What a study has measured, and the verdicts on its expectations; from `Study.run` and `harness.load`.

    Args:
        folder: the results folder.
        judged: the plan, the tables and the verdicts.

    >>> results = harness.load("results/first")
    >>> len(results.runs), results.verdicts.hold
    (4, True)
    >>> results.gradients(long=True).columns.tolist()[:5]
    ['run_id', 'cell', 'seed', 'update', 't']
    >>> type(results.figure("success", x="cell", hue=None)).__name__
    'Figure'
    """

    folder: Path
    judged: JudgedStudy

    @property
    def study(self) -> StudySpec:
        """The study, typed and frozen."""
        return self.judged.plan.study

    @property
    def runs(self) -> pd.DataFrame:
        """A row a run: its settings and its measurements; docs/tables.md has the meaning of each column."""
        return self.judged.frames.runs

    @property
    def tuning(self) -> pd.DataFrame:
        """A row a candidate of each combination for which settings were tuned; empty without tuning.

        Columns: those of `per` and of what is tuned, the mean `score` over the tuning seeds (NaN: not known), how many
        `runs` it rests on, and whether it has `won`. The runs themselves are in tuning.parquet.
        """
        import pandas as pd

        tuning = self.study.tuning
        if tuning is None:
            return pd.DataFrame()
        rows = [
            {
                **each.group.per,
                **dict(zip(tuning.columns, candidate.values(), strict=True)),
                "score": each.scores[i],
                "runs": len(each.group.run_ids[i]),
                "won": i == each.index,
            }
            for each in self.judged.tuned
            for i, candidate in enumerate(each.candidates)
        ]
        return pd.DataFrame(rows)

    @property
    def curves(self) -> pd.DataFrame:
        """A row an evaluation of a run."""
        return self.judged.frames.curves

    def gradients(self, *, long: bool = False, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A row a recorded update of a run, with log₁₀‖∂L/∂h_t‖ as a list over t = 1 … T; or a row a time step.

        Args:
            long: a row a time step, with t and lag = T − t; −inf is a true zero.
            columns: which columns of the run to repeat on every row of the long form; default: run_id, the settings in
                which the runs differ, seed and update.

        Raises:
            HarnessError: there is no such column.
        """
        from harness.statistics import frames

        wide = self.judged.frames.gradients
        if not long:
            return wide
        chosen = ("run_id", *self.study.axes(), "seed", "update") if columns is None else columns
        for name in chosen:
            if name not in wide.columns:
                raise HarnessError(f"columns: no column '{name}'{nearest(name, map(str, wide.columns))}")
        return frames.long(wide, chosen)

    def table(self, name: str) -> pd.DataFrame:
        """A table that only some studies record: "states", "codes", "examples", "weights", "profiles", "evaluations".

        Raises:
            HarnessError: this study does not record it.
        """
        return self.judged.frames.table(name)

    @property
    def verdicts(self) -> Verdicts:
        """The verdicts on the study's expectations; incomplete where runs are missing."""
        return Verdicts(self.judged.verdicts)

    @property
    def failures(self) -> dict[str, str]:
        """run_id → error, of the runs that have no result."""
        from harness.store.journal import Journal
        from harness.store.status import Status

        return dict(Status.of(self.judged.plan, Journal.open(self.folder), verify=False).failed)

    def figure(self, name: str, **settings: Any) -> Figure:
        """One of the study's figures by its name, or a figure of any kind, as a matplotlib Figure.

        Args:
            name: a figure of the study, whose settings are the defaults, or a kind: "success", "decay", …
            settings: of that kind, as in a study: x, hue, row, col, where, …

        Raises:
            HarnessError: there is no such figure, setting or column, or nothing to draw.
        """
        own = {figure.name or figure.kind: figure for figure in self.study.figures}
        defaults = own[name].model_dump(exclude_unset=True) if name in own else {"kind": name}
        plugins, place = installed(), Place(f"figure '{name}'")
        kinds = FIGURE_PLUGINS.extended(plugins, {(FIGURE_PLUGINS.setting, defaults["kind"]): place})
        if defaults["kind"] not in kinds:
            known = {*own, *kinds, *FIGURE_PLUGINS.others(plugins)}
            raise HarnessError(f"no figure '{name}'{nearest(name, known)}")
        kind = kinds[defaults["kind"]]
        try:
            figure: FigureKind = kind.model_validate({**defaults, **settings})
        except ValidationError as error:
            problems = explain(error, kind)
            raise HarnessError("\n".join(f"{place}: {key}: {problem}" for key, problem in problems)) from None
        others = (each for label, each in own.items() if label != (figure.name or figure.kind))
        study = replace(self.study, figures=(figure, *others))  # a figure of panels draws the others
        faults = [f"{place}: {fault}" for index, fault in figure_faults(study) if index == 0]
        if faults:
            raise HarnessError("\n".join(faults))
        return figure.drawn(self.judged.frames, study)

    def report(self, *, columns: Sequence[str] | None = None) -> Path:
        """Write figures/ and report.html, as `python -m harness.report` does; the report's path.

        Args:
            columns: the metrics of the grid's table, by name; default: success, updates to solve, final accuracy.

        Raises:
            HarnessError: the folder cannot be written, or a name is no metric.
        """
        from harness.report.gridtable import MEASURES, measures_named
        from harness.report.presenting import present

        measures = MEASURES if columns is None else measures_named(",".join(columns))
        present(self.judged.plan, self.folder, measures=measures)
        return self.folder / "report.html"

    def __repr__(self) -> str:
        return "\n".join([self.judged.text(), self._counts(), *self.judged.notes])

    def _repr_html_(self) -> str:
        notes = "".join(map(paragraph, (self._counts(), *self.judged.notes)))
        return paragraph(self.study.claim, self.study.name) + self.verdicts._repr_html_() + notes

    def _counts(self) -> str:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.runs["outcome"].value_counts().items())
        return f"{len(self.runs)} of {self.judged.plan.judged_count} runs ({counts or 'none'}) in {self.folder}"
