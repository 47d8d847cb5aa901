"""Why a goal is missed, by the goal's key: written by hand, shown beside the miss and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {}
