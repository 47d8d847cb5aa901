"""Code that a study names and that is no plug-in: where its source is, its version, and its import.

A study is read and planned without executing it: its source is found as an import would find it, in the folder of the
study, then on Python's path, then in the working folder, and read. It is imported where runs are computed, if the user
trusts it.
"""

from __future__ import annotations

import ast
import importlib
import site
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import Any

from harness.entrypoints import metadata
from harness.errors import HarnessError, nearest
from harness.study.content import DIGITS
from harness.study.sources import source_hashes, top_level_names


class CodeError(HarnessError):
    """A function that a study names cannot be found, imported or used."""


@dataclass(frozen=True)
class Code:
    """A function that a study names.

    Attributes:
        setting: which names it, "model.factory".
        name: "package.module:function".
        place: of the setting in the study, for messages: "studies/x.yaml:4:12".
        folders: absolute, where modules are looked for beside Python's path: the study's, if it has one, comes before.
        file: of the module.
        version: its package's, and 64 bits of the hash of its sources: "networks.py 1f3a…", "nets 0.2 1f3a…".
    """

    setting: str
    name: str
    place: str
    folders: tuple[str, ...]
    file: str
    version: str

    @property
    def module(self) -> str:
        return self.name.partition(":")[0]

    @property
    def function(self) -> str:
        return self.name.partition(":")[2]

    @property
    def shown(self) -> str:
        """The place, the setting and the name, as messages begin."""
        return f"{self.place}: {self.setting}: '{self.name}'"


def folders_of(study: str, folder: Path | None = None) -> tuple[str, ...]:
    """Where code of a study is looked for beside Python's path: in its own folder, and last in the working folder.

    Args:
        study: the path of its file; a text in brackets (`<dict>`) where it has none.
        folder: in place of the file's, or of the working folder where there is no file.
    """
    if study.startswith("<"):
        return (str(folder or Path.cwd()),)
    return tuple(dict.fromkeys([str((folder or Path(study).parent).resolve()), str(Path.cwd())]))


def located(setting: str, name: str, place: str, folders: tuple[str, ...]) -> Code:
    """A function that a study names, with the version of its source; nothing of it is executed.

    Raises:
        CodeError: there is no such module, or none with Python source; what is wrong alone, without the place.
    """
    module = name.partition(":")[0]
    importlib.invalidate_caches()
    _forget_changed(module.partition(".")[0], folders)
    spec = _spec(module, folders)
    if spec is None or spec.origin is None or not spec.has_location:
        raise CodeError(
            f"no module '{module}' on Python's path, nor in {' or '.join(folders)}{_likely(module, folders)}"
        )
    return Code(setting, name, place, folders, spec.origin, _version(module, folders))


def current_version(code: Code) -> str:
    """The version of the source as it is now, which must be what this process has imported, if it has.

    Raises:
        CodeError: it is gone, or was changed since this process imported it.
    """
    importlib.invalidate_caches()
    _forget_changed(code.module.partition(".")[0], code.folders)
    try:
        return _version(code.module, code.folders)
    except HarnessError as error:
        raise CodeError(f"{code.shown}: {error}") from error


