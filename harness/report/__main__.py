"""python -m harness.report STUDY: figures, verdicts and report again, from what is kept; --all: a page over all."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    made = cli.parser("report", "Draw a study's figures and write its report again, from what is kept.", optional=True)
    made.add_argument("--all", action="store_true", help="write an index page over all results instead: DIR/index.html")
    made.add_argument("--live", action="store_true", help="serve the report on this machine alone while a sweep runs")
    made.add_argument("--port", type=port, default=0, metavar="N", help="with --live: the port (default: a free one)")
    cli.looks(made)
    made.add_argument("--latex", metavar="FILE", help="also write the grid and the verdicts as LaTeX tables")
    made.add_argument(
        "--tensorboard", metavar="DIR", help="also write the learning curves as TensorBoard's event files"
    )
    asked = made.parse_args(arguments)
    exported = asked.latex or asked.tensorboard
    if asked.all and (asked.study or asked.overrides or asked.live or exported):
        made.error("--all is about every study: it goes with -o alone")
    if not asked.all and asked.study is None:
        made.error("which study? give its YAML file, or --all")
    if asked.live and exported:
        made.error("--live shows results while they come; --latex and --tensorboard write them when they are there")
    if asked.port and not asked.live:
        made.error("--port goes with --live")
    if asked.all:
        from harness.report.index import write_index

        target, count = write_index(Path(asked.output or "results"))
        print(f"{target}: {count} {'study' if count == 1 else 'studies'}")
        return cli.DONE
    from harness.registry import read
    from harness.study.plan import plan

    study = read(asked.study, asked.overrides)
    folder = cli.results_folder(asked.study, study.name, asked.output)
    if asked.live:
        from harness.report.serving import serve

        serve(plan(study), folder, asked.port, say=lambda text: print(text, flush=True))
        return cli.DONE
    from harness.report.presenting import present

    presented = present(plan(study), folder, asked.formats, asked.style)
    print(presented.screen())
    if asked.latex:
        from harness.report import latex

        latex.write(Path(asked.latex), study, presented.judged.frames, presented.judged.verdicts)
        print(f"latex     {asked.latex}")
    if asked.tensorboard:
        from harness.report import tensorboard

        tensorboard.write(Path(asked.tensorboard), study, presented.judged.frames)
        print(f"events    {asked.tensorboard}")
    return cli.DONE


def port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("a port is 0 (any free one) to 65535")
    return value


if __name__ == "__main__":
    cli.run(main)
