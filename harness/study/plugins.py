"""What other installed packages bring, by their entry points: tasks, cells, experiments, probes, metrics, figure kinds.

    [project.entry-points."harness.cells"]      in the other package's pyproject.toml
    leaky = "leaky_cell:Leaky"

A plug-in joins the literal table of its kind for those studies that name it, and is imported for those alone: what
else is installed can neither break a study nor add a column to its tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar, get_args

from harness.entrypoints import metadata, tolerate
from harness.errors import HarnessError, Place, Problem, StudyError, nearest
from harness.errors.text import reason
from harness.study.identity import PluginVersion
from harness.study.section import Section
from harness.study.sources import code_version

T = TypeVar("T")

Installed = tuple[EntryPoint, ...]
Named = Mapping[tuple[str, str], Place]  # (dotted setting, the word it is given) → where; see yaml_document.named

_imported: dict[str, tuple[object, str]] = {}  # "cell leaky" → what was imported, and its version then


@dataclass(frozen=True)
class Group(Generic[T]):
    """One kind of plug-in: objects with a name.

    Attributes:
        name: of the entry points' group.
        setting: where a study names one: "record.probes".
        kind: what each must be an instance of.
        table: what is built in.
        further: names that are built in and no entry of the table, for messages.
    """

    name: str
    setting: str
    kind: type[Any]
    table: Mapping[str, T]
    further: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        return _noun(self.name)

    def others(self, installed: Installed) -> tuple[str, ...]:
        """Names of all plug-ins of this kind, loaded or not."""
        return tuple(sorted({point.name for point in installed if point.group == self.name}))

    def extended(self, installed: Installed, named: Named) -> Mapping[str, T]:
        """The table with those plug-ins that a study names.

        Raises:
            StudyError: one of these cannot be used; the text says whose it is, and why.
        """
        table = dict(self.table)
        for (setting, word), place in named.items():
            points = self._points(installed, word)
            if points and setting == self.setting:
                try:
                    table[word] = self._load(word, points)
                except HarnessError as error:
                    raise StudyError([Problem(place, f"{self.setting}: {error}")]) from error
        return table

    def versions(self, installed: Installed, named: Named) -> dict[tuple[str, str], PluginVersion]:
        """The version of each plug-in that a study names, by setting and name.

        Raises:
            StudyError: one has no source, so that its runs could not be told from those of another version.
        """
        versions: dict[tuple[str, str], PluginVersion] = {}
        for (setting, word), place in named.items():
            points = self._points(installed, word)
            if points and setting == self.setting:
                try:
                    loaded = self._load(word, points)
                    version = code_version(points[0], loaded)
                except HarnessError as error:
                    message = f"{setting}: the plug-in '{word}' of {owner(points[0])} {error}"
                    raise StudyError([Problem(place, message)]) from error
                versions[setting, word] = plugin_version = PluginVersion(self.noun, word, version)
                _imported[plugin_version.key] = loaded, version
        return versions

    def named(self, word: str) -> T:
        """What has this name, built in or installed, wherever it is needed after its study has been read.

        Raises:
            HarnessError: there is none of that name, or it cannot be used.
        """
        if word in self.table:
            return self.table[word]
        every = installed()
        points = self._points(every, word)
        if not points:
            known = {*self.table, *self.further, *self.others(every)}
            raise HarnessError(f"no {self.noun} '{word}'{nearest(word, known)}")
        return self._load(word, points)

    def problem(self, word: str, loaded: Any) -> str:
        """Why a loaded object is no plug-in of this kind; empty if it is one."""
        if not isinstance(loaded, self.kind):
            return f"is no {self.kind.__module__}.{self.kind.__name__}"
        name = getattr(loaded, "name", word)
        return "" if name == word else f"calls itself '{name}'; the two names must be the same"

    def _points(self, every: Installed, word: str) -> Installed:
        return tuple(point for point in every if point.group == self.name and point.name == word)

    def _load(self, word: str, points: Sequence[EntryPoint]) -> T:
        first, *rest = points
        if word in self.table:
            raise HarnessError(
                f"'{word}' is built in, and {owner(first)} brings a plug-in of that name too; one must go"
            )
        if rest:
            raise HarnessError(f"{' and '.join(map(owner, points))} each bring a plug-in '{word}'; one must go")
        try:
            loaded: T = first.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever somebody else's module does while it is imported, sys.exit(0) too
            name, text = type(error).__name__, reason(error)
            shown = text if text.startswith(name) else f"{name}: {text}"
            raise HarnessError(f"the plug-in '{word}' of {owner(first)} cannot be loaded: {shown}") from error
        problem = self.problem(word, loaded)
        if problem:
            raise HarnessError(f"the plug-in '{word}' of {owner(first)} {problem}")
        return loaded


@dataclass(frozen=True)
class SectionGroup(Group[T]):
    """Plug-ins that are sections, chosen by one of their own keys: tasks, cells, figure kinds."""

    def problem(self, word: str, loaded: Any) -> str:
        """A plug-in is a subclass of the kind, and its key is a Literal of the plug-in's name."""
        key = self.setting.rpartition(".")[2]
        if not isinstance(loaded, type) or not issubclass(loaded, self.kind) or not issubclass(loaded, Section):
            return f"is no {self.kind.__module__}.{self.kind.__name__}"
        if get_args(loaded.model_fields[key].annotation) != (word,):
            return f"must declare {key}: Literal['{word}']"
        return ""


def installed() -> Installed:
    """The entry points of all groups that are the harness's, as they are now; nothing is imported."""
    tolerate()
    points = entry_points()
    return tuple(point for name in points.groups if name.startswith("harness.") for point in points.select(group=name))


def plugin_versions(keys: Collection[str]) -> dict[str, str]:
    """The versions of plug-ins as this process has imported them, by key: "cell leaky".

    Raises:
        HarnessError: the source of one is no longer what was imported.
    """
    versions = {}
    for point in installed() if keys else ():
        key = f"{_noun(point.group)} {point.name}"
        if key in keys:
            loaded = point.load()
            if key not in _imported or _imported[key][0] is not loaded:
                _imported[key] = loaded, code_version(point, loaded)
            versions[key] = _imported[key][1]
    return versions


def _noun(group: str) -> str:
    """'cell' of "harness.cells"."""
    return group.rpartition(".")[2].removesuffix("s")


def owner(point: EntryPoint) -> str:
    """'leaky-cell 0.1': the distribution that an entry point is of."""
    name = metadata(point.dist, "Name")
    return f"{name} {metadata(point.dist, 'Version')}".strip() if name else f"an unnamed package ({point.value})"


def load_object(text: str) -> Any:
    """What "module:name" names, imported now."""
    return EntryPoint(name="", value=text, group="").load()


def names(groups: Iterable[Group[Any]], installed: Installed) -> tuple[str, ...]:
    """Names of all plug-ins of some kinds."""
    return tuple(name for group in groups for name in group.others(installed))
