"""The verdicts on the expectations of the synthetic study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from synthetic_results import SyntheticResults

    from harness.verdicts.verdict import Verdict


@pytest.fixture(scope="session")
def verdicts(synthetic: SyntheticResults) -> list[Verdict]:
    return synthetic.verdicts
