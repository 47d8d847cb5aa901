"""Forwards to `harness.figures.panels`."""

from harness.figures.panels import *  # noqa: F403
