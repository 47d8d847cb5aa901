"""Where the results of a study lie, and a note where that is not where its name says."""

from __future__ import annotations

from pathlib import Path


def results_folder(study: str, name: str, output: str | None) -> Path:
    """The results folder of a study.

    Args:
        study: the path of its YAML file.
        name: the study's name.
        output: the folder above, as after -o; without it results are in results/<path under studies/>, or in
            results/<name> for a file elsewhere. A watched training's study lies in its results folder.
    """
    if output is not None:
        return Path(output) / name
    path = Path(study).resolve()
    if (path.name, path.parent.name) == ("study.yaml", name) and (path.parent / "store.json").exists():
        return Path(study).parent
    if _below_studies(path):
        below = path.parts[len(path.parts) - 1 - path.parts[::-1].index("studies") + 1 :]
        return Path("results", *below).with_suffix("")
    return Path("results") / name


def name_note(study: str, name: str, output: str | None) -> str:
    """A sentence where the file's name, and not the study's, says where the results are; else empty."""
    path = Path(study).resolve()
    if output is not None or not _below_studies(path) or path.stem == name:
        return ""
    folder = results_folder(study, name, None)
    return f"results are in {folder}, after the file; name: {name} counts in titles, and with -o DIR: DIR/{name}"


def _below_studies(path: Path) -> bool:
    # the results of a file called ...yaml would lie above results/
    return "studies" in path.parts[:-1] and bool(path.stem.strip("."))
