"""What a run's numbers depend on beside its settings: code that is not the harness's own, files, and mended numerics.

A run id hashes these with the settings, so that runs of two versions of a plug-in, or of two contents of a data file,
can never stand in one table under one id. What is built in has a version only where its numbers were once mended
(`numerics` above 1): its ids stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from harness.study.content import DIGITS, content_hash, is_file
from harness.study.section import Section, marked, value_types, wrong

Versions = Mapping[str, str]  # what → which: {"cell leaky": "leaky-cell 0.1 1f3a…", "task.file": "content 9c1e…"}


@dataclass(frozen=True)
class PluginVersion:
    """A plug-in that a study names: 'cell', 'leaky', 'leaky-cell 0.1 1f3a…'."""

    kind: str
    name: str
    version: str

    @property
    def key(self) -> str:
        return f"{self.kind} {self.name}"


def point_versions(
    experiment: str,
    numerics: int,
    sections: Mapping[str, Section],
    plugins: Mapping[tuple[str, str], PluginVersion],
) -> dict[str, str]:
    """What of a point's code and data has a version that its run ids must hash.

    Args:
        experiment: of the point, by name.
        numerics: of the experiment.
        sections: of the point.
        plugins: that the study names, by setting and name: ("model.cell", "leaky").

    Returns:
        what → which version: of a plug-in, of a file's content, or of built-in numbers that were mended; almost always
        empty.

    Raises:
        PydanticCustomError: a file cannot be read; it names the setting.
    """
    versions = {f"experiment {experiment}": f"numerics {numerics}"} if numerics > 1 else {}
    plugin = plugins.get(("experiment", experiment))
    if plugin:
        versions[plugin.key] = plugin.version
    for name, section in sections.items():
        if plugins or _may_have_version(type(section)):
            versions |= dict(_section_versions(name, section, plugins))
    return versions


@cache
def _may_have_version(model: type[Section]) -> bool:
    """Whether a section can have one without a plug-in: planning a million points asks for each."""
    return (
        model.numerics > 1
        or model.files is not Section.files
        or any(marked(info, "numerics") or Path in value_types(info.annotation) for info in model.model_fields.values())
        or not model.__module__.startswith("harness.")
    )


def _section_versions(
    name: str, section: Section, plugins: Mapping[tuple[str, str], PluginVersion]
) -> Iterator[tuple[str, str]]:
    own = type(section).numerics
    if own > 1:
        yield name, f"numerics {own}"
    for key, info in type(section).model_fields.items():
        value, path = getattr(section, key), f"{name}.{key}"
        words = [word for word in (value if isinstance(value, tuple) else (value,)) if isinstance(word, str)]
        for word in words:
            if plugin := plugins.get((path, word)):
                yield plugin.key, plugin.version
        numerics = marked(info, "numerics")
        if isinstance(numerics, Mapping):
            yield from ((f"{path} {word}", f"numerics {numerics[word]}") for word in words if word in numerics)
        elif numerics and value != info.get_default(call_default_factory=True):
            yield path, f"numerics {numerics}"
    for key, file in files_of(section).items():
        try:
            yield f"{name}.{key}", content_hash(file)
        except OSError as error:
            raise wrong(f"{name}.{key}", f"{file}: cannot be read: {error.strerror or error}") from None


def files_of(section: Section) -> dict[str, Path]:
    """The files that a section's numbers depend on, by setting.

    A plug-in may have declared one as a text: its words that name a file are taken for what they name.
    """
    texts = {} if type(section).__module__.startswith("harness.") else _texts(section)
    return {key: Path(text) for key, text in texts.items() if is_file(Path(), text)} | section.files()


def _texts(section: Section) -> dict[str, str]:
    return {
        key: value
        for key, info in type(section).model_fields.items()
        if info.annotation is str or str in get_args(info.annotation)
        if isinstance(value := getattr(section, key), str)
    }


def changed(planned: Versions, sections: Mapping[str, Section], plugins: Versions) -> str:
    """In words, what of a point's code and data is no longer what it was planned with; empty where nothing is.

    Args:
        planned: versions of the point.
        sections: of the point.
        plugins: versions of its plug-ins, as they are in this process.
    """
    current = dict(planned) | dict(plugins)
    for name, section in sections.items():
        for key, file in files_of(section).items():
            try:
                current[f"{name}.{key}"] = content_hash(file)
            except OSError as error:
                current[f"{name}.{key}"] = f"{file}: cannot be read: {error.strerror or error}"
    return "" if current == planned else differing(current, planned)


def differing(now: Versions, before: Mapping[str, Any] | None) -> str:
    """In words, how the versions of a run differ from those of another one with the same settings.

    Args:
        now: versions of the planned run.
        before: versions that a commit recorded; None: it was made before they were.
    """
    if before is None:
        return "made before versions of code and data were recorded"
    return "; ".join(
        f"{key} was {before.get(key, 'not versioned')}, is {now.get(key, 'not versioned')}"
        for key in sorted({*now, *before})
        if now.get(key) != before.get(key)
    )


@lru_cache(maxsize=1)
def harness_version() -> str:
    """Version and source of the harness that this process runs: '2.0 5b1c…'; read once, before it can change."""
    folder = Path(__file__).parents[1]
    digest = sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"\n{file.relative_to(folder)}\n".encode())
        digest.update(file.read_bytes())
    try:
        release = version("vanishing-gradient-harness")
    except PackageNotFoundError:
        release = "not installed"
    return f"{release} {digest.hexdigest()[:DIGITS]}"
