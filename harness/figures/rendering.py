"""All figures of a study: drawn, written to files, and encoded for the report on light and on dark paper."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ResultsError
from harness.errors.guarding import Missing, attempt
from harness.figures import forked, style
from harness.figures.canvas import stacked
from harness.figures.kind import FigureKind
from harness.statistics.frames import Frames
from harness.store.files import read_json, replace_file
from harness.study.seeding import compact
from harness.study.spec import SLUG, StudySpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = tuple(style.METADATA)
NOTE = ".files.json"  # names of the files that the last call has written
LARGEST_SVG = 200_000  # bytes; beyond it the report embeds a PNG
UNKNOWN_SIGN = re.compile(r"Glyph (\d+) ")  # matplotlib's warning that a font lacks a character
SPACES = re.compile(rb"\s*([MLQCz])\s*")  # around the letters of a path
PATH, DECIMALS = re.compile(rb'(?<= d=")[^"]*'), re.compile(rb"(\.\d)\d+")
SCREEN = 150  # dots an inch of paper, on a page
WIDEST = 4.5  # inches on paper; a wider figure scrolls on a phone


@dataclass(frozen=True)
class RenderedFigure:
    """One figure as the report embeds it: name, caption, the bytes of an SVG or a PNG, and whether it is wide."""

    name: str
    caption: str
    image: bytes
    wide: bool = False  # both columns of a paper: scrolls on a phone instead of shrinking beyond reading
    high: bool = False  # higher than wide: shown at its own size, as its letters would shrink with its height
    others: Mapping[str, bytes] = field(default_factory=dict)  # dark, and for a phone: stacked, stacked dark

    @property
    def media_type(self) -> str:
        return media_type(self.image)


def media_type(image: bytes) -> str:
    """Of the bytes of a PNG or an SVG."""
    return "image/png" if image.startswith(b"\x89PNG") else "image/svg+xml"


def figures_folder(folder: Path, style_name: str) -> Path:
    """Where a style's files are: the paper's in the folder itself, each other style's in one of its own below it."""
    return folder if style_name == "paper" else folder / style_name


def render(
    study: StudySpec,
    frames: Frames,
    folder: Path,
    formats: Sequence[str] = ("pdf", "png"),
    style_name: str = "paper",
    jobs: int | None = 1,
) -> tuple[list[RenderedFigure], list[str]]:
    """Draw the study's figures and write each as <name>.<format> into `figures_folder`.

    A figure that cannot be drawn (nothing has run for its `where`, a plug-in raises, a library refuses its words)
    becomes a note, not an error: the others are drawn all the same.

    Args:
        study: whose `figures` are drawn.
        frames: its results.
        folder: where the paper's files go; created if it does not exist.
        formats: file types: pdf, png, svg; what an earlier call in the same style has written is removed.
        style_name: paper, talk or notebook.
        jobs: processes that draw; None: one for each core.

    Returns:
        the figures in the study's order, and a sentence for each figure that is missing.

    Raises:
        HarnessError: there is no such style.
        ResultsError: the folder cannot be written.
    """
    rendered, notes = [], []
    target = figures_folder(folder, style_name)
    with style.use(style_name):
        if formats:
            with _writing(target):
                _remove_previous(study, target, formats)
        figures = [figure for figure in study.figures if isinstance(figure, FigureKind)]

        def drawn(i: int) -> Any:
            return attempt(lambda: _encoded(figures[i], frames, study, formats))

        for figure, outcome in zip(figures, forked.calls(drawn, len(figures), jobs), strict=True):
            name = figure.name or figure.kind
            if isinstance(outcome, Missing):
                notes.append(f"Figure '{name}' is missing: {outcome.reason}.")
                continue
            drawing, files, unknown, others = outcome.value
            for warning in others:
                warnings.warn_explicit(*warning)
            with _writing(target):
                target.mkdir(parents=True, exist_ok=True)
                for file_format, data in files.items():  # replaced, since a link would lead to a file of somebody else
                    replace_file(target / f"{name}.{file_format}", data)
            rendered.append(drawing)
            if unknown:
                notes.append(f"Figure '{name}': its font has no sign for {unknown}; `font:` names another.")
    return rendered, notes


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(f"{folder}: figures cannot be written: {error.strerror or error}") from None


