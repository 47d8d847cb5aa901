"""python -m harness COMMAND …: the commands by one name; without one, what there is. Installed as `harness`, too."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module

from harness import cli
from harness.errors import nearest

COMMANDS: Mapping[str, str] = {
    "sweep": "harness.sweep",
    "status": "harness.status",
    "freeze": "harness.freeze",
    "check": "harness.check",
    "compare": "harness.compare",
    "report": "harness.report.__main__",
    "papers": "harness.papers",
    "leaderboard": "harness.leaderboard",
    "sample": "harness.sample",
}


def main(arguments: list[str]) -> int:
    """Hand the arguments to the command that the first of them names; without one, list the commands."""
    if not arguments or arguments[0] in ("-h", "--help"):
        for module in COMMANDS.values():
            print((import_module(module).__doc__ or "").splitlines()[0])
        print("\nEach has --help; `harness sweep` is `python -m harness.sweep`.")
        print("From Python: harness.Study and harness.load (docs/notebooks.md).")
        return cli.DONE
    command, *rest = arguments
    if command not in COMMANDS:
        print(f"no command '{command}'{nearest(command, COMMANDS)}", file=sys.stderr)
        return cli.USAGE_ERROR
    return int(import_module(COMMANDS[command]).main(rest))


def entry() -> None:
    """What the console script runs."""
    cli.run(main)


if __name__ == "__main__":
    entry()
