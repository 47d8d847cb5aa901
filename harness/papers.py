"""python -m harness.papers: published results, what we measured of them, and whether they hold."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    made = argparse.ArgumentParser(
        prog="python -m harness.papers",
        description="List the published results that studies repeat: source, tag, what was measured, holds or not.",
        allow_abbrev=False,
    )
    made.add_argument("studies", nargs="?", default="studies", metavar="FOLDER", help="where studies are (studies)")
    made.add_argument("-o", dest="output", metavar="DIR", help="results are in DIR/<name> (default: results/…)")
    made.add_argument("--markdown", metavar="FILE", help="write the page docs/papers.md too")
    asked = made.parse_args(arguments)
    from harness.errors import HarnessError
    from harness.registry import read
    from harness.report.literature import markdown, reproduction, text
    from harness.store.journal import replace_file
    from harness.study.plan import plan

    if not Path(asked.studies).is_dir():
        raise HarnessError(f"{asked.studies}: no such folder; give the one that your studies are in")
    found = []
    for path in sorted(Path(asked.studies).rglob("*.yaml")):
        study = read(path)
        if study.paper is not None:
            folder = cli.results_folder(str(path), study.name, asked.output)
            found.append(reproduction(plan(study), study.paper, path, folder))
    print(text(found))
    if asked.markdown:
        target = Path(asked.markdown)
        replace_file(target, markdown(found, target.with_suffix("")).encode())
    states = {each.state for each in found}
    return cli.NOT_HELD if "fails" in states else cli.FAILED if states & {"incomplete", "not run"} else cli.DONE


if __name__ == "__main__":
    cli.run(main)