def imported(code: Code) -> Any:
    """The function itself, imported now; from now on this process finds modules beside its study: it may import more.

    Raises:
        CodeError: its module cannot be imported, or has no such function.
    """
    before = set(sys.modules)
    _install(code.folders)
    try:
        module = importlib.import_module(code.module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the module does while it is imported, sys.exit(0) too
        raise CodeError(f"{code.shown} cannot be imported: {described(error, code)}") from error
    finally:
        _remember(code, before)
    function = getattr(module, code.function, None)
    if not callable(function):
        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        kind = "has no function" if function is None else "is no function"
        raise CodeError(f"{code.shown}: {code.file} {kind} '{code.function}'{nearest(code.function, known)}")
    return function


def described(error: BaseException, code: Code) -> str:
    """An error on one line, with its type and the last line of the user's own code on its way."""
    text = " ".join(str(error).split()) or "without a message"
    line, trace = "", error.__traceback__
    base = str(Path(code.file).parent)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(base):
            line = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {text}{line}"


# Where a module is, without importing it or its parents.


def _spec(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    parts = name.split(".")
    path: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    for end in range(1, len(parts) + 1):
        spec = _found(".".join(parts[:end]), path, folders)
        if spec is None:
            return None
        path = spec.submodule_search_locations
        if path is None and end < len(parts):
            return None
    return spec


def _found(name: str, path: Sequence[str] | None, folders: Sequence[str]) -> ModuleSpec | None:
    """As an import finds it once `_Beside` is installed with these folders."""
    finders = [_Beside(folders, first=True), *_others(), _Beside(folders, first=False)]
    for finder in finders:
        find: Callable[..., ModuleSpec | None] | None = getattr(finder, "find_spec", None)
        spec = find(name, path) if find is not None else None
        if spec is not None:
            return spec
    return None


class _Beside:
    """A finder of top-level modules in the folders of a study.

    The first of two comes before Python's path, as a script's own folder does, so that a file beside the study is the
    one that is meant; but modules of Python and a folder that only has the name of a package it leaves to others.
    """

    def __init__(self, folders: Sequence[str], *, first: bool) -> None:
        self.folders, self.first = list(folders), first

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if path is not None or name in sys.stdlib_module_names or name == "harness":
            return None
        spec = PathFinder.find_spec(name, self.folders[:-1] if self.first else self.folders)
        return None if spec is None or (self.first and spec.loader is None) else spec


def _others() -> list[Any]:
    return [finder for finder in sys.meta_path if not isinstance(finder, _Beside)]


def _install(folders: Sequence[str]) -> None:
    """Let imports of this process find what lies beside a study, and no longer beside another."""
    sys.meta_path[:] = [_Beside(folders, first=True), *_others(), _Beside(folders, first=False)]


def _base(root: str, folders: Sequence[str]) -> Path | None:
    """The folder in which a top-level module lies."""
    spec = _spec(root, folders)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin).parent if spec.origin and spec.has_location else None


def _likely(module: str, folders: Sequence[str]) -> str:
    """Which module beside the study is meant."""
    names = [path.stem for folder in folders[:1] for path in sorted(Path(folder).glob("*.py"))]
    return nearest(module, names) if names else ""


# Its version: the rule of plug-ins (`study/sources.py`), with what lies beside a loose module in place of a package.


def _version(module: str, folders: tuple[str, ...]) -> str:
    root = module.partition(".")[0]
    base, owner = _base(root, folders), _distribution(root)
    own = {root, *(top_level_names(owner) if owner else ())}
    libraries = _libraries()

    @cache
    def belongs(name: str) -> bool:
        if name in own:
            return True
        loose = base is not None and str(base) not in libraries and name != "harness"
        return loose and name not in sys.stdlib_module_names and _base(name, folders) == base

    def origin(name: str) -> str | None:
        spec = _spec(name, folders)
        return spec.origin if spec is not None and spec.has_location else None

    hashed = source_hashes({module}, belongs, origin)
    digest = sha256()
    for name, each in sorted(hashed.items()):
        digest.update(f"\n{name} {each}".encode())
    words = f"{metadata(owner, 'Name')} {metadata(owner, 'Version')}" if owner else _own_name(root, folders)
    return f"{words} {digest.hexdigest()[:DIGITS]}"


@cache
def _libraries() -> frozenset[str]:
    """Folders whose modules are not one another's: of installed packages, and of Python."""
    return frozenset({*site.getsitepackages(), site.getusersitepackages(), *sysconfig.get_paths().values()})


def _distribution(root: str) -> Distribution | None:
    """The installed package that a top-level module is of."""
    try:
        names = packages_distributions().get(root)
        return distribution(names[0]) if names else None
    except Exception:  # a package whose metadata is damaged, whoever installed it
        return None


def _own_name(root: str, folders: Sequence[str]) -> str:
    """What is not installed: its file or package, and its `__version__` where the source has one."""
    spec = _spec(root, folders)
    file = Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None
    if file is None:
        return root
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return root
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__version__")], value=ast.Constant(value=str(text))):
                return f"{root} {text}"
    return root


# A process may compute several sweeps, and a factory is edited between them: what was imported for one is forgotten.


_ours: dict[str, dict[str, str]] = {}  # top-level module → file of each of its modules that was imported here, hashed


def _remember(code: Code, before: Iterable[str]) -> None:
    base = _base(code.module.partition(".")[0], code.folders)
    for name in set(sys.modules) - set(before):
        file = getattr(sys.modules[name], "__file__", None)
        root = name.partition(".")[0]
        if file and base is not None and (root == code.module.partition(".")[0] or Path(file).parent == base):
            _ours.setdefault(root, {})[name] = f"{file} {_digest(file)}"


def _forget_changed(root: str, folders: Sequence[str]) -> None:
    """Let go of modules that were imported here and are no longer what an import would give.

    Raises:
        CodeError: another module of that name is in use, which was not imported here.
    """
    changed = {
        name: modules
        for name, modules in _ours.items()
        if any(file_hash != _file_hash(module, folders) for module, file_hash in modules.items())
    }
    for modules in changed.values():
        for module in modules:
            sys.modules.pop(module, None)
    for name in changed:
        del _ours[name]
    used = getattr(sys.modules.get(root), "__file__", None)
    spec = _spec(root, folders) if used else None
    if used and spec is not None and spec.origin and Path(spec.origin).resolve() != Path(used).resolve():
        raise CodeError(f"a module '{root}' is in use already, {used}, and not {spec.origin}; give one another name")


def _file_hash(module: str, folders: Sequence[str]) -> str:
    spec = _spec(module, folders)
    return f"{spec.origin} {_digest(spec.origin)}" if spec is not None and spec.origin else ""


def _digest(file: str) -> str:
    try:
        return sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""


def versions_now(codes: Iterable[Code]) -> Mapping[str, str]:
    """The versions of some code as it is now, by setting."""
    return {code.setting: current_version(code) for code in codes}
