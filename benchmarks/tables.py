"""Measurements as tables: the goals, and every section in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.goals import GOALS, Shown, in_seconds, megabytes, percent, times
from benchmarks.measurement import Measurement, Results
from benchmarks.parts import PARTS
from benchmarks.sizes import BUILT_IN, CELLS, CENTRE, FACTORS, moved
from benchmarks.step import COMPILE_TIME, COMPILED

NO_REASON = "no reason written down yet"
NOTHING = "–"


def milliseconds(value: float) -> str:
    return f"{value:.3g} ms"


def operations(value: float) -> str:
    return f"{value:.3g} MFLOP"


STEP_COLUMNS: Mapping[str, tuple[str, Shown]] = {
    "loop": ("cell loop", times),
    "module": ("module", times),
    "batched": ("bmm", times),
    "batched, silent": ("bmm, silent", times),
    "jax": ("JAX", times),
    "limit, own shapes": ("of the limit, own shapes", percent),
    "limit, best rate": ("of the limit, best rate", percent),
    "harness, time": ("harness", milliseconds),
}
CELL_COLUMNS: Mapping[str, tuple[str, Shown]] = {
    "loop": ("loop", times),
    "loop, all replicas": ("loop, all replicas", times),
    "torch engine": ("torch engine, gradient", times),
    "a FLOP against the LSTM's": ("a FLOP against the LSTM's", times),
    "arithmetic": ("arithmetic", operations),
    "harness, time": ("harness", milliseconds),
    "gradient, time": ("its gradient", milliseconds),
}
DEPTH_COLUMNS: Mapping[str, tuple[str, Shown]] = {
    "module, two layers": ("module", times),
    "stack against its layers": ("against its layers one by one", times),
    "harness, time": ("harness", milliseconds),
    "module, two layers, time": ("module", milliseconds),
}
MEMORY_COLUMNS: Mapping[str, str] = {
    "peak memory of a whole run": "peak of a whole run",
    "beyond the imports": "of these beyond the imports",
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
        where = "" if row is None else goal.place(row)
        rows.append((goal.subject, goal.text, spread(row, goal.shown) + where, verdict))
    return Table(("against", "goal", "measured (least–most)", ""), tuple(rows))


def factor(results: Results, name: str) -> Table:
    """The training step along one factor, all cells."""
    measured = {(row.quantity, row.sizes): row for row in _rows(results, "step")}
    rows = []
    for cell in CELLS:
        for value in FACTORS[name]:
            sizes = moved(replace(CENTRE, cell=cell), name, value)
            texts = (spread(measured.get((key, sizes)), shown) for key, (_, shown) in STEP_COLUMNS.items())
            rows.append((cell, f"{value:,}", *texts))
    return Table(("cell", name, *(head for head, _ in STEP_COLUMNS.values())), tuple(rows))


def compiled(results: Results) -> Table:
    """What torch.compile makes of the loop over all replicas, at the centre."""
    measured = {(row.quantity, row.cell): row for row in _rows(results, "step")}
    quantities = {**dict.fromkeys(COMPILED, times), COMPILE_TIME: in_seconds}
    rows = [
        (quantity, *(spread(measured.get((quantity, cell)), shown) for cell in CELLS))
        for quantity, shown in quantities.items()
    ]
    return Table(("quantity", *CELLS), tuple(rows))


def cells(results: Results) -> Table:
    """All built-in cells at the centre."""
    measured = {(row.quantity, row.cell): row for row in _rows(results, "cells")}
    rows = [
        (cell, *(spread(measured.get((key, cell)), shown) for key, (_, shown) in CELL_COLUMNS.items()))
        for cell in BUILT_IN
    ]
    return Table(("cell", *(head for head, _ in CELL_COLUMNS.values())), tuple(rows))


def depth(results: Results) -> Table:
    """Two layers at the centre."""
    measured = {(row.quantity, row.cell): row for row in _rows(results, "depth")}
    rows = [
        (cell, *(spread(measured.get((key, cell)), shown) for key, (_, shown) in DEPTH_COLUMNS.items()))
        for cell in CELLS
    ]
    return Table(("cell", *(head for head, _ in DEPTH_COLUMNS.values())), tuple(rows))


def memory(results: Results) -> Table:
    """Peak memory of a whole run at the longest T, all built-in cells."""
    measured = {(row.quantity, row.cell): row for row in _rows(results, "growth")}
    rows = [
        (cell, *(spread(measured.get((quantity, cell)), megabytes) for quantity in MEMORY_COLUMNS)) for cell in BUILT_IN
    ]
    return Table(("cell", *MEMORY_COLUMNS.values()), tuple(rows))


def parts(results: Results) -> Table:
    """Shares of a training step at the centre."""
    measured = {(row.quantity, row.cell): row for row in _rows(results, "parts")}
    rows = [(part, *(spread(measured.get((part, cell)), percent) for cell in CELLS)) for part in PARTS]
    return Table(("part", *CELLS), tuple(rows))


def growth(results: Results) -> Table:
    """Cost of a time step, and peak memory, against T."""
    units: Mapping[str, Shown] = {"MB": megabytes, "B": lambda value: f"{value:.1f} B"}
    shown_apart = set(MEMORY_COLUMNS)
    measured = {
        (row.quantity, row.T, row.cell): row for row in _rows(results, "growth") if row.quantity not in shown_apart
    }
    rows = []
    for quantity, T in dict.fromkeys((quantity, T) for quantity, T, _ in measured):
        cells = [measured.get((quantity, T, cell)) for cell in CELLS]
        shown = units.get(next(row.unit for row in cells if row), percent if "deviation" in quantity else times)
        rows.append((quantity, f"{T:,}", *(spread(row, shown) for row in cells)))
    return Table(("quantity", "T", *CELLS), tuple(sorted(rows, key=lambda row: row[0])))


def sweeps(results: Results) -> Table:
    """Ratios and wall times of whole sweeps, in the order in which they were measured."""
    rows = []
    for row in _rows(results, "sweeps"):
        shown = in_seconds if row.unit == "s" else percent if "not training" in row.quantity else times
        rows.append((row.quantity, spread(row, shown)))
    return Table(("quantity", "measured (least–most)"), tuple(rows))


def fixed(results: Results) -> Table:
    """Times, each beside its ratio to something familiar from the same round."""
    measured = _rows(results, "fixed")
    rows = []
    for row in measured:
        ratio = next((other for other in measured if other.quantity.startswith(f"{row.quantity} / ")), None)
        if row.unit == "s" and ratio is not None:
            rows.append((row.quantity, spread(row, _time), ratio.quantity.partition(" / ")[2], spread(ratio, times)))
    return Table(("what", "time (least–most)", "beside", "ratio (least–most)"), tuple(rows))


def spread(row: Measurement | None, shown: Shown) -> str:
    """Median and range; the value alone where there was one."""
    if row is None:
        return NOTHING
    return shown(row.median) if len(row.values) == 1 else f"{shown(row.median)} ({shown(row.low)}–{shown(row.high)})"


def _rows(results: Results, section: str) -> Sequence[Measurement]:
    return results[section].rows if section in results else ()


def _time(seconds: float) -> str:
    return in_seconds(seconds) if seconds >= 0.1 else milliseconds(1e3 * seconds)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
