"""Study files as text: one small study, of which a test replaces the keys that it is about."""

from __future__ import annotations

DEFAULTS = {
    "name": "tiny",
    "claim": "An untrained network guesses.",
    "task": "{name: temporal_order, sequence_length: 12}",
    "model": "{cell: rnn, hidden_size: 5}",
    "training": "{max_updates: 2, batch_size: 4}",
    "evaluation": "{every: 2, sequences: 16}",
}


def study_text(**values: object) -> str:
    """A study of two updates, a key a line in this order; `values` replace those of a key or stand below, in YAML."""
    return "".join(f"{key}: {value}\n" for key, value in {**DEFAULTS, **values}.items())
