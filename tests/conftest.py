"""What every test can use: a tiny study, and a process prepared as a worker is."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.execution.environment import prepare

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


@pytest.fixture
def study_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a study below a folder called studies/ and returns its path."""

    def write(text: str = TINY, name: str = "tiny.yaml") -> Path:
        path = tmp_path / "studies" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write
