"""Measurements as tables: the goals, and every section in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.goals import GOALS, Shown, in_seconds, percent, times
from benchmarks.measurement import Measurement, Results
from benchmarks.parts import PARTS
from benchmarks.sizes import CELLS, CENTRE, FACTORS

NO_REASON = "no reason written down yet"
STEP_COLUMNS: Mapping[str, tuple[str, Shown]] = {
    "loop": ("cell loop", times),
    "module": ("module", times),
    "jax": ("JAX", times),
    "limit, own shapes": ("of the limit, own shapes", percent),
    "limit, best rate": ("of the limit, best rate", percent),
    "harness": ("harness, ms", lambda value: f"{value:.2f}"),
}


@dataclass(frozen=True)
class Table:
    """A head and rows of text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a pipe table, first column left, others right."""
        rule = "|".join(["---", *["---:"] * (len(self.head) - 1)])
        return "\n".join([_line(self.head), f"|{rule}|", *map(_line, self.rows)])

    def screen(self) -> str:
        """In columns, for a terminal."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.head, *self.rows)
        )


def goals(results: Results, reasons: Mapping[str, str]) -> Table:
    """Every goal with what was measured; a miss with its reason."""
    rows = []
    for goal in GOALS:
        row = goal.find(results)
        verdict = goal.verdict(row)
        if verdict == "missed":
            verdict = f"missed: {reasons.get(goal.key, NO_REASON)}"
        rows.append((goal.what, goal.text, "–" if row is None else _spread(row, goal.shown), verdict))
    return Table(("against", "goal", "measured (least–most)", ""), tuple(rows))


def factor(results: Results, name: str) -> Table:
    """The training step along one factor, all cells."""
    rows = []
    for cell in CELLS:
        for value in FACTORS[name]:
            sizes = replace(CENTRE, cell=cell, **{name: value})
            found = {
                row.quantity: row
                for row in _rows(results, "step")
                if row.sizes == sizes and row.quantity in STEP_COLUMNS
            }
            found = {key: row for key, row in found.items() if (row.unit == "ms") == (key == "harness")}
            texts = [_spread(found[key], shown) if key in found else "–" for key, (_, shown) in STEP_COLUMNS.items()]
            rows.append((cell, str(value), *texts))
    return Table(("cell", name, *(head for head, _ in STEP_COLUMNS.values())), tuple(rows))


def parts(results: Results) -> Table:
    """Shares of a training step at the centre."""
    found = {(row.quantity, row.cell): row for row in _rows(results, "parts")}
    rows = [
        (part, *(_spread(found[part, cell], percent) if (part, cell) in found else "–" for cell in CELLS))
        for part in PARTS
    ]
    return Table(("part", *CELLS), tuple(rows))


def growth(results: Results) -> Table:
    """Cost of a time step, and peak memory, against T."""
    rows = []
    for row in _rows(results, "growth"):
        shown: Shown = {"MB": lambda v: f"{v:.0f} MB", "B": lambda v: f"{v:.1f} B"}.get(row.unit, times)
        rows.append(
            (row.quantity, row.cell, f"{row.T:,}", _spread(row, percent if "deviation" in row.quantity else shown))
        )
    return Table(("quantity", "cell", "T", "measured (least–most)"), tuple(sorted(rows, key=lambda row: row[0])))


def beside(results: Results, section: str) -> Table:
    """Seconds and ratios of a section that has no sizes, in the order in which they were measured."""
    rows = []
    for row in _rows(results, section):
        shown: Shown = {"s": _time, "B": lambda v: f"{v:,.0f} B"}.get(row.unit, times)
        rows.append((row.quantity, _spread(row, percent if "not training" in row.quantity else shown)))
    return Table(("quantity", "measured (least–most)"), tuple(rows))


def _rows(results: Results, section: str) -> Sequence[Measurement]:
    return results[section].rows if section in results else ()


def _spread(row: Measurement, shown: Shown) -> str:
    if len(row.values) == 1:
        return shown(row.median)
    return f"{shown(row.median)} ({shown(row.low)}–{shown(row.high)})"


def _time(seconds: float) -> str:
    return in_seconds(seconds) if seconds >= 0.1 else f"{1e3 * seconds:.2f} ms"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
