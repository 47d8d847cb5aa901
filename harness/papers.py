"""python -m harness.papers: published results, the measurements that repeat them, and whether they hold."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.papers",
        description="List the published results that studies repeat: source, tag, what was measured, holds or not.",
        allow_abbrev=False,
    )
    parser.add_argument("studies", nargs="?", default="studies", metavar="FOLDER", help="where studies are (studies)")
    parser.add_argument("-o", dest="output", metavar="DIR", help="results are in DIR/<name> (default: results/…)")
    parser.add_argument(
        "--baselines", metavar="DIR", help="judge committed baselines, DIR/<path under studies> (results/reference)"
    )
    parser.add_argument("--markdown", metavar="FILE", help="write the page docs/papers.md too")
    parsed = parser.parse_args(arguments)
    from harness.errors import HarnessError
    from harness.registry import read
    from harness.report.literature import markdown, reproduction, text
    from harness.store.files import replace_file
    from harness.store.location import results_folder
    from harness.study.plan import plan
    from harness.study.yaml_document import load

    if not Path(parsed.studies).is_dir():
        raise HarnessError(f"{parsed.studies}: no such folder; give the one that your studies are in")
    reproductions = []
    for path in sorted(Path(parsed.studies).rglob("*.yaml")):
        written = load(path).data
        if not (isinstance(written, dict) and "paper" in written):
            continue  # it is not read: it may need packages or code that are not here
        study = read(path)
        if study.paper is None:
            continue
        if parsed.baselines:
            folder = Path(parsed.baselines) / path.relative_to(parsed.studies).with_suffix("")
        else:
            folder = results_folder(str(path), study.name, parsed.output)
        reproductions.append(reproduction(plan(study), study.paper, path, folder, baseline=bool(parsed.baselines)))
    print(text(reproductions))
    if parsed.markdown:
        target = Path(parsed.markdown)
        replace_file(target, markdown(reproductions, target.with_suffix("")).encode())
    states = {each.state for each in reproductions}
    if states == {"not run"}:  # a fresh clone: nothing is missing of what was begun
        return cli.DONE
    if "fails" in states:
        return cli.EXPECTATION_FAILED
    if states & {"incomplete", "not run"}:
        return cli.RUNS_MISSING
    return cli.UNDECIDED if "undecided" in states else cli.DONE


if __name__ == "__main__":
    cli.run(main)
