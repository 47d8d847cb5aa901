"""Forwards to `harness.figures.style`."""

from harness.figures.style import *  # noqa: F403
