"""A network that somebody else has written: a factory returns a torch.nn.Module, and the settings are its own.

It stands in a study where a cell stands, and has none of a cell's settings: how many layers there are, how they start
and what is dropped is the factory's to say.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Annotated, Any, ClassVar, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from harness.cells.whole_sequence import WholeSequence
from harness.errors import nearest
from harness.study.section import setting, wrong
from harness.study.signature import Signature

SIZES = ("input_size", "output_size", "length")  # what the harness gives to a factory beside its settings
FACTORY = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
DEEPEST = 20


class Settings(Mapping[str, Any]):
    """The settings of a factory: names and plain values (numbers, words, lists, mappings); cannot be changed."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = deepcopy(dict(values))

    def __getitem__(self, key: str) -> Any:
        return deepcopy(self._values[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return False
        try:
            return self._text() == Settings(other)._text()  # 1 is not 1.0, nor true
        except (TypeError, ValueError):  # a mapping of anything else
            return False

    def __hash__(self) -> int:
        return hash(self._text())

    def __repr__(self) -> str:
        return repr(self._values)

    def _text(self) -> str:
        return json.dumps(self._values, sort_keys=True)


class SettingsField:
    """What makes a field of a section such settings: `Annotated[Settings, SettingsField()]`."""

    def read(self, value: object) -> Settings:
        """The settings as they are written.

        Raises:
            PydanticCustomError: they are no mapping of names to plain values, or name what the harness gives.
        """
        if isinstance(value, Settings):
            return value
        if not isinstance(value, Mapping):
            raise wrong(
                "settings", f"must be a mapping of the factory's own settings, such as {{layers: 2}}, not {value!r}"
            )
        for key, each in value.items():
            if not isinstance(key, str) or not key.isidentifier():
                raise wrong("settings", f"{key!r} is no name that a Python function could take")
            if key in SIZES:
                raise wrong(f"settings.{key}", "is the task's, which the harness gives to the factory; leave it out")
            reason = _not_plain(each)
            if reason:
                raise wrong(f"settings.{key}", reason)
        return Settings(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(dict)
        return core_schema.no_info_plain_validator_function(self.read, serialization=written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "object"}


def _not_plain(value: object, depth: int = 0) -> str:
    """Why a value could not be written into a run's id; empty where it can."""
    if depth > DEEPEST:
        return f"is nested more than {DEEPEST} deep"
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"must be finite, not {value!r}"
    if value is None or isinstance(value, bool | int | str):
        return ""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            return "has a key that is no word"
        return next(filter(None, (_not_plain(each, depth + 1) for each in value.values())), "")
    if isinstance(value, list | tuple):
        return next(filter(None, (_not_plain(each, depth + 1) for each in value)), "")
    return f"must be numbers, words, lists or mappings, not {value!r}"


class Module(WholeSequence):
    """A torch.nn.Module that a factory returns: (T, B, D) → states (T, B, H), or logits of the task's shape.

    Its parameters have the names that torch gives them; with `output: states` the readout V and b_y stands beside them.
    """

    hidden_size: ClassVar[int] = 0  # type: ignore[misc]
    match: ClassVar[None] = None  # type: ignore[misc]
    layers: ClassVar[int] = 0  # type: ignore[misc]
    subject = "a module"
    without: ClassVar[Mapping[str, str]] = {
        "omega": "Ω follows W of an rnn",
        "flossing": "Lyapunov exponents follow a cell's equations",
        "orthogonal": "WᵀW − I is of a cell's recurrent blocks; torch.nn.utils.parametrizations.orthogonal is a "
        "module's",
        "bptt_window": "a window cuts a cell's recurrence; a module cuts its own, by detach()",
        "bptt_stride": "a stride is of chunks with a carried state, which a module does not get",
    }

    cell: Literal["module"] = setting(..., "a network from a factory: docs/module.md")
    factory: str = setting(
        ...,
        "the function that returns the network, package.module:function; looked for beside the study, then on Python's "
        "path, then in the working folder",
        min_length=1,
    )
    settings: Annotated[Settings, SettingsField()] = setting(
        {},
        "what the function is given beside input_size, output_size and length",
        column="factory_settings",
        label="settings of the factory",
        short="settings",
        validate_default=True,
    )
    output: Literal["states", "logits"] = setting(
        "states",
        "what the module returns: states (T, B, H), which the harness reads out, or the logits themselves",
        column="factory_output",
    )

    @model_validator(mode="after")
    def _factory(self) -> Module:
        if not FACTORY.fullmatch(self.factory):
            raise wrong("factory", f"'{self.factory}' names no function; write package.module:function")
        return self

    def code(self) -> dict[str, str]:
        """The factory."""
        return {"factory": self.factory}

    def check_signature(self, key: str, signature: Signature) -> None:
        """A factory takes the sizes and each of the settings, by name, and needs nothing else."""
        if not signature.any_name:
            missing = [name for name in SIZES if name not in signature.names]
            if missing:
                raise wrong(
                    "model.factory",
                    f"'{self.factory}' ({signature.line}) does not take {', '.join(missing)}; a factory is called "
                    "with input_size, output_size and length by name, and with the settings",
                )
            own = [name for name in signature.names if name not in SIZES]
            for name in self.settings:
                if name not in own:
                    likely = nearest(name, own) if own else "; it has no settings"
                    raise wrong(
                        f"model.settings.{name}", f"'{self.factory}' ({signature.line}) takes no '{name}'{likely}"
                    )
        for name in signature.required:
            if name not in SIZES and name not in self.settings:
                raise wrong(
                    "model.settings", f"{name} must be given: '{self.factory}' ({signature.line}) has no default"
                )

    @classmethod
    def refusal(cls, key: str) -> str:
        """A cell's setting is not dropped silently: where it belongs is said."""
        return (
            f"is a cell's; a module has its factory's settings: model.settings: {{{key}: …}}, if the factory takes it"
        )