def _remove_previous(study: StudySpec, folder: Path, formats: Sequence[str]) -> None:
    """Remove the figures of an earlier call, and note the names of this one's; other files in the folder stay.

    An old figure could be mistaken for one of this version of the study. Folders of the first releases have no note of
    their figures: there the names and kinds of this study's figures count.

    Raises:
        OSError: the folder cannot be written.
    """
    note = folder / NOTE
    names = [name for figure in study.figures for name in (figure.name or figure.kind, figure.kind)]
    old = {f"{name}.{file_format}" for name in names for file_format in FORMATS}
    with suppress(OSError, ValueError, KeyError, TypeError):
        old |= {name for name in map(str, read_json(note)["files"]) if _is_own(name)}
    for name in old:
        (folder / name).unlink(missing_ok=True)
    new = sorted({f"{figure.name or figure.kind}.{each}" for figure in study.figures for each in formats})
    if not new and not note.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(note, json.dumps({"files": new}).encode())


def _is_own(name: str) -> bool:
    """Whether a file's name is one that figures can have: no name in a stranger's note leads out of its folder."""
    stem, _, file_format = name.rpartition(".")
    return re.fullmatch(SLUG, stem) is not None and file_format in FORMATS


def _encoded(
    figure: FigureKind, frames: Frames, study: StudySpec, formats: Sequence[str]
) -> tuple[RenderedFigure, dict[str, bytes], str, list[tuple[Any, ...]]]:
    """A figure as the report embeds it, the bytes of its files, the signs that its font does not have, and warnings."""
    with figure.appearing(study), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawn = figure.drawn(frames, study)
        files = {file_format: style.encode(drawn, file_format) for file_format in formats}
        widest = WIDEST * style.chosen().double / style.DOUBLE
        wide = drawn.get_figwidth() > widest
        images = {"light": _embedded(drawn)}
        with style.on("dark"):
            images["dark"] = _embedded(figure.drawn(frames, study))
        if wide:
            images |= _stacked(lambda: figure.drawn(frames, study), widest)
    signs, others = dict[str, None](), []
    for warning in caught:
        unknown = UNKNOWN_SIGN.match(str(warning.message))
        if unknown:
            signs[f"U+{int(unknown[1]):04X}"] = None
        else:
            others.append((warning.message, warning.category, warning.filename, warning.lineno))
    name, light = figure.name or figure.kind, images.pop("light")
    high = bool(drawn.get_figheight() > drawn.get_figwidth())
    rendered = RenderedFigure(name, f"{figure.described(study)}{_seeds(study)}", light, wide, high, images)
    return rendered, files, ", ".join(signs), others


def _seeds(study: StudySpec) -> str:
    """Which seeds a figure shows, of a study that has those of calibration beside those that are judged."""
    if not study.written_seeds.calibration:
        return ""
    purpose = "Calibration" if study.calibrates else "Exploratory" if study.seeds_replaced else "Judged"
    return f" {purpose} seeds {compact(study.seeds)}."


def _stacked(draw: Callable[[], Figure], widest: float) -> dict[str, bytes]:
    """The figure with its panels one below another, on either paper; empty of a figure that has no such form."""
    images = {}
    with stacked():
        drawn = draw()
        if drawn.get_figwidth() <= widest:
            images["stacked"] = _embedded(drawn)
            with style.on("dark"):
                images["stacked dark"] = _embedded(draw())
    return images


def _embedded(drawn: Figure) -> bytes:
    """For a page: an SVG with short paths, to a tenth of a point, or a PNG where that would be larger."""
    svg = PATH.sub(lambda path: SPACES.sub(rb"\1", DECIMALS.sub(rb"\1", path[0])), style.encode(drawn, "svg", SCREEN))
    return svg if len(svg) <= LARGEST_SVG else style.encode(drawn, "png", SCREEN)
