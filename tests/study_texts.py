"""The text of small studies: a test writes only the settings that it is about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

TINY_SETTINGS: Mapping[str, Any] = {
    "name": "tiny",
    "claim": "An untrained network guesses.",
    "task": {"name": "temporal_order", "sequence_length": 12},
    "model": {"cell": "rnn", "hidden_size": 5},
    "training": {"max_updates": 2, "batch_size": 4},
    "evaluation": {"every": 2, "sequences": 16},
    "seeds": 2,
}


def study_text(**sections: Any) -> str:
    """A study that trains for two updates, one line a section.

    A mapping changes the settings that it names and leaves the section's others; a task with a name of its own, and
    any value that is no mapping, replaces what is there; a text is YAML; None leaves a section out.
    """
    merged: dict[str, Any] = dict(TINY_SETTINGS)
    for key, value in sections.items():
        default = merged.get(key)
        changes = isinstance(default, Mapping) and isinstance(value, Mapping) and "name" not in value
        merged[key] = {**default, **value} if changes else value
    return text_of(merged)


def check_text(experiment: str, **sections: Any) -> str:
    """A study that compares a measurement with theory and trains nothing: its experiment, sections and two seeds."""
    header = {"name": "check", "claim": "It is measured as predicted.", "experiment": experiment}
    return text_of({**header, **sections, "seeds": sections.get("seeds", 2)})


def text_of(sections: Mapping[str, Any]) -> str:
    """YAML with a line for each section that is not None."""
    lines = [
        f"{key}: {value if isinstance(value, str) else flow(value)}\n"
        for key, value in sections.items()
        if value is not None
    ]
    return "".join(lines)


def flow(value: Any) -> str:
    """A value in YAML's flow style, words without quotation marks where they need none."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*", value) and value not in ("null", "true", "false"):
        return value
    return json.dumps(value, ensure_ascii=False)
