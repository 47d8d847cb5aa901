"""Sweep → points of the grid: products are expanded, their union taken, every section validated once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product as cartesian
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from harness.errors import HarnessError, Place, nearest
from harness.study.code import Code, folders_of, located
from harness.study.identity import point_versions
from harness.study.matching import canonical
from harness.study.section import Section, Sections, marked, wrong
from harness.study.signature import Signature, signature_in
from harness.study.spec import Choice, Experiment, Point, Registry
from harness.study.yaml_document import KeyPath, YamlDocument

MOST_POINTS = 1_000_000
Chosen = Mapping[str, tuple[Any, KeyPath]]  # settings of a point beside the base: value, and where it is written


@dataclass
class Grid:
    """The expansion of one document's sections and sweep for one experiment; problems go to the document's list."""

    document: YamlDocument
    experiment: Experiment[Any]
    registry: Registry
    report: Any  # (place, message) -> None
    validated: dict[tuple[str, str], Section | None] = field(default_factory=dict)
    located: dict[tuple[str, str], tuple[Code, Signature | None]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The study's, to which paths in it are relative; of a text without a file the working folder."""
        return self.document.folder or Path(self.document.source).parent

    def points(self) -> tuple[Point, ...]:
        """All distinct points, in the order of the sweep."""
        return tuple({point.sections: point for row in self.rows([{}]) for point in row}.values())

    def rows(self, candidates: Sequence[Chosen]) -> tuple[tuple[Point, ...], ...]:
        """For each distinct point of the sweep a row: that point with the further settings of each candidate."""
        base = {name: self._base(name) for name in self.experiment.sections}
        rows: dict[tuple[Sections, ...], tuple[Point, ...]] = {}
        for chosen in self._combinations():
            row: list[Point] = []
            for candidate in candidates:
                settings = {**chosen, **candidate}
                sections = {name: self._section(name, base[name], settings) for name in self.experiment.sections}
                complete = {name: section for name, section in sections.items() if section is not None}
                point = self._point(complete, settings) if len(complete) == len(sections) else None
                if point is not None:
                    row.append(point)
            if len(row) == len(candidates):
                rows.setdefault(tuple(point.sections for point in row), tuple(row))
        return tuple(rows.values())

    def _point(self, sections: Mapping[str, Section], chosen: Mapping[str, tuple[Any, KeyPath]]) -> Point | None:
        """The sections as the experiment completes them, with the versions of their code and data.

        None where they cannot go together, or a file cannot be read (reported).
        """
        try:
            completed: Sections = self.experiment.complete(self.experiment.typed(**sections))
            versions = point_versions(
                self.experiment.name, self.experiment.numerics, completed.by_name(), self.registry.plugins
            )
            code = tuple(self._code(completed.by_name(), chosen))
        except PydanticCustomError as error:
            context = error.context or {}
            key, message = str(context.get("key")), str(context.get("message"))
            own, inner = key.split(".")[:2], key.split(".")[2:]  # of a setting that is a mapping: the keyword
            _, path = chosen.get(".".join(own), (None, tuple(own)))
            self.report(self.document.place(*path, *inner), f"{key}: {message}")
            return None
        return Point(self.experiment.name, completed, versions | {each.setting: each.version for each in code}, code)

    def _code(self, sections: Mapping[str, Section], chosen: Mapping[str, tuple[Any, KeyPath]]) -> Iterator[Code]:
        """The functions that a point names, located, hashed and parsed once; their signatures are compared with what
        they get.

        Raises:
            PydanticCustomError: one cannot be found, or will not take its arguments; it names the setting.
        """
        for name, section in sections.items():
            for key, function in section.code().items():
                setting = f"{name}.{key}"
                _, path = chosen.get(setting, (None, (name, key)))
                try:
                    if (setting, function) not in self.located:
                        folders = folders_of(self.document.source, self.document.folder)
                        code = located(setting, function, str(self.document.place(*path)), folders)
                        self.located[setting, function] = code, signature_in(Path(code.file), code.function)
                    code, signature = self.located[setting, function]
                except HarnessError as error:
                    raise wrong(setting, f"'{function}': {error}") from None
                if signature is not None:
                    section.check_signature(key, signature)
                yield code

    def unused(self, points: Sequence[Point]) -> tuple[str, ...]:
        """Settings that are written and have no use at any point.

        Of the base, those that are null or absent at every point: `forget_bias` where there is no LSTM. Of base and
        sweep, those written as another value than the default that they have at every point: `dropout` of one layer.
        """
        unused = []
        for section in self.experiment.sections:
            base = {key: value for key, value in self._base(section).items() if value is not None}
            written = {key: [value] for key, value in base.items()}
            for key, values in self._swept(section):
                written.setdefault(key, []).extend(values)
            own = [point.sections.by_name()[section] for point in points]
            unused += [
                f"{section}.{key}"
                for key, values in written.items()
                if own
                and not any(key in each.rewritten for each in own)
                and (
                    (key in base and all(getattr(each, key, None) is None for each in own))
                    or all(_without_effect(each, key, values) for each in own)
                )
            ]
        return tuple(unused)

    def _swept(self, section: str) -> Iterator[tuple[str, list[Any]]]:
        """The axes of a section's settings, of all products."""
        tuned = self.document.data.get("tune")
        over = tuned.get("over") if isinstance(tuned, dict) else None
        for axes in (*self.products(), over):
            for name, values in axes.items() if isinstance(axes, dict) else ():
                own, _, key = name.partition(".")
                if own == section and isinstance(values, list):
                    yield key, values

    def products(self) -> list[dict[str, Any]]:
        """The products of the sweep as they are written, whatever of it has the right form."""
        sweep = self.document.data.get("sweep")
        return [axes for axes in (sweep if isinstance(sweep, list) else [sweep]) if isinstance(axes, dict)]

    def _base(self, section: str) -> dict[str, Any]:
        """The section as written outside the sweep; keys that no model of it knows are reported here, once."""
        written = self.document.data.get(section)
        if written is None:
            return {}
        if not isinstance(written, dict):
            behind = self.experiment.sections[section]
            like = f", such as {{{behind.key}: {written}}}" if isinstance(behind, Choice) else ""
            problem = f"must be a mapping of settings{like if isinstance(written, str) else ''}, not {written!r}"
            self.report(self.document.place(section), f"{section}: {problem}")
            return {}
        known = {key for model in self.experiment.models(section) for key in model.model_fields}
        behind = self.experiment.sections[section]
        if isinstance(behind, Choice) and isinstance(written.get(behind.key), str | int | float):
            self._known_choice(section, behind, written[behind.key], self.document.place(section, behind.key))
        for key in written:
            if key not in known:
                place = self.document.place(section, key, key=True)
                self.report(place, f"{section}.{key}: no such setting{self._nearest_setting(section, key)}")
        return {key: value for key, value in written.items() if key in known}

    def settings(self, section: str) -> set[str]:
        """The settings that a section has at some point of this study: those of the cells that it names, no others."""
        behind = self.experiment.sections[section]
        models = self.experiment.models(section)
        if isinstance(behind, Choice):
            chosen = [behind.table[word] for word in self._words(section, behind.key) if word in behind.table]
            models = tuple(chosen) or models
        return {key for model in models for key in model.model_fields}

    def dotted(self) -> set[str]:
        """All settings of this study as section.setting."""
        return {f"{section}.{key}" for section in self.experiment.sections for key in self.settings(section)}

    def _words(self, section: str, key: str) -> Iterator[str]:
        """The words that the base and the sweep give to a setting."""
        written = self.document.data.get(section)
        values = [written.get(key)] if isinstance(written, dict) else []
        for axes in self.products():
            axis = axes.get(f"{section}.{key}")
            values += axis if isinstance(axis, list) else []
        yield from (value for value in values if isinstance(value, str))

    def _nearest_setting(self, section: str, key: str) -> str:
        return nearest(key, self.settings(section), self.dotted())

    def _known_choice(self, section: str, behind: Choice, word: Any, place: Place) -> bool:
        if isinstance(word, str) and word in behind.table:
            return True
        if isinstance(word, list):
            self.report(place, f"{section}.{behind.key}: {_one_value(section, behind.key, word)}")
            return False
        kind = section if behind.key == "name" else behind.key
        self.report(
            place, f"{section}.{behind.key}: no {kind} '{word}'{nearest(word, {*behind.table, *behind.others})}"
        )
        return False

    def _combinations(self) -> Iterator[dict[str, tuple[Any, KeyPath]]]:
        """Each point's swept keys: {dotted key: (value, path of that value)}."""
        sweep = self.document.data.get("sweep")
        if sweep is None:
            yield {}
            return
        products: list[tuple[KeyPath, Any]] = [(("sweep",), sweep)] if isinstance(sweep, dict) else []
        if isinstance(sweep, list):
            products = [(("sweep", index), each) for index, each in enumerate(sweep)]
        if not products:
            self.report(self.document.place("sweep"), "sweep: must be a mapping of axes, or a list of such mappings")
            return
        total = 0
        for path, axes in products:
            clean = self._axes(path, axes)
            if clean is None:
                continue
            size = 1
            for values in clean.values():
                size *= len(values)
            total += size
            if total > MOST_POINTS:
                self.report(self.document.place(*path), f"sweep: more than {MOST_POINTS:,} points")
                return
            for combination in cartesian(*clean.values()):
                yield dict(zip(clean, combination, strict=True))

    def _axes(self, path: KeyPath, axes: Any) -> dict[str, list[tuple[Any, KeyPath]]] | None:
        """One product with the place of every value, or None where an axis is wrong (reported)."""
        if not isinstance(axes, dict):
            self.report(self.document.place(*path), f"sweep: a product is a mapping of axes, not {axes!r}")
            return None
        clean: dict[str, list[tuple[Any, KeyPath]]] = {}
        for key, values in axes.items():
            inner = (*path, key)
            fault = self.axis_fault(key)
            if fault:
                self.report(self.document.place(*inner, key=True), fault)
            elif not isinstance(values, list):
                self.report(self.document.place(*inner), f"{key}: an axis is a list of values, such as [{values}]")
            elif not values:
                self.report(self.document.place(*inner), f"{key}: the axis is empty; give it a value or leave it out")
            elif len({_identity(value) for value in values}) < len(values):
                self.report(self.document.place(*inner), f"{key}: the axis has a value twice: {values}")
            else:
                clean[key] = [(value, (*inner, index)) for index, value in enumerate(values)]
        return clean if len(clean) == len(axes) else None

    def axis_fault(self, key: str) -> str | None:
        """What is wrong with an axis' name, or None."""
        section, _, inner = key.partition(".")
        if section not in self.experiment.sections:
            return f"{key}: an axis is named section.setting{nearest(key, self.dotted())}"
        known = {name for model in self.experiment.models(section) for name in model.model_fields}
        if inner not in known:
            return f"{key}: no such setting{self._nearest_setting(section, inner)}"
        return None

    def _section(
        self, section: str, base: Mapping[str, Any], chosen: Mapping[str, tuple[Any, KeyPath]]
    ) -> Section | None:
        """One section of one point; what is inherited but has no meaning for the chosen model is dropped."""
        swept = {key.partition(".")[2]: value for key, value in chosen.items() if key.partition(".")[0] == section}
        merged = {**base, **{key: value for key, (value, _) in swept.items()}}
        signature = (section, repr([sorted(merged.items(), key=lambda item: item[0]), sorted(swept)]))
        if signature not in self.validated:
            paths = {key: path for key, (_, path) in swept.items()}
            self.validated[signature] = self._validate(section, merged, paths)
        return self.validated[signature]

    def _validate(self, section: str, merged: dict[str, Any], swept: Mapping[str, KeyPath]) -> Section | None:
        def place(key: str, *, of_key: bool = False) -> Place:
            own, *inner = key.split(".")  # of a setting that is a mapping: the keyword
            return self.document.place(*swept.get(own, (section, own)), *inner, key=of_key)

        behind = self.experiment.sections[section]
        model: type[Section]
        if isinstance(behind, Choice):
            if behind.key not in merged:
                if not isinstance(self.document.data.get(section, {}), dict | None):  # reported by `_base`
                    return None
                choices = nearest("", {*behind.table, *behind.others}).removeprefix("; there are ")
                self.report(self.document.place(section), f"{section}.{behind.key}: must be given {choices}")
                return None
            word = merged[behind.key]
            if not self._known_choice(section, behind, word, place(behind.key)):
                return None
            model, chosen = behind.table[word], word
        else:
            model, chosen = behind, section
        for key in sorted(swept.keys() - model.model_fields.keys()):
            self.report(
                place(key),
                f"{section}.{key}: has no meaning for '{chosen}', so it cannot be swept there",
            )
        if isinstance(behind, Choice) and behind.key not in swept:  # among several it may be another's
            refused = {key: model.refusal(key) for key in merged.keys() - model.model_fields.keys() - swept.keys()}
            for key, reason in sorted(refused.items()):
                if reason:
                    self.report(place(key, of_key=True), f"{section}.{key}: {reason}")
        meaningful = {key: value for key, value in merged.items() if key in model.model_fields}
        try:
            valid = model.model_validate(meaningful, context={"swept": frozenset(swept), "folder": self.folder})
        except ValidationError as error:
            for key, message in explain(error, model):
                mistyped = message.startswith(("input should be", "no choice"))
                one_value = key in model.model_fields and not marked(model.model_fields[key], "takes_list")
                if mistyped and one_value and isinstance(merged.get(key), list) and key not in swept:
                    message = _one_value(section, key, merged[key])
                self.report(
                    place(key, of_key="no such" in message) if key else self.document.place(section),
                    f"{section}.{key}: {message}" if key else f"{section}: {message}",
                )
            return None
        except TypeError as error:  # a validator that sees values as they are written meets a mapping for a word
            self.report(self.document.place(section), f"{section}: a setting has a value of a wrong kind: {error}")
            return None
        return valid if self._known_words(section, valid, place) else None

    def _known_words(self, section: str, valid: Section, place: Callable[[str], Place]) -> bool:
        """Whether all names in settings that hold names of an open table are in that table; others are reported."""
        known = True
        for key, info in type(valid).model_fields.items():
            table = marked(info, "names")
            for word in getattr(valid, key) if table else ():
                names = self.registry.words[table]
                if word not in names:
                    self.report(place(key), f"{section}.{key}: no {table} '{word}'{nearest(word, names)}")
                    known = False
        return known


