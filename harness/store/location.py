"""Where the results of a study lie, and a note where that is not where its name says."""

from __future__ import annotations

from pathlib import Path


def results_folder(study: str, name: str, output: str | None) -> Path:
    """The results folder of a study.

    Args:
        study: the path of its YAML file.
        name: the study's name.
        output: the folder above, as after -o; without it results are in results/<path under studies/>, or in
            results/<name> for a file elsewhere.
    """
    if output is not None:
        return Path(output) / name
    path = Path(study).resolve()
    # the results of a file called ...yaml would lie above results/
    if "studies" in path.parts[:-1] and path.stem.strip("."):
        below = path.parts[len(path.parts) - 1 - path.parts[::-1].index("studies") + 1 :]
        return Path("results", *below).with_suffix("")
    return Path("results") / name
