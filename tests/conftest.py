"""What every test can use: a tiny study, and a process prepared as a worker is."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.execution.environment import prepare

if TYPE_CHECKING:
    from synthetic_results import SyntheticResults

    from harness.statistics.frames import Frames
    from harness.study.plan import Plan

prepare()  # before torch is imported by anything

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start with them.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TINY = """\
name: tiny
claim: Three cells train at once.
task: {name: temporal_order, sequence_length: 12}
model: {cell: rnn, hidden_size: 7, init: gaussian, spectral_radius: 1.0, forget_bias: 1.0}
training: {max_updates: 6, batch_size: 5, clip_norm: 1.0}
evaluation: {every: 3, sequences: 16}
sweep: {model.cell: [rnn, lstm, gru]}
seeds: 2
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="regression: every shipped study, not a sample of an hour")


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a study below a folder called studies/ and returns its path; `tmp_path` stays free for results."""

    def write(text: str = TINY, name: str = "tiny.yaml") -> Path:
        path = tmp_path.with_name(f"{tmp_path.name}-study") / "studies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of a sweep are drawn to their files alone: the page's own, on dark paper and narrow, are tested apart."""
    from harness.figures import rendering

    monkeypatch.setattr(rendering, "_embedded", lambda drawn: b'<svg xmlns="http://www.w3.org/2000/svg"></svg>')
    monkeypatch.setattr(rendering, "_stacked", lambda draw, widest: {})


@pytest.fixture
def plan_of(study_file: Callable[[str], Path]) -> Callable[..., Plan]:
    """Plans the study of a text, with overrides as on the command line."""
    from harness.registry import read
    from harness.study.plan import plan

    return lambda text=TINY, *overrides: plan(read(study_file(text), overrides))


@pytest.fixture(scope="session")
def synthetic() -> SyntheticResults:
    """Synthetic results of a study with every kind of expectation."""
    from synthetic_results import figures, simulate

    from harness.study.spec import Expectation

    return simulate(
        figures=figures(
            {"kind": "success"},
            {"kind": "learning", "where": {"bptt_window": None}},
            {"kind": "decay", "where": {"sequence_length": 100, "bptt_window": None}},
            {"kind": "heatmap", "where": {"sequence_length": 100, "bptt_window": None}},
            {"kind": "phase", "where": {"bptt_window": None}},
        ),
        expect=(
            Expectation(metric="success_rate", where={"cell": "lstm", "sequence_length": 100}, at_least=0.8),
            Expectation(
                metric="success_rate", where={"sequence_length": 100}, contrast={"cell": ("lstm", "rnn")}, apart=True
            ),
            Expectation(
                metric="solved_at",
                where={"cell": "rnn", "bptt_window": None},
                per=("sequence_length",),
                at_most=1000,
                judge="estimate",
            ),
        ),
    )


@pytest.fixture(scope="session")
def frames(synthetic: SyntheticResults) -> Frames:
    """The same results as data frames."""
    return synthetic.frames
