"""The gallery has the images that one command draws and the pages show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from study_texts import study_text

from benchmarks import gallery
from harness.cli import DONE, USAGE_ERROR, guarded
from harness.tasks import TASKS

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *(TOP / "docs").rglob("*.md")]
SHOWN = {
    Path(link).stem for page in PAGES for link in re.findall(r"\]\([^)]*results/gallery/([^)]+)\)", page.read_text())
}
STUDY = study_text(name="small", seeds=2, figures="[{kind: learning}, {kind: decay, hue: cell}]")


def test_every_image_is_drawn_by_a_command_and_shown_on_a_page() -> None:
    tasks = {f"tasks-{name}" for name in TASKS}  # docs/draw_tasks.py
    others = {*tasks, "watch"}  # docs/draw_watch.py
    assert {path.stem for path in gallery.GALLERY.iterdir()} == {*gallery.IMAGES, *others} == SHOWN


@pytest.mark.parametrize("name", gallery.IMAGES)
def test_an_image_is_a_figure_of_its_study_and_small(name: str) -> None:
    study, figure = gallery.IMAGES[name]
    # As written, not as validated: a study of real data needs packages that only its own users have.
    figures = yaml.safe_load((TOP / "studies" / f"{study}.yaml").read_text())["figures"]
    assert figure in {each.get("name", each["kind"]) for each in figures if isinstance(each, dict)}
    assert (gallery.GALLERY / f"{name}.png").stat().st_size <= gallery.LARGEST


def test_the_command_draws_from_finished_studies_and_refuses_others(tmp_path: Path, monkeypatch, capsys) -> None:
    from harness import sweep

    (tmp_path / "studies").mkdir()
    path = tmp_path / "studies" / "small.yaml"
    path.write_text(STUDY)
    monkeypatch.setattr(gallery, "TOP", tmp_path)
    monkeypatch.setattr(gallery, "IMAGES", {"a": ("small", "learning"), "b": ("small", "decay")})
    swept = [str(path), "-o", str(tmp_path / "results"), "-j", "1", "--engine", "torch", "-q"]
    arguments = ["--results", str(tmp_path / "results"), "-o", str(tmp_path)]
    sweep.main([*swept, "--limit", "1"])
    assert guarded(gallery.main, arguments) == USAGE_ERROR
    assert "1 runs of small are missing" in capsys.readouterr().err
    sweep.main(swept)
    images = []
    for _ in range(2):
        assert guarded(gallery.main, arguments) == DONE
        images.append((tmp_path / "a.png").read_bytes())
    assert images[0] == images[1]
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
