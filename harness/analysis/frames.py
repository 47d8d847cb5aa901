"""Forwards to `harness.statistics.frames`."""

from harness.statistics.frames import *  # noqa: F403
