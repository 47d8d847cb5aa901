"""The version of code that is not the harness's own: a plug-in, by its distribution and the source of its modules."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.metadata import Distribution, EntryPoint
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.entrypoints import metadata
from harness.errors import HarnessError
from harness.study.content import DIGITS, content_hash, is_file

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_][\w.]*)?")  # package.module:function

_seen: dict[str, tuple[object, str]] = {}  # module → the import that loaded it, and the hash of its source then


def code_version(point: EntryPoint, loaded: object) -> str:
    """The version of a plug-in.

    Hashed are the source of the plug-in's module and of every module of its own distribution or package that this one
    imports or names in a text ("package.module:function"), directly or through others, wherever in a file; and the
    content of files that a text in these sources names, beside its module or in the working folder. Nothing is
    imported for it. A file whose name is computed cannot be seen here: a section states it (`Section.files`).

    Args:
        point: where the plug-in was found.
        loaded: what it names, already imported.

    Returns:
        'leaky-cell 0.1 1f3a…': name and version of the distribution, and 64 bits of the hash.

    Raises:
        HarnessError: a module has no source, so that a change of it could not be seen; or its source is another than
            it was when this process imported it.
    """
    name = str(getattr(loaded, "__module__", None) or point.value.partition(":")[0])
    if isinstance(loaded, ModuleType) or name.partition(".")[0] == "harness":  # an instance of one of our classes
        name = point.value.partition(":")[0].strip()
    distribution = (
        f"{metadata(point.dist, 'Name')} {metadata(point.dist, 'Version')}" if point.dist else "no distribution"
    )
    roots = frozenset({name.partition(".")[0], *(top_level_names(point.dist) if point.dist else ())}) - {"harness"}
    entry = getattr(loaded, "entry", None)
    first = {name, point.value.partition(":")[0].strip(), *([entry] if isinstance(entry, str) else ())}
    digest = sha256(distribution.encode())
    for module, hashed in sorted(
        source_hashes({each.partition(":")[0] for each in first}, roots.__contains__, _origin).items()
    ):
        digest.update(f"\n{module} {hashed}".encode())
    return f"{distribution} {digest.hexdigest()[:DIGITS]}"


def top_level_names(distribution: Distribution) -> set[str]:
    """Names of the top-level modules that a distribution installs."""
    listed = (distribution.read_text("top_level.txt") or "").split()
    files = [str(file) for file in distribution.files or () if str(file).endswith(".py")]
    return {*listed, *(file.partition("/")[0].removesuffix(".py") for file in files)}


def source_hashes(
    first: set[str], belongs: Callable[[str], bool], origin_of: Callable[[str], str | None]
) -> dict[str, str]:
    """Hash by module, of the first ones and of all that they import from the same roots; and by file that they name.

    Args:
        first: modules.
        belongs: whether a top-level name is one of the roots.
        origin_of: the file of a module; None where there is none.

    Raises:
        HarnessError: see `code_version`.
    """
    hashes: dict[str, str] = {}
    waiting = list(first)
    while waiting:
        name = waiting.pop()
        origin = origin_of(name) if name not in hashes and belongs(name.partition(".")[0]) else None
        if origin is None:
            continue
        if not origin.endswith(".py"):
            raise HarnessError(f"has no source: {name} is {Path(origin).name}, so that a change of it would go unseen")
        try:
            source = Path(origin).read_bytes()
        except OSError as error:
            raise HarnessError(f"has no source that can be read: {origin}: {error.strerror or error}") from None
        hashes[name] = _as_imported(name, sha256(source).hexdigest())
        package = name if Path(origin).name == "__init__.py" else name.rpartition(".")[0]
        imports, texts = _mentioned(source, package)
        waiting += [*imports, *(text.partition(":")[0] for text in texts if DOTTED.fullmatch(text))]
        waiting += [".".join(name.split(".")[:end]) for end in range(1, name.count(".") + 1)]  # its parents run first
        for text in texts:
            for folder in (Path(origin).parent, Path()):
                if is_file(folder, text):
                    hashes[f"{name} {text}"] = _content(folder / text)
                    break
    return hashes


def _as_imported(name: str, digest: str) -> str:
    """The hash of a module's source, which must be what it was when this process first hashed it after its import."""
    module = sys.modules.get(name)
    if module is None:
        return digest
    spec: Any = getattr(module, "__spec__", None)  # a reload makes another
    if name not in _seen or _seen[name][0] is not spec:
        _seen[name] = spec, digest
    if _seen[name][1] != digest:
        raise HarnessError(f"was changed after it had been imported ({name}); start Python again, so that it is read")
    return digest


def _origin(name: str) -> str | None:
    """The file of a module, None where there is none of that name (an attribute) or it is a folder without code."""
    module = sys.modules.get(name)
    if module is not None:
        return getattr(module, "__file__", None)
    try:
        spec = find_spec(name)  # its parents have been imported: the plug-in was, or they are parents of its modules
    except (ImportError, AttributeError, ValueError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _mentioned(source: bytes, package: str) -> tuple[set[str], set[str]]:
    """Modules that a source imports, names that may be modules among them; and its short texts."""
    imports, texts = set[str](), set[str]()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return imports, texts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imports |= set(_from(node, package))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) <= 200:
            texts.add(node.value)
    return imports, texts


def _from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    """`from .a import b` → package.a, package.a.b."""
    above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
    base = ".".join([*above, *(node.module.split(".") if node.module else ())])
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names)


def _content(file: Path) -> str:
    try:
        return content_hash(file)
    except OSError as error:
        raise HarnessError(f"names a file that cannot be read: {file}: {error.strerror or error}") from None
