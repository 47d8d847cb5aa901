"""Between the two phases of a study with tuning: other shards are awaited, and the winners chosen and stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, sleep

from harness.store import winners
from harness.store.journal import Journal
from harness.store.locks import others_at_work, waiting
from harness.store.tables import tuning_table
from harness.study.plan import Plan, Run
from harness.verdicts.choosing import chosen_from

POLL_SECONDS = 2.0  # between two looks for the runs of other shards
SAY_SECONDS = 60.0  # between two notes about them
PATIENCE_SECONDS = 60.0  # without another shard at work, and without a run that has ended: nobody computes them


def await_others(runs: Sequence[Run], journal: Journal, shard: str, say: Callable[[str], None]) -> int:
    """Wait until these runs, which are other shards', have a result or have failed; return how many have neither.

    A shard that has ended, or was never started, is not waited for: after a while without another shard at work and
    without a run that ends, the wait is over.
    """
    pending, total = {run.run_id for run in runs}, len(runs)
    last_note, last_progress = -SAY_SECONDS, monotonic()
    with waiting(journal.folder, shard):
        while pending:
            before = len(pending)
            pending -= journal.done() | journal.failures().keys()
            now = monotonic()
            if len(pending) < before or others_at_work(journal.folder, shard):
                last_progress = now
            if not pending or now - last_progress > PATIENCE_SECONDS:
                break
            if now - last_note >= SAY_SECONDS:
                say(f"shard {shard} waits for {len(pending)} of {total} tuning runs of other shards")
                last_note = now
            sleep(POLL_SECONDS)
    return len(pending)


def choose(plan: Plan, journal: Journal, say: Callable[[str], None]) -> tuple[Plan, list[str]]:
    """Choose and store the winners whose runs are complete; the plan with them, and why others are missing.

    Args:
        plan: of the study.
        journal: with the runs.
        say: is informed of each winner that was not stored before.

    Raises:
        ResultsError: winners.json is damaged.
        OSError: it cannot be written.
    """
    new, sentences, words = chosen_from(plan, tuning_table(journal, plan), winners.read(journal.folder))
    winners.add(plan, journal.folder, new)
    for each in words:
        say(f"winner of {each}")
    return winners.resolved(plan, journal.folder), sentences
