"""Forwards `harness.analysis.figures.kind` and `.panels` to `harness.figures`."""
