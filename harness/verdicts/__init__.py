"""Judging results: metrics, a study's expectations, and the comparison with an earlier result."""
