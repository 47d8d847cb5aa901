"""All figures of a study: drawn, written to files, and encoded for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, ResultsError
from harness.figures import style
from harness.figures.kind import FigureKind
from harness.statistics.frames import Frames
from harness.study.spec import StudySpec

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
        formats: file types: pdf, png, svg; files of all three from an earlier call are removed.
        style_name: paper, talk or notebook.

    Returns:
        the figures in the study's order, and a sentence for each figure that is missing.

    Raises:
        HarnessError: there is no such style.
        ResultsError: the folder cannot be written.
    """
    rendered, notes = [], []
    with style.use(style_name) as chosen:
        for old in folder.glob("*"):  # an old figure could be mistaken for one of this version of the study
            if old.suffix in (".pdf", ".png", ".svg"):
                old.unlink(missing_ok=True)
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
                style.save(drawn, folder / name, formats)
            except OSError as error:
                raise ResultsError(f"{folder}: figures cannot be written: {error.strerror or error}") from None
            svg = style.encode(drawn, "svg")
            image = svg if len(svg) <= LARGEST_SVG else style.encode(drawn, "png")
            rendered.append(RenderedFigure(name, figure.caption(study), image, drawn.get_figwidth() > chosen.single))
    return rendered, notes
