"""Forwards to `harness.study.labels`."""

from harness.study.labels import *  # noqa: F403
