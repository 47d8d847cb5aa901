"""What the numbers say to a study's expectations, and to an earlier result: metrics, verdicts, comparisons."""
