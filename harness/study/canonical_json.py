"""Lists and mappings as text: JSON with sorted keys and without spaces, so that equal values are equal texts."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

LONGEST = 10_000  # characters of a text that is read as a list or a mapping


def canonical_json(value: object) -> str:
    """A list, tuple, set or mapping as canonical JSON; what JSON has no form for, as Python shows it."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=4096)
def collection(text: str) -> str | None:
    """The canonical JSON of a text that spells a list or a mapping, whole numbers without a point; else None.

    Tables of earlier versions hold such settings as Python shows them, '(0, 5000)': these are read as well.
    """
    value = parsed(text)
    return None if value is None else canonical_json(_whole(value))


def parsed(text: str) -> list[Any] | dict[str, Any] | None:
    """The list or the mapping that a text spells, in JSON or in Python; None if it spells neither."""
    if text[:1] not in ("[", "{", "(") or len(text) > LONGEST:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        value = _plain(value)
        return value if isinstance(value, list | dict) else None
    return None


def _plain(value: object) -> Any:
    """The value in JSON's types."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(inner) for inner in value), key=repr)
    return str(value) if isinstance(value, Path) else repr(value)


def _whole(value: Any) -> Any:
    """The value with 1 for 1.0, as numbers outside lists and mappings are compared."""
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
