"""Turns cancel a drifting clock; stopwatches lose and invent no time; a line is a line."""

from __future__ import annotations

import pytest

from benchmarks.growth import worst_deviation
from benchmarks.measurement import Effort
from benchmarks.own import train_steps
from benchmarks.paired import Contestant, in_turns, interleaved, quotient
from benchmarks.parts import PARTS, shares
from benchmarks.problem import Problem
from benchmarks.sizes import Sizes


class Machine:
    """Everything takes longer, turn by turn."""

    def __init__(self, drift: float) -> None:
        self.drift, self.turns, self.order = drift, 0, []

    def contestant(self, name: str, seconds: float, replicas: int = 1) -> Contestant:
        def turn(steps: int) -> float:
            self.turns += 1
            self.order.append(name)
            return seconds * (1 + self.drift * self.turns)

        return Contestant(turn, replicas, fewest=1)


def test_a_linear_drift_cancels() -> None:
    machine = Machine(drift=0.5)
    own, peer = machine.contestant("own", 8.0, replicas=8), machine.contestant("peer", 3.0)
    pairs = interleaved(own, [{"peer": peer}], Effort(repeats=4))["peer"]
    assert pairs.ratios == pytest.approx([3.0] * 4)


def test_every_group_stands_between_two_turns_of_the_harness() -> None:
    machine = Machine(drift=0.0)
    peers = {name: machine.contestant(name, 1.0) for name in "BCDE"}
    groups = [{name: peers[name] for name in "BC"}, {name: peers[name] for name in "DE"}]
    timings = interleaved(machine.contestant("A", 1.0), groups, Effort(repeats=2))
    assert "".join(machine.order[-13:]) == "ABCADEABCADEA"
    assert list(timings) == list("BCDE")
    assert all(len(pairs.ratios) == 2 for pairs in timings.values())


def test_a_slow_contestant_takes_its_fewest_steps_a_very_slow_one_a_single_step_and_a_fast_one_fills_its_turn() -> None:
    assert Contestant(lambda steps: 0.2, fewest=3).pace(0.1) == 3
    assert Contestant(lambda steps: 10.0, fewest=3).pace(0.1) == 1
    assert Contestant(lambda steps: 0.01, fewest=3).pace(0.1) == 10


def test_rounds_alternate() -> None:
    order = []
    results = in_turns({"a": lambda: order.append("a") or 6.0, "b": lambda: order.append("b") or 3.0}, 2)
    assert order == ["a", "b", "a", "b"]
    assert quotient(results["a"], results["b"]) == (2.0, 2.0)


def test_shares_of_a_step_add_up_to_one() -> None:
    measured = shares(Problem(Sizes("lstm", H=5, T=12, B=3, R=2)), 4)
    assert set(measured) == set(PARTS)
    assert sum(measured.values()) == pytest.approx(1.0)
    assert all(share > 0 for share in measured.values())


def test_the_loop_stops_after_the_given_steps_and_leaves_nothing_patched() -> None:
    from harness.experiments.training import loop

    before = loop.evaluate
    assert train_steps(Problem(Sizes(H=5, T=12, B=3, R=2)), 3) > 0
    assert loop.evaluate is before


def test_a_line_does_not_deviate_and_a_parabola_does() -> None:
    lengths = (50, 100, 500, 2000)
    assert worst_deviation(lengths, [0.3 + 0.01 * T for T in lengths]) < 1e-9
    assert worst_deviation(lengths, [T**2 for T in lengths]) > 0.2
