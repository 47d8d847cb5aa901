"""results.json → docs/performance.md and its figure; nothing is measured."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from benchmarks import figure, tables
from benchmarks.growth import LONG
from benchmarks.measurement import FULL, Results
from benchmarks.reasons import REASONS
from benchmarks.sizes import CENTRE, FACTORS
from harness.figures import style

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"


def write(results: Results, folder: Path = DOCS) -> list[Path]:
    """Write the page and the figure beside it; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "performance.md"
    page.write_text(text(results))
    return [page, *style.save(figure.draw(results), folder / "performance", ["svg"])]


def text(results: Results) -> str:
    """The page."""
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(
        (HERE / "performance.md.j2").read_text()
    )
    return template.render(
        machines=machines(results),
        goals=tables.goals(results, REASONS).markdown(),
        factors={factor: tables.factor(results, factor).markdown() for factor in FACTORS},
        compiled=tables.compiled(results).markdown(),
        cells=tables.cells(results).markdown(),
        depth=tables.depth(results).markdown(),
        memory=tables.memory(results).markdown(),
        parts=tables.parts(results).markdown(),
        growth=tables.growth(results).markdown(),
        sweeps=tables.sweeps(results).markdown(),
        fixed=tables.fixed(results).markdown(),
        notes={name: section.notes for name, section in results.items()},
        centre=CENTRE,
        repeats=FULL.repeats,
        rounds=FULL.rounds,
        longest=f"{LONG[-1]:,}",
        milliseconds=round(1e3 * FULL.seconds),
    )


def machines(results: Results) -> list[str]:
    """The machines, one line each; sections are listed where they come from several machines or days."""
    sections: dict[str, list[str]] = {}  # by machine and day
    for name, section in results.items():
        sections.setdefault(f"{section.machine}, {section.date} ({section.versions}).", []).append(name)
    if len(sections) <= 1:
        return list(sections)
    return [f"{line} Sections: {', '.join(names)}." for line, names in sections.items()]
