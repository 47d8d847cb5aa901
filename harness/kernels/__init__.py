"""Forwards to `harness.recurrence.kernels`, its place since version 0.2."""

from harness.recurrence.kernels import *  # noqa: F403
