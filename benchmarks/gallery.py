"""python -m benchmarks.gallery: the images of the README and of docs/ again, from finished studies."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from harness import cli
from harness.errors import HarnessError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = Path(__file__).parents[1]
GALLERY = TOP / "results" / "gallery"
IMAGES: Mapping[str, tuple[str, str]] = {  # image: study below studies/, figure of that study
    "spectral-success": ("spectral", "success"),
    "spectral-overview": ("spectral", "overview"),
    "fair": ("fair", "overview"),
    "each-cell": ("each-cell", "decay"),
    "lecture-captions": ("lecture/captions", "examples"),
    "lecture-months": ("lecture/phrases", "months"),
    "lecture-paths": ("lecture/paths", "nodes"),
    "lecture-phrases": ("lecture/phrases", "codes"),
    "lecture-programs": ("lecture/programs", "difficulties"),
    "lecture-states": ("lecture/states", "states"),
    "lecture-words": ("lecture/words", "arrows"),
    "papers-a5": ("papers/a5", "generalisation"),
    "papers-adding": ("papers/adding", "score"),
    "papers-attention-decay": ("papers/attention-decay", "first-step"),
    "papers-cells": ("papers/cells", "decay-stays"),
    "papers-chrono": ("papers/chrono", "decay"),
    "papers-cliff": ("papers/cliff", "wall"),
    "papers-copying": ("papers/copying", "ratio"),
    "papers-critical-gain": ("papers/critical-gain", "overview"),
    "papers-curse-of-memory": ("papers/curse-of-memory", "sensitivity"),
    "deep": ("deep", "heatmap"),
    "papers-depth": ("papers/depth", "heatmap"),
    "papers-decay-by-cell": ("papers/decay-by-cell", "decay"),
    "papers-flossing": ("papers/flossing", "overview"),
    "papers-flossing-training": ("papers/flossing-training", "learning"),
    "papers-gated-memory": ("papers/gated-memory", "overview"),
    "papers-gated-trainability": ("papers/gated-trainability", "success"),
    "papers-influence-balancing": ("papers/influence-balancing", "truncated-gradient"),
    "papers-jacobian-bound": ("papers/jacobian-bound", "single-steps"),
    "papers-learnable-lag": ("papers/learnable-lag", "by-lag"),
    "papers-linear-decay": ("papers/linear-decay", "decay"),
    "papers-lyapunov": ("papers/lyapunov", "spectrum"),
    "papers-matrix-memory": ("papers/matrix-memory", "generalisation"),
    "papers-mean-field": ("papers/mean-field", "phase"),
    "papers-memory-mixing": ("papers/memory-mixing", "generalisation"),
    "papers-mingru": ("papers/mingru", "overview"),
    "papers-normalised-memory": ("papers/normalised-memory", "sensitivity"),
    "papers-parallel-newton": ("papers/parallel-newton", "exponents"),
    "papers-parity": ("papers/parity", "generalisation"),
    "papers-parity-end": ("papers/parity-end", "learning"),
    "papers-pascanu-fig7": ("papers/pascanu-fig7", "success"),
    "papers-sparse-forcing": ("papers/sparse-forcing", "overview"),
    "papers-state-tracking": ("papers/state-tracking", "generalisation"),
    "papers-trainability": ("papers/trainability", "prediction"),
    "papers-ways-to-the-gradient": ("papers/ways-to-the-gradient", "bias"),
    "papers-ways-spread": ("papers/ways-to-the-gradient", "spread"),
    "real-mnist5k": ("real/mnist5k", "accuracy"),
    "real-pigcvp": ("real/pigcvp", "decay"),
}
WIDTH = 1100  # pixels
LARGEST = 150_000  # bytes: a page of several opens at once


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("--results", default=str(TOP / "results"), metavar="DIR", help="where finished studies are")
    parser.add_argument("-o", dest="output", default=str(GALLERY), metavar="DIR", help="where the images go")
    options = parser.parse_args(arguments)
    for name, (study, figure) in IMAGES.items():
        image = png(drawn(TOP / "studies" / f"{study}.yaml", Path(options.results) / study, figure))
        if len(image) > LARGEST:
            raise HarnessError(f"{name}: {len(image):,} bytes are more than {LARGEST:,}")
        path = Path(options.output) / f"{name}.png"
        path.write_bytes(image)
        print(f"{path}: {len(image):,} bytes")
    return cli.DONE


def drawn(path: Path, folder: Path, name: str) -> Figure:
    """One figure of a finished study.

    Raises:
        HarnessError: the folder has no results, or runs of the study are missing in it.
    """
    from harness.figures.kind import FigureKind
    from harness.registry import read
    from harness.study.plan import plan
    from harness.verdicts.judging import judge_folder

    study = read(path)
    judged = judge_folder(plan(study), folder)
    missing = len(judged.plan.runs) - len(judged.frames.runs)
    if missing:
        raise HarnessError(f"{folder}: {missing} runs of {study.name} are missing; the gallery shows finished studies")
    (kind,) = (each for each in study.figures if isinstance(each, FigureKind) and (each.name or each.kind) == name)
    return kind.draw(judged.frames, study)


def png(figure: Figure) -> bytes:
    """A figure as a small image; the same figure gives the same bytes."""
    from PIL import Image

    from harness.figures import style

    drawn, small = BytesIO(), BytesIO()
    with style.context():
        figure.savefig(drawn, format="png", dpi=WIDTH / figure.get_figwidth())
    Image.open(drawn).convert("RGB").save(small, "png", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    cli.run(main)
