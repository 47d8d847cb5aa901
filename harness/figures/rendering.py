"""All figures of a study: drawn, written to files, and encoded for the report."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, ResultsError
from harness.figures import style
from harness.figures.kind import FigureKind
from harness.statistics.frames import Frames
from harness.store.files import read_json, replace_file
from harness.study.spec import SLUG, StudySpec

FORMATS = tuple(style.METADATA)
NOTE = ".files.json"  # names of the files that the last call has written
LARGEST_SVG = 200_000  # bytes; beyond it the report embeds a PNG


@dataclass(frozen=True)
class RenderedFigure:
    """One figure as the report embeds it: name, caption, the bytes of an SVG or a PNG, and whether it is wide."""

    name: str
    caption: str
    image: bytes
    wide: bool = False  # both columns of a paper: scrolls on a phone instead of shrinking beyond reading

    @property
    def media_type(self) -> str:
        return "image/png" if self.image.startswith(b"\x89PNG") else "image/svg+xml"


def render(
    study: StudySpec, frames: Frames, folder: Path, formats: Sequence[str] = ("pdf", "png"), style_name: str = "paper"
) -> tuple[list[RenderedFigure], list[str]]:
    """Draw the study's figures and write each as `folder`/<name>.<format>.

    A figure that cannot be drawn (nothing has run for its `where`) becomes a note, not an error: the others are drawn
    all the same.

    Args:
        study: whose `figures` are drawn.
        frames: its results.
        folder: where the files go; created if it does not exist.
        formats: file types: pdf, png, svg; what an earlier call has written is removed.
        style_name: paper, talk or notebook.

    Returns:
        the figures in the study's order, and a sentence for each figure that is missing.

    Raises:
        HarnessError: there is no such style.
        ResultsError: the folder cannot be written.
    """
    rendered, notes = [], []
    with style.use(style_name) as chosen:
        if formats:
            _remove_previous(study, folder, formats)
        for figure in study.figures:
            if not isinstance(figure, FigureKind):
                continue
            name = figure.name or figure.kind
            try:
                drawn = figure.draw(frames, study)
            except HarnessError as error:
                notes.append(f"Figure '{name}' is missing: {error}.")
                continue
            try:
                folder.mkdir(parents=True, exist_ok=True)
                for file_format in formats:  # replaced, since a link would lead to a file of somebody else
                    replace_file(folder / f"{name}.{file_format}", style.encode(drawn, file_format))
            except OSError as error:
                raise ResultsError(f"{folder}: figures cannot be written: {error.strerror or error}") from None
            svg = style.encode(drawn, "svg")
            image = svg if len(svg) <= LARGEST_SVG else style.encode(drawn, "png")
            rendered.append(RenderedFigure(name, figure.caption(study), image, drawn.get_figwidth() > chosen.single))
    return rendered, notes


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
