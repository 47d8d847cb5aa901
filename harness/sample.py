"""python -m harness.sample STUDY PROMPT: a trained language model continues a prompt, or suggests what comes next."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from harness import cli
from harness.errors import likeliest

if TYPE_CHECKING:
    from harness.tasks.text import Text
    from harness.tasks.written_programs import WrittenPrograms


def main(arguments: list[str]) -> int:
    """Parse, call, print."""
    parsed = _parser().parse_args(arguments)
    from harness.execution.environment import prepare

    prepare()
    from itertools import islice
    from math import log

    from harness.errors import HarnessError
    from harness.execution.options import check_where, conditions
    from harness.registry import read
    from harness.store.journal import Journal
    from harness.store.location import results_folder
    from harness.store.winners import resolved
    from harness.study.matching import matches
    from harness.study.plan import plan
    from harness.tasks.text import Text
    from harness.tasks.written_programs import WrittenPrograms

    study = read(parsed.study, parsed.overrides)
    where = conditions(parsed.where, study, "--where")
    # with tuning, the networks of the winners
    planned = resolved(plan(study), results_folder(parsed.study, study.name, parsed.output)).runs
    check_where(where, [run.columns() for run in planned], study)
    runs = [run for run in planned if matches(run.columns(), where)]
    task = runs[0].sections.by_name().get("task")
    if not isinstance(task, Text | WrittenPrograms):
        raise HarnessError(
            f"'{runs[0].columns().get('task')}' has no text to continue; the tasks 'characters' and 'words' have, and "
            "'written_programs' has programs to evaluate"
        )
    if isinstance(task, WrittenPrograms):
        right = interpreted(parsed.prompt, task)
    elif not task.symbols(parsed.prompt):
        raise HarnessError(f"the prompt is empty; a network needs at least one {task.symbol} to continue")
    from harness.execution.trained import best
    from harness.models.sampling import answer_to, continuation, probabilities, read_on

    with cli.naming_the_sweep(parsed):
        trained = best(runs, Journal.open(results_folder(parsed.study, study.name, parsed.output)))
    settings = ", ".join(f"{name}={trained.run.columns().get(name)}" for name in (*study.axes(), "seed"))
    if isinstance(task, WrittenPrograms):
        print(f"run {trained.run.run_id} ({settings}): loss {trained.final_loss:.3f}", file=sys.stderr)
        written = answer_to(trained.model, trained.parameters, parsed.prompt)  # type: ignore[arg-type]
        print(f"network      {'no number' if written is None else written}\ninterpreter  {right}")
        return cli.DONE
    symbols = task.symbols(parsed.prompt)
    print(
        f"run {trained.run.run_id} ({settings}): {trained.final_loss / log(2):.2f} bits per {task.symbol}",
        file=sys.stderr,
    )
    prompt = task.tokens(parsed.prompt)
    unknown = sorted({own for own, known in zip(symbols, task.spelled(prompt), strict=True) if own != known})
    if unknown:
        print(f"note: {unheard(unknown, task)}", file=sys.stderr)
    if parsed.suggest is not None:
        p = probabilities(read_on(trained.model, trained.parameters, prompt)[0], parsed.temperature, parsed.top_k)
        for token in (-p).argsort(kind="stable")[: parsed.suggest].tolist():
            print(f"{task.alphabet[token]!r}  {p[token]:.3f}")
        return cli.DONE
    tokens = continuation(
        trained.model, trained.parameters, prompt, temperature=parsed.temperature, top_k=parsed.top_k, seed=parsed.seed
    )
    print(parsed.prompt, end="")
    for token in islice(tokens, parsed.length):
        print(f"{task.between}{task.alphabet[token]}", end="", flush=True)
    print()
    return cli.DONE


def interpreted(program: str, task: WrittenPrograms) -> int:
    """What a program prints, by the interpreter.

    Raises:
        HarnessError: it is no program of the task.
    """
    from harness.errors import HarnessError
    from harness.tasks.programs import evaluated

    try:
        task.read(program)
        return evaluated(program)
    except (ValueError, SyntaxError) as error:
        raise HarnessError(f"the program cannot be evaluated: {error}") from error


def unheard(symbols: list[str], task: Text) -> str:
    """What a note says of a prompt's symbols that the network has not met; of words, with the nearest that it has."""
    named = (f"{symbol!r}{likeliest(symbol, task.alphabet) if len(symbol) > 1 else ''}" for symbol in symbols)
    return f"not in the alphabet, read as {task.alphabet[-1]}: {' '.join(named)}"


def _parser() -> argparse.ArgumentParser:
    parser = cli.study_parser(
        "sample",
        "Continue a prompt with the best network of a study of characters or words: that of the lowest final loss.",
    )
    add = parser.add_argument
    add("prompt", metavar="PROMPT", help="the text to continue")
    add("--length", type=count, default=300, metavar="N", help="characters, or words, to add (default 300)")
    add(
        "--temperature",
        type=temperature,
        default=1.0,
        metavar="T",
        help="0: the likeliest always; 1: as learnt (default)",
    )
    add("--top-k", type=positive, metavar="K", help="draw only from the K likeliest")
    add("--seed", type=count, default=0, metavar="S", help="of the draws (default 0)")
    add("--where", action="append", default=[], metavar="COLUMN=VALUE[,VALUE]", help="only runs with these values")
    add(
        "--suggest",
        type=positive,
        metavar="K",
        help="print the K likeliest next symbols with their probabilities, and stop",
    )
    return parser


def count(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**64:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def temperature(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("a temperature is 0 or more")
    return value


if __name__ == "__main__":
    cli.run(main)
