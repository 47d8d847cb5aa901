"""One measured quantity at one point, with all its repeats: a row of results.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.sizes import Sizes


@dataclass(frozen=True)
class Effort:
    """How much is spent on a measurement.

    Attributes:
        repeats: timed turns of each contestant; away from the centre of the grid at most `rounds`.
        seconds: about how long one turn lasts, where a few steps do not last longer.
        rounds: turns where a whole process is what is timed.
        centre_only: leave out all points but the centre, and what takes long to compile.
        runs: of the plan and of the tables whose fixed costs are measured.
        updates: an override of every study's budget, to try the benchmarks themselves.
    """

    repeats: int = 5
    seconds: float = 0.1
    rounds: int = 3
    centre_only: bool = False
    runs: int = 10_000
    updates: int | None = None


FULL = Effort()
QUICK = Effort(centre_only=True)


@dataclass(frozen=True)
class Measurement:
    """A quantity, its unit ("" for a ratio), its repeats in order, and the point where it was measured."""

    quantity: str
    unit: str
    values: tuple[float, ...]
    cell: str = ""
    H: int = 0
    T: int = 0
    B: int = 0
    R: int = 0

    @classmethod
    def at(cls, sizes: Sizes, quantity: str, unit: str, values: Sequence[float]) -> Measurement:
        """A measurement at a point of the grid."""
        return cls(quantity, unit, tuple(values), sizes.cell, sizes.H, sizes.T, sizes.B, sizes.R)

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.cell, self.H, self.T, self.B, self.R)

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


@dataclass(frozen=True)
class Section:
    """What one section measured, when, and on what."""

    machine: str
    versions: str
    date: str
    notes: tuple[str, ...]
    rows: tuple[Measurement, ...]


Say = Callable[[str], None]
Results = Mapping[str, Section]


def write(results: Results, path: Path) -> None:
    """Write all sections, rounded to what a clock can tell, one measurement a line."""
    blocks = []
    for name, section in results.items():
        head = {key: value for key, value in asdict(section).items() if key != "rows"}
        rows = ",\n  ".join(json.dumps(_row(row), ensure_ascii=False) for row in section.rows)
        blocks.append(f' {json.dumps(name)}: {{"head": {json.dumps(head, ensure_ascii=False)}, "rows": [\n  {rows}]}}')
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


def read(path: Path) -> Results:
    """What `write` wrote; nothing where there is no such file."""
    if not path.exists():
        return {}
    sections = {}
    for name, block in json.loads(path.read_text()).items():
        rows = tuple(Measurement(**{**row, "values": tuple(row["values"])}) for row in block["rows"])
        head = block["head"]
        sections[name] = Section(**{**head, "notes": tuple(head["notes"]), "rows": rows})
    return sections


def _row(row: Measurement) -> dict[str, object]:
    given = {key: value for key, value in asdict(row).items() if value or key in ("quantity", "unit")}
    return {**given, "values": [float(f"{value:.4g}") for value in row.values]}
