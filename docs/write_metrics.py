"""Writes docs/metrics.md from the metrics (harness/verdicts/metrics.py, and columns that say how they are judged)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from harness.verdicts.metrics import METRICS, WITH_NUMBER, Metric

HEAD = """\
# The metrics

Written by `python docs/write_metrics.py` from the declarations of the metrics; do not edit.

A metric is what an expectation is about (`expect: [{metric: success_rate, at_least: 0.8}]`), what `--metric` of
`harness.compare` takes, and what the figure `score` draws. It is measured over the seeds of a group of runs. How to
add one is in [extending.md](extending.md#a-metric).

Each entry below gives a metric, its unit, whether higher or lower values are better, its meaning with the statistic
and its interval, and the margin of a comparison ([comparing.md](comparing.md)).

## At one length

`accuracy_at_length(T)` is a metric for each length T of `evaluation.lengths`, which stands in brackets:

```yaml
evaluation: {lengths: [100, 200, 400]}
expect:
  - {metric: accuracy_at_length(400), where: {cell: lstm}, at_least: 0.9}
  - {metric: accuracy_at_length(400), contrast: {cell: [lstm, rnn]}}
```

An expectation at a length that some of its runs are not judged at is refused when the study is read.

## Success

A run is `solved` when an evaluation meets the task's rule ([tasks.md](tasks.md)). An evaluation needs enough sequences
for that: two at least, and so many that a network that guesses gets all of them right with probability below .05. A
study with fewer (`evaluation.sequences`) is refused: by guessing between two answers, five; between four, three. Tasks
with a loss at every step, or whose answer is a sequence, have many answers in one sequence, and no such limit.

## All metrics

"""
BETTER = {1: "higher is better", -1: "lower is better", 0: "neither direction is better"}


def page() -> str:
    """The whole page."""
    metrics = [*METRICS.values(), *(metric("T") for metric in WITH_NUMBER.values())]
    return HEAD + "\n".join(line for metric in metrics for line in entry(metric)) + "\n"


def entry(metric: Metric) -> Iterator[str]:
    """The lines of one metric's entry."""
    facts = "; ".join(filter(None, (metric.unit, BETTER[metric.better])))
    margin = "" if metric.margin is None else f". Margin: {metric.margin:g}"
    yield from wrap(
        f"- `{metric.name}` ({facts}): {metric.meaning}{margin}.",
        120,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    (Path(__file__).parent / "metrics.md").write_text(page(), encoding="utf-8")
