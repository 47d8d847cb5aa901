"""Tasks, cells and figure kinds that other installed packages bring, by their entry points.

    [project.entry-points."harness.cells"]      in the other package's pyproject.toml
    leaky = "leaky_cell:Leaky"

A plug-in joins the literal table of its kind for those studies that name it, and is imported for those alone: what
else is installed can neither break a study nor add a column to its tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, get_args

from harness.errors import Place, Problem, StudyError
from harness.study.spec import Section

S = TypeVar("S", bound=Section)

Installed = tuple[EntryPoint, ...]
Named = Mapping[tuple[str, str], Place]  # (dotted setting, the word it is given) → where; see study.source.named


@dataclass(frozen=True)
class Group(Generic[S]):
    """One kind of plug-in.

    Attributes:
        name: of the entry points' group.
        setting: where a study names one: "model.cell".
        base: what each must be a subclass of; its key (the setting's last part) is a Literal of the plug-in's name.
        table: what is built in.
    """

    name: str
    setting: str
    base: type[S]
    table: Mapping[str, type[S]]

    def others(self, installed: Installed) -> tuple[str, ...]:
        """Names of all plug-ins of this kind, loaded or not."""
        return tuple(sorted({point.name for point in installed if point.group == self.name}))

    def extended(self, installed: Installed, named: Named) -> Mapping[str, type[S]]:
        """The table with those plug-ins that a study names.

        Raises:
            StudyError: one of these cannot be used; the text says whose it is, and why.
        """
        found = dict(self.table)
        for (setting, word), place in named.items():
            points = tuple(point for point in installed if point.group == self.name and point.name == word)
            if points and setting == self.setting:
                found[word] = self._load(word, points, place)
        return found

    def _load(self, word: str, points: Iterable[EntryPoint], place: Place) -> type[S]:
        def wrong(what: str) -> StudyError:
            return StudyError([Problem(place, f"{self.setting}: {what}")])

        first, *rest = points
        if word in self.table:
            raise wrong(f"'{word}' is built in, and {owner(first)} brings a plug-in of that name too; one must go")
        if rest:
            raise wrong(f"{' and '.join(map(owner, points))} each bring a plug-in '{word}'; one must go")
        try:
            loaded = first.load()
        except Exception as error:  # whatever somebody else's module does while it is imported
            raise wrong(
                f"the plug-in '{word}' of {owner(first)} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        key = self.setting.rpartition(".")[2]
        if not isinstance(loaded, type) or not issubclass(loaded, self.base):
            raise wrong(f"the plug-in '{word}' of {owner(first)} is no {self.base.__module__}.{self.base.__name__}")
        if get_args(loaded.model_fields[key].annotation) != (word,):
            raise wrong(f"the plug-in '{word}' of {owner(first)} must declare {key}: Literal['{word}']")
        return loaded


def installed() -> Installed:
    """The entry points of all groups that are the harness's, as they are now; nothing is imported."""
    found = entry_points()
    return tuple(point for name in found.groups if name.startswith("harness.") for point in found.select(group=name))


def owner(point: EntryPoint) -> str:
    """'leaky-cell 0.1': the distribution that an entry point is of."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else f"an unnamed package ({point.value})"
