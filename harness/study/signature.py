"""The parameters of a function, read from its source: nothing is executed."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, nearest


@dataclass(frozen=True)
class Signature:
    """The parameters of a function, as its source has them.

    Attributes:
        names: that can be given by name.
        required: those without a default.
        any_name: whether it takes any other name as well (`**settings`).
        line: where the function is, "networks.py:7".
    """

    names: tuple[str, ...]
    required: tuple[str, ...]
    any_name: bool
    line: str

    @classmethod
    def of(cls, function: ast.FunctionDef, file: Path, *, method: bool = False) -> Signature:
        """Those of a function; of a method without its first, which is the object."""
        a = function.args
        defaults: list[object] = [None] * (len(a.posonlyargs) + len(a.args) - len(a.defaults)) + [*a.defaults]
        positional = list(zip([*a.posonlyargs, *a.args], defaults, strict=True))
        every = [*positional[method:], *zip(a.kwonlyargs, a.kw_defaults, strict=True)]
        named = tuple(each.arg for each in (*a.args[method and not a.posonlyargs :], *a.kwonlyargs))
        required = tuple(each.arg for each, default in every if default is None)
        return cls(named, required, a.kwarg is not None, f"{file.name}:{function.lineno}")


def signature_in(file: Path, name: str) -> Signature | None:
    """The parameters of the function, or of the class's __init__, from its source; None where they cannot be read.

    Raises:
        HarnessError: the source has no such function, or is no Python; what is wrong alone, without the place.
    """
    try:
        tree = ast.parse(Path(file).read_bytes())
    except SyntaxError as error:
        raise HarnessError(f"{file}:{error.lineno}: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise HarnessError(f"{file}: cannot be read: {error}") from None
    names: dict[str, ast.stmt] = {}
    for node in tree.body:
        for each in _defined(node):
            names[each] = node
    if name not in names:
        if "*" in names or "__getattr__" in names:
            return None
        public = [each for each, node in names.items() if isinstance(node, ast.FunctionDef) and each[0] != "_"]
        classes = [each for each, node in names.items() if isinstance(node, ast.ClassDef)]
        raise HarnessError(f"{file} has no function '{name}'{nearest(name, public, classes)}")
    return _called(name, names, file)


def _called(name: str, names: dict[str, ast.stmt], file: Path, seen: frozenset[str] = frozenset()) -> Signature | None:
    """What calling a name of the module takes: a function, a class by its own or an inherited __init__, or another name
    of either. None where it is decorated, made by other code, or inherited from another module.
    """
    node = names.get(name)
    if name in seen:
        return None
    match node:
        case ast.FunctionDef(decorator_list=[]):
            return Signature.of(node, file)
        case ast.Assign(targets=[ast.Name()], value=ast.Name(id=other)):
            return _called(other, names, file, seen | {name})
        case ast.ClassDef(decorator_list=[], keywords=[]):
            own = {each: inner for inner in node.body for each in _defined(inner)}
            init = own.get("__init__")
            if "__new__" in own:
                return None
            if isinstance(init, ast.FunctionDef) and not init.decorator_list:
                return Signature.of(init, file, method=True)
            match node.bases:
                case [ast.Name(id=base)] if init is None and isinstance(names.get(base), ast.ClassDef):
                    return _called(base, names, file, seen | {name})
    return None


def _defined(node: ast.stmt) -> set[str]:
    """Names that a statement gives to a module; "*" where these cannot be known."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    inner = [each for each in ast.walk(node) if each is not node]
    names = {each.id for each in inner if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return names.union(*(_defined(each) for each in inner if isinstance(each, ast.stmt)))
