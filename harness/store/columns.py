"""The tables of a results folder: those of the schema, and in the table of runs what the tasks measure."""

from __future__ import annotations

from collections.abc import Mapping

from harness.schema import OTHER_TABLES, RUN_COLUMNS, Table
from harness.tasks import TASKS

TASK_COLUMNS = tuple(dict.fromkeys(column for task in TASKS.values() for column in task.measures))
OF_TASKS = frozenset(column.name for column in TASK_COLUMNS)  # measured by some tasks only
RUNS = Table("runs", "a run", (*RUN_COLUMNS, *TASK_COLUMNS))
TABLES: Mapping[str, Table] = {table.name: table for table in (RUNS, *OTHER_TABLES)}
# The runs of tuning are a table of their own, so that no figure and no verdict takes them for runs that are judged.
TUNING = "tuning"
