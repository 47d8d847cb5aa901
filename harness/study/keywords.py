"""A setting that is a word, or a mapping of that word and its keywords: `adamw`, `{name: adamw, weight_decay: 0.1}`.

Which words there are, and which keywords each of them takes, is a table. What is written in the long form though it
says no more than the word is the word: both have one run id.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from harness.errors import nearest
from harness.study.section import wrong

LARGEST = sys.float_info.max

Problems = Iterator[tuple[str, str]]  # (keyword, what is wrong)


class KeywordError(ValueError):
    """A keyword has a value that it does not take; the text completes "optimizer.eps: …"."""


@dataclass(frozen=True)
class Number:
    """A keyword that is a number, and its limits.

    Attributes:
        default: of torch; None where there is none: the keyword must be given, or means what `null` says.
        meaning: one line for people.
        null: what leaving it out means, where that is no number; empty: it must be given.
        whole: whether it counts something.
    """

    default: float | None
    meaning: str
    ge: float = -math.inf
    gt: float = -math.inf
    le: float = math.inf
    lt: float = math.inf
    null: str = ""
    whole: bool = False

    def read(self, value: object) -> float | int | None:
        """The value as this keyword has it.

        Raises:
            KeywordError: it does not take this value.
        """
        if value is None and self.null:
            return None
        kind = "integer" if self.whole else "number"
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            raise KeywordError(f"input should be a valid {kind}, not {_short(value)}")
        if not -LARGEST <= value <= LARGEST:  # NaN is not between them
            raise KeywordError(f"input should be a finite number, not {_short(value)}")
        for holds, words in self._limits(value):
            if not holds:
                raise KeywordError(f"input should be {words}, not {value!r}")
        return value if self.whole else float(value)

    def _limits(self, value: float) -> Iterator[tuple[bool, str]]:
        yield value >= self.ge, f"greater than or equal to {self.ge:g}"
        yield value > self.gt, f"greater than {self.gt:g}"
        yield value <= self.le, f"less than or equal to {self.le:g}"
        yield value < self.lt, f"less than {self.lt:g}"

    def schema(self) -> dict[str, Any]:
        """The values it takes, in JSON Schema."""
        kind = "integer" if self.whole else "number"
        limits = {"minimum": self.ge, "exclusiveMinimum": self.gt, "maximum": self.le, "exclusiveMaximum": self.lt}
        finite = {name: limit for name, limit in limits.items() if math.isfinite(limit)}
        return {"type": [kind, "null"] if self.null else kind, **finite}


@dataclass(frozen=True)
class Pair:
    """A keyword that is two numbers, each with limits of its own."""

    default: tuple[float, float]
    meaning: str
    first: Number
    second: Number
    null = ""

    def read(self, value: object) -> tuple[float, ...]:
        """The value as this keyword has it; raises `KeywordError`."""
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise KeywordError(f"input should be two numbers, such as {list(self.default)}, not {_short(value)}")
        numbers = []
        for place, (limits, number) in enumerate(zip((self.first, self.second), value, strict=True)):
            try:
                numbers.append(float(limits.read(number) or 0.0))
            except KeywordError as error:
                raise KeywordError(f"number {place + 1} of {list(value)}: {error}") from None
        return tuple(numbers)

    def schema(self) -> dict[str, Any]:
        own = [self.first.schema(), self.second.schema()]
        return {"type": "array", "prefixItems": own, "minItems": 2, "maxItems": 2}


@dataclass(frozen=True)
class Flag:
    """A keyword that is true or false."""

    default: bool
    meaning: str
    null = ""

    def read(self, value: object) -> bool:
        """The value as this keyword has it; raises `KeywordError`."""
        if not isinstance(value, bool):
            raise KeywordError(f"input should be a valid boolean, not {_short(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


Keyword = Number | Pair | Flag
Table = Mapping[str, Mapping[str, Keyword]]  # word → its keywords


class Named(Mapping[str, Any]):
    """A word and those of its keywords that are not at their defaults: a mapping that cannot be changed."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(sorted(values.items()))

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


def split(choice: str | Mapping[str, Any], table: Table) -> tuple[str, dict[str, Any]]:
    """The word of a setting and all its keywords, those that were not given at their defaults."""
    name = choice if isinstance(choice, str) else str(choice["name"])
    given = {} if isinstance(choice, str) else choice
    return name, {key: given.get(key, keyword.default) for key, keyword in table[name].items()}


