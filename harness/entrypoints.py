"""Entry points of installed packages; a package that writes one wrongly loses that one, and no other package any.

Not only plug-ins of the harness are found by entry points: pydantic and torch each read those of all installed
packages, and importlib's reader raises TypeError at the first line without "=", whoever wrote it. Hence its reader is
extended, for the whole process: where it raises, the lines are read one by one.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint, EntryPoints, distributions
from pathlib import Path
from typing import Any


def tolerate() -> None:
    """Extend importlib's reader, and that of its backport where something has loaded it: it takes importlib's place.

    To be called before another library reads entry points, and again when others may have been imported.
    """
    for name in ("importlib.metadata", "importlib_metadata"):
        if name in sys.modules:
            _extend(sys.modules[name].Distribution)


def _extend(distribution: Any) -> None:
    strict = distribution.__dict__["entry_points"]

    def entry_points(self: Distribution) -> EntryPoints:
        """The entry points of this distribution that can be read."""
        try:
            points: EntryPoints = strict.fget(self)
        except Exception:
            return readable(self)[0]
        return points

    if not getattr(strict.fget, "tolerant", False):
        entry_points.tolerant = True  # type: ignore[attr-defined]
        distribution.entry_points = property(entry_points)


def readable(distribution: Distribution) -> tuple[EntryPoints, list[str]]:
    """The entry points of a package that can be read, and its malformed lines."""
    points, wrong, group = list[EntryPoint](), list[str](), ""
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except Exception as error:  # bytes that are no text, a file that may not be read
        return EntryPoints(), [f"{type(error).__name__}: {error}"[:80]]
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif equals and name and value and group:
            point = EntryPoint(name=name, value=value, group=group)
            vars(point)["dist"] = distribution  # as importlib does; the class refuses assignments
            points.append(point)
        else:
            wrong.append(line[:80])
    return EntryPoints(points), wrong


def malformed() -> Iterator[str]:
    """A sentence for each installed package some of whose entry points cannot be read."""
    lines = [(distribution, readable(distribution)[1]) for distribution in distributions()]
    if not any(wrong for _, wrong in lines):  # names are asked of a hundred packages only where one is to be named
        return
    seen = set[str]()
    for distribution, wrong in lines:
        name = metadata(distribution, "Name")
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key and key in seen:  # the first on Python's path counts, as for an import
            continue
        seen.add(key)
        if wrong:
            package = f"the package {name}" if name else "a package without a name"
            yield f"{package} has entry points that cannot be read, and are left out: {', '.join(map(repr, wrong[:3]))}"


def metadata(distribution: Distribution | None, key: str) -> str:
    """A line of a package's metadata; empty where there is none or it is damaged."""
    try:
        return str(distribution.metadata[key] or "") if distribution else ""
    except Exception:
        return ""


def is_own_command() -> bool:
    """Whether this process was started as one of the harness's commands: what else it has imported is then known."""
    main = sys.modules["__main__"]
    module = getattr(getattr(main, "__spec__", None), "name", "")
    script = Path(getattr(main, "__file__", None) or "").stem
    return module.partition(".")[0] == "harness" or script == "harness"
