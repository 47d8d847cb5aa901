"""What a probe returns is checked before it stands in the tables."""

from typing import Any

import numpy as np
import pytest
import torch

from harness.errors import HarnessError
from harness.probes import profiles
from harness.probes.contract import Update
from harness.schema import Profile

BATCH = (torch.zeros(3, 2, 1, dtype=torch.long), torch.zeros(2, 1, dtype=torch.long))  # T 3, R 2
STEPS = np.arange(3.0)


def no_update() -> Update:
    raise AssertionError("no probe measures the update")


def measured(monkeypatch: pytest.MonkeyPatch, answer: Any) -> Any:
    monkeypatch.setattr(profiles, "probe_named", lambda name: lambda *_: answer)
    return profiles.profiles_of(["own"], None, {}, BATCH, None, no_update)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, "returned NoneType, not a list of profiles for each of 2 replicas"),
        ([[]], "returned list of 1, not a list"),
        ([[], [3.0]], "returned float where a Profile is expected"),
        ([[], [Profile("w", "t", STEPS, np.arange(4.0))]], r"\(3,\) positions, \(4,\) values"),
        ([[], [Profile("w", "t", STEPS, STEPS, np.arange(2.0))]], r"theory \(2,\)"),
        ([[], [Profile("w", "t", np.array([0, np.nan, 2]), STEPS)]], "a position of 'w' that is not finite"),
        ([[], [Profile("w\x1b[31m", "t", STEPS, STEPS)]], "a name that is none"),
    ],
)
def test_a_malformed_answer_names_the_probe_and_the_fault(monkeypatch, answer: Any, fault: str) -> None:
    with pytest.raises(HarnessError, match=f"probe 'own' .*{fault}"):
        measured(monkeypatch, answer)


def test_values_may_be_undefined(monkeypatch) -> None:
    own = Profile("w of x", "lag T − t", STEPS, np.array([0, np.nan, np.inf]))
    assert measured(monkeypatch, [[own], []]) == [[own], []]


def test_a_probe_with_a_parameter_named_update_is_given_it(monkeypatch) -> None:
    coming = Update(3, {}, {})
    seen = []

    def own(model: Any, parameters: Any, batch: Any, state: Any, update: Update) -> list[list[Profile]]:
        seen.append(update)
        return [[], []]

    monkeypatch.setattr(profiles, "probe_named", lambda name: own)
    assert profiles.profiles_of(["own"], None, {}, BATCH, None, lambda: coming) == [[], []]  # type: ignore[arg-type]
    assert seen == [coming]