def _without_effect(section: Section, key: str, written: Sequence[Any]) -> bool:
    """Whether a setting has its default here though another number or word was written for it."""
    info = type(section).model_fields.get(key)
    if info is None or getattr(section, key) != info.default:
        return False
    return any(isinstance(value, bool | int | float | str) and value != info.default for value in written)


def _identity(value: object) -> object:
    """What tells a value of an axis from the others: 1 and 1.0 are one value, and true another."""
    return repr(value) if value != value else canonical(value)


def _one_value(section: str, key: str, values: Sequence[Any]) -> str:
    return f"one value, not a list; to try several, put it under sweep: {{{section}.{key}: {_inline(values)}}}"


def _inline(values: Sequence[Any]) -> str:
    """A list of values as a study writes it."""
    return f"[{', '.join('null' if value is None else str(value) for value in values)}]"


def explain(error: ValidationError, model: type[Section]) -> Iterator[tuple[str, str]]:
    """Each of pydantic's errors as (key, what is wrong), in this project's words."""
    seen: set[str] = set()
    for item in error.errors(include_url=False):
        context = item.get("ctx", {})
        key = str(context.get("key") or (item["loc"][0] if item["loc"] else ""))
        if item["type"] == "extra_forbidden":
            yield key, f"no such setting{nearest(key, model.model_fields)}"
        elif item["type"] == "missing" and len(item["loc"]) > 1 and isinstance(item["loc"][-1], int):
            if key not in seen:  # a list of a fixed length, whose first missing value this is
                yield key, f"has too few values: {list(item['input'])}"
        elif item["type"] == "missing":
            yield key, "must be given"
        elif item["type"] == "literal_error" and len(item["loc"]) == 1:
            choices = [word.strip(" '") for word in context["expected"].replace(" or ", ",").split(",")]
            yield key, f"no choice '{item['input']}'{nearest(item['input'], choices)}"
        elif item["type"] == "tuple_type" and len(item["loc"]) == 1:
            one = item["input"]
            yield key, f"must be a list, {f'such as [{one}]' if type(one) in (int, float, str) else f'not {one!r}'}"
        elif key not in seen:  # of a union's branches the first says enough
            text = item["msg"][0].lower() + item["msg"][1:]
            shown = repr(item["input"])
            yield key, text if "key" in context else f"{text}, not {shown[:60] + '…' if len(shown) > 60 else shown}"
        seen.add(key)
