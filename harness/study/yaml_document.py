"""YAML text and overrides → plain data in which every key and value still knows its place."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLWarning
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

from harness.errors import HarnessError, Place, Problem, StudyError

KeyPath = tuple[str | int, ...]

MOST_TEXT = 250_000  # characters of a study file, and again characters and values once its aliases are written out
DEEPEST = 50
SUFFIXES = (".yaml", ".yml")
LARGEST = 2**63 - 1  # what a column of whole numbers holds
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class YamlDocument:
    """Plain data (dict, list, str, int, float, bool, None) and the places of its keys and values."""

    source: str
    text: str
    folder: Path | None = None  # to which paths are relative; None: that of the source
    data: Any = None
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    size: int = 0

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


def load(path: Path) -> YamlDocument:
    """Read a study file.

    Raises:
        HarnessError: the file cannot be read, or is a directory.
        StudyError: it is not YAML (reported alone: nothing after a syntax error means what it says).
    """
    try:
        if path.is_dir():
            inside = ", ".join(_studies(path))
            raise HarnessError(f"{path} is a directory; a study is one file" + (f" ({inside})" if inside else ""))
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_TEXT + 1)
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such study{_likely(path)}") from None
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > MOST_TEXT:
        raise HarnessError(f"{path}: longer than {MOST_TEXT:,} characters; no study is")
    return parse(text, str(path))


def _studies(folder: Path) -> list[str]:
    """The names of the studies in a folder; none where it cannot be read."""
    with suppress(OSError, ValueError):
        return sorted(path.name for path in folder.iterdir() if path.suffix in SUFFIXES)
    return []


def _likely(path: Path) -> str:
    """Which study is meant by a path that does not exist: `bad` is studies/bad.yaml or studies/papers/bad.yaml."""
    top = Path("studies")
    folders = dict.fromkeys([path.parent, top / path.parent, top])
    with suppress(OSError, ValueError):
        folders |= dict.fromkeys(sorted(each for each in top.iterdir() if each.is_dir()))
    for folder in folders:
        for suffix in ("", *SUFFIXES):
            with suppress(OSError, ValueError):
                if (folder / f"{path.name}{suffix}").is_file():
                    return f"; did you mean '{folder / path.name}{suffix}'?"
    for folder in folders:
        close = get_close_matches(path.stem, [Path(name).stem for name in _studies(folder)], n=1)
        if close:
            name = next(name for name in _studies(folder) if Path(name).stem == close[0])
            return f"; did you mean '{folder / name}'?"
    for folder, where in ((path.parent, "beside it"), (Path("studies"), "in studies/")):
        if _studies(folder):
            return f"; {where}: {', '.join(_studies(folder))}"
    return ""


def parse(text: str, source: str, folder: Path | None = None) -> YamlDocument:
    """Parse YAML 1.2; unlike PyYAML this reads 1e-3 as a number and refuses duplicate keys.

    Args:
        source: the file, for messages; a word in brackets where there is none.
        folder: to which paths in the study are relative; default: that of the source.

    Raises:
        StudyError: it is not YAML, or much more than it looks: nested too deep, or grown by its aliases.
    """
    document = YamlDocument(source, text, folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", YAMLWarning)  # an anchor may be used again
            _check_events(text, source)
            yaml = YAML(typ="rt")
            yaml.Constructor = Plain
            tree = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source, 1, 1)
        message = re.sub(r"\s+", " ", (error.problem or "not YAML").strip())
        raise StudyError([Problem(place, f"syntax: {message}")]) from None
    except StudyError:
        raise
    except Exception as error:  # ruamel reports a tag that does not fit its value by a KeyError, an AttributeError, …
        message = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise StudyError([Problem(Place(source, 1, 1), f"syntax: {message}")]) from None
    document.values[()] = Place(source, 1, 1)
    document.data = _plain(tree, (), document)
    return document


class Plain(RoundTripConstructor):
    """Refuses at once what it does not know: ruamel leaves half-made values, which complain when they are collected."""

    def refuse(self, node: Any) -> None:
        raise ConstructorError(None, None, f"the tag {str(node.tag)!r} has no meaning in a study", node.start_mark)


Plain.add_constructor(None, Plain.refuse)


def _check_events(text: str, source: str) -> None:
    """Refuse deep nesting and written tags before anything is made of them."""
    depth = 0
    for event in YAML(typ="rt").parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            place = Place(source, event.start_mark.line + 1, event.start_mark.column + 1)
            raise StudyError([Problem(place, f"syntax: nested deeper than {DEEPEST} levels")])
        tag = getattr(event, "tag", None)
        if tag is not None:
            place = Place(source, event.start_mark.line + 1, event.start_mark.column + 1)
            raise StudyError([Problem(place, f"syntax: the tag {str(tag)!r} has no meaning in a study")])


def _plain(node: Any, path: KeyPath, document: YamlDocument) -> Any:
    """A ruamel node as plain Python data; places are noted on the way."""
    document.size += 1 + (len(node) if isinstance(node, str) else 0)
    if document.size > MOST_TEXT:
        message = f"syntax: more than {MOST_TEXT:,} values and characters, once its aliases are written out"
        raise StudyError([Problem(document.place(*path), message)])
    if len(path) > DEEPEST:
        raise StudyError([Problem(document.place(*path), f"syntax: nested deeper than {DEEPEST} levels")])
    if isinstance(node, Mapping):
        result: dict[str, Any] = {}
        for key, value in node.items():
            name = key if isinstance(key, str) else str(key)
            inner = (*path, str(name))
            if hasattr(node, "lc") and key in (node.lc.data or {}):
                row, column, value_row, value_column = node.lc.data[key]
                document.keys[inner] = Place(document.source, row + 1, column + 1)
                document.values[inner] = Place(document.source, value_row + 1, value_column + 1)
            _check_printable(name, document.place(*inner, key=True), document)
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
    if type(node).__name__ == "ScalarBoolean":  # an int to Python: `&anchor true`
        return bool(node)
    if isinstance(node, int) and not -LARGEST <= node <= LARGEST:
        document.problems.append(Problem(document.place(*path), "a whole number ends at 2⁶³ − 1"))
        return None
    for kind in (int, float, str):
        if isinstance(node, kind):
            _check_printable(node, document.place(*path), document)
            return kind(node)
    document.problems.append(Problem(document.place(*path), f"a {type(node).__name__} is not a setting"))
    return None


def _check_printable(node: Any, place: Place, document: YamlDocument) -> None:
    """Escapes can spell what YAML does not let one write: half characters, and what commands a terminal."""
    match = UNPRINTABLE.search(node) if isinstance(node, str) else None
    if match:
        document.problems.append(Problem(place, f"{match.group()!r} is not a printable character"))


def named(document: YamlDocument, overrides: Sequence[str] = ()) -> dict[tuple[str, str], Place]:
    """Every word that a document and its overrides give to a setting: {("model.cell", "lstm"): its place, …}.

    The base, an axis of a sweep and an override have the same name; what is not YAML is left to `override`.
    """
    words: dict[tuple[str, str], Place] = {}
    for path, word in _words(document.data, ()):
        words.setdefault((_dotted(path), word), document.place(*path))
    for number, text in enumerate(overrides, start=1):
        key, _, value = text.partition("=")
        with suppress(StudyError):
            for path, word in _words(parse(value, f"-S {number}").data, (key.strip(),)):
                words.setdefault((_dotted(path), word), Place(f"-S {number}"))
    return words


def _words(node: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict | list):
        for step, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _words(inner, (*path, step))


def _dotted(path: KeyPath) -> str:
    if path[:2] == ("tune", "by"):  # a metric, which a package may bring as it may that of an expectation
        return "expect.metric"
    inner = path[2:] if path[:2] == ("tune", "over") else path
    return ".".join(step for step in inner if isinstance(step, str) and step != "sweep")


def override(document: YamlDocument, number: int, text: str, takes_list: frozenset[str]) -> None:
    """Apply `-S key=value` to a document.

    The value is YAML. A swept key's axis is replaced in every product that has it, and what the other products have
    from the base is replaced too; a list makes an axis of a key that was not swept, unless the key itself takes a list
    (`takes_list`, by dotted name). Of a tuned key the candidates are replaced.

    What is not of the form key=value, or whose value is not YAML, joins the document's problems.
    """
    place = Place(f"-S {number}")
    key, equals, value_text = text.partition("=")
    key = key.strip()
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", key):
        document.problems.append(Problem(place, f"'{text}' is not key=value, such as {_example(key, value_text)}"))
        return
    try:
        parsed = parse(value_text, str(place))
    except StudyError as error:
        document.problems += [Problem(place, problem.message) for problem in error.problems]
        return
    document.problems += [Problem(place, problem.message) for problem in parsed.problems]
    if not isinstance(document.data, dict):
        return
    value = parsed.data
    section, _, inner = key.partition(".")
    if not inner:
        document.replace((section,), value, place)
        return
    if section == "tune":
        if not isinstance(document.data.get("tune"), dict):
            document.replace(("tune",), {}, place)
        document.replace(("tune", inner), value, place)
        return
    is_list = isinstance(value, list) and (key not in takes_list or any(isinstance(v, list) for v in value))
    over = _tuned(document)
    if key in over:  # a tuned setting stays one, with these candidates
        document.replace(("tune", "over", key), value if is_list or isinstance(value, dict) else [value], place)
        return
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
    if not is_list and len(swept) < max(1, len(products)):
        if not isinstance(document.data.get(section), dict):
            document.replace((section,), {}, place)
        document.replace((section, inner), value, place)


def _example(key: str, value: str) -> str:
    """An override as it would be right: of a keyword within a setting, the setting with a mapping."""
    inner = re.fullmatch(r"([A-Za-z_]\w*\.[A-Za-z_]\w*)\.([A-Za-z_]\w*)", key)
    if inner is None:
        return "training.max_updates=500"
    if inner[2] == "name":
        return f"{inner[1]}={value.strip()}"
    return f"{inner[1]}={{name: …, {inner[2]}: {value.strip()}}}"


def _tuned(document: YamlDocument) -> dict[str, Any]:
    """The settings that are tuned, with their candidates, if they have the right form."""
    tune = document.data.get("tune")
    over = tune.get("over") if isinstance(tune, dict) else None
    return over if isinstance(over, dict) else {}


def _products(document: YamlDocument) -> list[tuple[KeyPath, dict[str, Any]]]:
    """The products of the sweep with their paths, whatever of it has the right form."""
    sweep = document.data.get("sweep")
    if isinstance(sweep, dict):
        return [(("sweep",), sweep)]
    if isinstance(sweep, list):
        return [(("sweep", index), product) for index, product in enumerate(sweep) if isinstance(product, dict)]
    return []
