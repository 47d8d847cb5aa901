"""python -m harness: the commands there are."""

from __future__ import annotations

from importlib import import_module

from harness import doors

DOORS = ("sweep", "status", "check", "compare", "report", "papers", "sample")


def main(arguments: list[str]) -> int:
    """A line each: what it is called, and what it does."""
    for name in DOORS:
        print((import_module(f"harness.{name}").__doc__ or "").splitlines()[0])
    print("\nEach has --help. From Python: harness.Study and harness.load (docs/notebooks.md).")
    return doors.WRONG if arguments and not {"-h", "--help"} & set(arguments) else doors.DONE


if __name__ == "__main__":
    doors.run(main)