@dataclass(frozen=True)
class NamedChoice:
    """What makes a field of a section such a setting: `Annotated[str | Named, NamedChoice("optimizer", TABLE)]`.

    Attributes:
        setting: the field's name, for messages.
        table: the words, and the keywords of each.
        refused: words of the same kind that a study may not use, and why.
        refused_keywords: keywords that a study may not use, and why.
        check: what is wrong with keywords that are right each by itself: (keyword, message).
    """

    setting: str
    table: Table
    refused: Mapping[str, str] = field(default_factory=dict)
    refused_keywords: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[str, Mapping[str, Any]], Problems] = lambda name, keywords: iter(())

    def read(self, value: object) -> str | Named:
        """The word, or the word with the keywords that differ from their defaults.

        Raises:
            ValidationError: all that is wrong with it, each with its key.
        """
        if not isinstance(value, str | Mapping):
            raise wrong(self.setting, f"no choice {_short(value)}{nearest('', self.table)}")
        named = {"name": value} if isinstance(value, str) else dict(value)
        if "name" not in named:
            raise wrong(self.setting, f"a mapping has a name{nearest('', self.table)}")
        name = named.pop("name")
        if not isinstance(name, str) or name not in self.table:
            key = self.setting if isinstance(value, str) else f"{self.setting}.name"
            raise wrong(key, self._no_choice(name))
        keywords: dict[str, Any] = {}
        problems = []
        for key, given in named.items():
            try:
                keywords[key] = self._keyword(name, key).read(given)
            except KeywordError as error:
                problems.append((key, str(error)))
        required = [key for key, word in self.table[name].items() if word.default is None and not word.null]
        missing = [key for key in required if key not in named]
        if missing and isinstance(value, str):
            example = ", ".join(f"{key}: …" for key in missing)
            raise wrong(self.setting, f"'{name}' needs {' and '.join(missing)}: {{name: {name}, {example}}}")
        problems += [(key, f"must be given with '{name}'") for key in missing]
        if not problems:
            problems += self.check(name, split({"name": name, **keywords}, self.table)[1])
        if problems:
            raise ValidationError.from_exception_data(self.setting, [self._problem(*each) for each in problems])
        own = {key: given for key, given in keywords.items() if given != self.table[name][key].default}
        return Named({"name": name, **own}) if own else name

    def _keyword(self, name: str, key: str) -> Keyword:
        if key in self.refused_keywords:
            raise KeywordError(self.refused_keywords[key])
        if key not in self.table[name]:
            raise KeywordError(f"no such keyword of '{name}'{nearest(key, self.table[name])}")
        return self.table[name][key]

    def _no_choice(self, name: object) -> str:
        word = str(name)
        reason = self.refused.get(word.lower())
        if reason:
            return f"no choice '{word}': it {reason}{nearest('', self.table)}"
        return f"no choice '{word}'{nearest(word.lower(), self.table)}"

    def _problem(self, key: str, message: str) -> InitErrorDetails:
        return InitErrorDetails(type=wrong(f"{self.setting}.{key}", message), loc=(key,), input=key)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(
            lambda value: value if isinstance(value, str) else dict(value)
        )
        return core_schema.no_info_plain_validator_function(self.read, serialization=written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        words = [name for name, keywords in self.table.items() if not _required(keywords)]
        return {"anyOf": [{"enum": words}, *(self._long_form(name) for name in self.table)]}

    def _long_form(self, name: str) -> dict[str, Any]:
        keywords = self.table[name]
        properties = {
            key: {
                **keyword.schema(),
                **({} if keyword.default is None else {"default": _plain(keyword.default)}),
                "description": keyword.meaning + (f"; null: {keyword.null}" if keyword.null else ""),
            }
            for key, keyword in keywords.items()
        }
        return {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", *_required(keywords)],
            "properties": {"name": {"const": name}, **properties},
        }


def _required(keywords: Mapping[str, Keyword]) -> list[str]:
    return [key for key, keyword in keywords.items() if keyword.default is None and not keyword.null]


def _plain(default: bool | float | tuple[float, float]) -> Any:
    return list(default) if isinstance(default, tuple) else default


def _short(value: object) -> str:
    shown = repr(value)
    return shown[:60] + "…" if len(shown) > 60 else shown
