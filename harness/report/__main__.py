"""python -m harness.report STUDY: figures, verdicts and report again, from the results so far; --all: an index."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import cli


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parser = cli.study_parser(
        "report", "Draw a study's figures and write its report again, from the results so far.", study_optional=True
    )
    parser.add_argument(
        "--all", action="store_true", help="write an index page over all results instead: DIR/index.html"
    )
    parser.add_argument("--live", action="store_true", help="serve the report on this machine alone while a sweep runs")
    parser.add_argument("--port", type=port, default=0, metavar="N", help="with --live: the port (default: a free one)")
    cli.add_figure_options(parser)
    parser.add_argument(
        "--columns",
        metavar="METRIC[,METRIC]",
        help="metrics of the grid, in the report and with --latex (default: success_rate,solved_at,final_accuracy); "
        "initial_adjoint_slope is the gradient's",
    )
    parser.add_argument("--latex", metavar="FILE", help="also write the grid and the verdicts as LaTeX tables")
    parser.add_argument(
        "--tensorboard", metavar="DIR", help="also write the learning curves as TensorBoard's event files"
    )
    parsed = parser.parse_args(arguments)
    exports = parsed.latex or parsed.tensorboard
    if parsed.columns and (parsed.all or parsed.live):
        parser.error("--columns is about one study's report: it goes with neither --all nor --live")
    if parsed.all and (parsed.study or parsed.overrides or parsed.live or exports):
        parser.error("--all is about every study: it goes with -o alone")
    if not parsed.all and parsed.study is None:
        parser.error("which study? give its YAML file, or --all")
    if parsed.live and exports:
        parser.error("--live shows results while they come; --latex and --tensorboard write them when they are there")
    if parsed.port and not parsed.live:
        parser.error("--port goes with --live")
    if parsed.all:
        from harness.report.index import write_index

        target, count = write_index(Path(parsed.output or "results"))
        print(f"{target}: {count} {'study' if count == 1 else 'studies'}")
        return cli.DONE
    from harness.registry import read
    from harness.store.location import results_folder
    from harness.study.plan import plan

    study = read(parsed.study, parsed.overrides)
    folder = results_folder(parsed.study, study.name, parsed.output)
    if parsed.live:
        from harness.report.serving import serve

        serve(plan(study), folder, parsed.port, say=lambda text: print(text, flush=True))
        return cli.DONE
    from harness.report.gridtable import MEASURES, measures_named
    from harness.report.presenting import present

    measures = measures_named(parsed.columns) if parsed.columns else MEASURES
    with cli.naming_the_sweep(parsed, study.experiment.name):
        report = present(plan(study), folder, parsed.formats, parsed.style, measures, jobs=None)
    print(report.screen())
    study = report.judged.plan.study  # with the seeds that are shown alone
    if parsed.latex:
        from harness.report import latex

        judged = report.judged
        latex.write(Path(parsed.latex), study, judged.frames, judged.verdicts, measures, judged.sentences())
        print(f"latex     {parsed.latex}")
    if parsed.tensorboard:
        from harness.report import tensorboard

        tensorboard.write(Path(parsed.tensorboard), report.judged.plan.study, report.judged.frames)
        print(f"events    {parsed.tensorboard}")
    return cli.DONE


def port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("a port is 0 (any free one) to 65535")
    return value


if __name__ == "__main__":
    cli.run(main)
