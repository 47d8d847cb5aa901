"""Forwards to `harness.figures.kind`."""

from harness.figures.kind import *  # noqa: F403
