"""Forwards to `harness.verdicts.comparison`."""

from harness.verdicts.comparison import *  # noqa: F403
