"""What is learnt: one file a task. A new task is one file, and one name in this table."""

from harness.tasks import temporal_order
from harness.tasks.task import Task

TASKS: dict[str, type[Task]] = {
    "temporal_order": temporal_order.TemporalOrder,
}
