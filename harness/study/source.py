"""YAML text and overrides → plain data in which every key and value still knows its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from harness.errors import HarnessError, Place, Problem, StudyError

KeyPath = tuple[str | int, ...]


@dataclass
class Document:
    """Plain data (dict, list, str, int, float, bool, None) and the places of its keys and values."""

    source: str
    text: str
    data: Any = None
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, *path: str | int, key: bool = False) -> Place:
        """The place of a value (or of its key), or of the nearest thing around it."""
        for end in range(len(path), -1, -1):
            places = self.keys if key and path[:end] in self.keys else self.values
            if path[:end] in places:
                return places[path[:end]]
        return Place(self.source, 1, 1)

    def replace(self, path: KeyPath, value: Any, place: Place) -> None:
        """Put a value at a path (its parents exist), known from now on by `place`."""
        parent = self.data
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = value
        for places in (self.keys, self.values):
            for known in [known for known in places if known[: len(path)] == path]:
                del places[known]
            places[path] = place


def load(path: Path) -> Document:
    """Read a study file.

    Raises:
        HarnessError: the file cannot be read, or is a directory.
        StudyError: it is not YAML (reported alone: nothing after a syntax error means what it says).
    """
    if path.is_dir():
        inside = sorted(p.name for p in path.glob("*.yaml"))[:8]
        raise HarnessError(
            f"{path} is a directory; a study is one file" + (f" ({', '.join(inside)})" if inside else "")
        )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = sorted(p.name for p in path.parent.glob("*.yaml"))[:8] if path.parent.is_dir() else []
        raise HarnessError(f"{path}: no such study" + (f"; beside it: {', '.join(near)}" if near else "")) from None
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise HarnessError(f"{path}: cannot be read: {error.strerror}") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Document:
    """Parse YAML 1.2; unlike PyYAML this reads 1e-3 as a number and refuses duplicate keys."""
    document = Document(source, text)
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source, 1, 1)
        what = re.sub(r"\s+", " ", (error.problem or "not YAML").strip())
        raise StudyError([Problem(place, f"syntax: {what}")]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise StudyError([Problem(Place(source, 1, 1), f"syntax: {str(error).splitlines()[0]}")]) from None
    document.values[()] = Place(source, 1, 1)
    document.data = _plain(tree, (), document)
    return document


def _plain(node: Any, path: KeyPath, document: Document) -> Any:
    """A ruamel node as plain Python data; places are noted on the way."""
    if isinstance(node, Mapping):
        result: dict[str, Any] = {}
        for key, value in node.items():
            name = key if isinstance(key, str) else str(key)
            inner = (*path, str(name))
            if hasattr(node, "lc") and key in (node.lc.data or {}):
                row, column, value_row, value_column = node.lc.data[key]
                document.keys[inner] = Place(document.source, row + 1, column + 1)
                document.values[inner] = Place(document.source, value_row + 1, value_column + 1)
            result[str(name)] = _plain(value, inner, document)
        return result
    if isinstance(node, Sequence) and not isinstance(node, str | bytes):
        for index in range(len(node)):
            if hasattr(node, "lc") and index in (node.lc.data or {}):
                row, column = node.lc.data[index][:2]
                document.values[(*path, index)] = Place(document.source, row + 1, column + 1)
        return [_plain(value, (*path, index), document) for index, value in enumerate(node)]
    if node is None or isinstance(node, bool):
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    if type(node).__name__ == "ScalarBoolean":
        return bool(node)
    document.problems.append(Problem(document.place(*path), f"a {type(node).__name__} is not a setting"))
    return None


def override(document: Document, number: int, text: str, takes_list: frozenset[str]) -> None:
    """Apply `-S key=value` to a document.

    The value is YAML. A swept key's axis is replaced in every product that has it; a list makes an axis of a key that
    was not swept, unless the key itself takes a list (`takes_list`, by dotted name).

    What is not of the form key=value, or whose value is not YAML, joins the document's problems.
    """
    place = Place(f"-S {number}")
    key, equals, value_text = text.partition("=")
    key = key.strip()
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", key):
        document.problems.append(Problem(place, f"'{text}' is not key=value, such as training.max_updates=500"))
        return
    try:
        value = parse(value_text, str(place)).data
    except StudyError as error:
        document.problems += [Problem(place, problem.what) for problem in error.problems]
        return
    if not isinstance(document.data, dict):
        return
    section, _, inner = key.partition(".")
    if not inner:
        document.replace((section,), value, place)
        return
    is_list = isinstance(value, list) and (key not in takes_list or any(isinstance(v, list) for v in value))
    products = _products(document)
    swept = [path for path, product in products if key in product]
    if swept:
        for path in swept:
            document.replace((*path, key), value if is_list else [value], place)
    elif is_list:
        if not products:
            document.replace(("sweep",), {}, place)
            products = _products(document)
        for path, _ in products:
            document.replace((*path, key), value, place)
    else:
        if not isinstance(document.data.get(section), dict):
            document.replace((section,), {}, place)
        document.replace((section, inner), value, place)


def _products(document: Document) -> list[tuple[KeyPath, dict[str, Any]]]:
    """The products of the sweep with their paths, whatever of it has the right form."""
    sweep = document.data.get("sweep")
    if isinstance(sweep, dict):
        return [(("sweep",), sweep)]
    if isinstance(sweep, list):
        return [(("sweep", index), product) for index, product in enumerate(sweep) if isinstance(product, dict)]
    return []
