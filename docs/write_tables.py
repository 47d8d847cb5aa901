"""Writes docs/tables.md from the declarations of the columns (harness/schema/, a task's `measures`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from harness.schema import Column
from harness.store.columns import TABLES

HEAD = """\
# The tables

Written by `python docs/write_tables.py` from the declarations of the columns; do not edit.

Each table is a parquet file (zstd) in `results/<study>/`. Units and meanings are also in the files, as metadata of
each column: `pyarrow.parquet.read_schema("runs.parquet").field("final_accuracy").metadata`. The schema's version is
in the metadata of the table. The tables can be read while the sweep still runs; they are replaced whole. Per-timestep
lists are float32: seven digits of a logarithm.

A study with `tune:` has `tuning.parquet` besides: the runs by which settings were chosen, with the columns of `runs`
and the accuracies at other lengths. `runs` has those that are judged.

`runs` also has every setting of the study as a column. A column is named as in the study, except for `task` (the task's
name), `evaluation_every`, `evaluation_sequences` and `evaluation_lengths`. A setting that can be a number or a word
(`forget_bias`) is text.

Each entry below gives a column, its type, its unit if it has one, and its meaning.
"""
TAIL = """\
## Other files in a results folder

- `journal/`: one file per run, from which everything else is derived. A large journal has segments of many runs
  ([scale.md](scale.md)).
- `failures/`: a note for each run that failed.
- `working/`: what workers compute while a sweep runs.
- `checkpoints/`: the state of unfinished runs.
- `plan.json` and `provenance.json`: the last study that was run, and on what it ran.
- `store.json`: the schema's version.
- `.lock` and `holder.json` (of a shard: `.lock-1-of-4`, `holder-1-of-4.json`): the sweep that is writing.
- `.derived`: keeps two shards from writing tables at once.
- `figures/.files.json`: the names of the figures that the last report has written.
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for table in TABLES.values():
        lines += [f"## {table.name}", "", f"A row is {table.grain}.", ""]
        lines += [line for column in table.columns for line in entry(column)]
        lines.append("")
    return "\n".join([*lines, TAIL])


def entry(column: Column) -> Iterator[str]:
    """The lines of one column's entry."""
    facts = "; ".join(filter(None, (f"`{column.type}`", column.unit)))
    yield from wrap(
        f"- `{column.name}` ({facts}): {column.meaning}",
        120,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    (Path(__file__).parent / "tables.md").write_text(page())
