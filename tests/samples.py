"""Cases of a law of which the ordinary tests run a few; `tox -e every` runs the others too."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], ordinary: Container[Any]) -> list[Any]:
    """All cases in their order; those that are not `ordinary` are marked long."""
    return [case if case in ordinary else _long(case) for case in cases]


def _long(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.long)
