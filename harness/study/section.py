"""A section of a study (`task:`, `model:`, `training:`, …): a frozen, strict pydantic model whose fields are settings.

A setting is declared once, where it belongs: its default, limits, meaning and unit, and what figures, tables and
verdicts call it. From that follow its column in the table of runs (`setting_column`), the JSON schema and the docs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from harness.schema import Column
from harness.study.canonical_json import canonical_json
from harness.study.signature import Signature

S = TypeVar("S", bound="Sections")

# Columns of all settings of all sections that have been defined in this process, by name. What a column is called is
# declared where the setting is; every section of a plug-in joins as its module is imported. Labels only: no number
# depends on what is in here.
DECLARED: dict[str, Column] = {}
NONE_IS_A_WORD: set[str] = set()  # those of which "none" is a value, so that a null has to be written otherwise


File = Annotated[Path, Field(strict=False)]  # a file or folder that a run reads: its content counts, not its name


Unbounded = Annotated[float, Field(gt=0, allow_inf_nan=True)]  # positive, or ∞; NaN is not above 0


class Section(BaseModel):
    """Base of every section of a study: frozen and strict; unknown keys and numbers that are not finite are errors.

    NaN is null further down, in pandas: its runs would be pooled with those of null. Where ∞ means something, a setting
    says so: `Unbounded`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    # Settings that are read as others, so that a null does not say that they have no use.
    rewritten: ClassVar[frozenset[str]] = frozenset()
    numerics: ClassVar[int] = 1  # raised where the numbers of this section's code are mended: its run ids change then

    @classmethod
    def use_of(cls, key: str) -> str:
        """What to set besides, so that a setting that was written has a use: "set model.init: gaussian"; else empty."""
        return ""

    def files(self) -> dict[str, Path]:
        """Files that the numbers of a run with these settings depend on, by setting: all that are declared as paths.

        A run id hashes their content. A section that reads others as well says so by extending this.
        """
        return {key: value for key in type(self).model_fields if isinstance(value := getattr(self, key), Path)}

    def code(self) -> dict[str, str]:
        """Code outside the harness that runs with these settings execute, by setting: "package.module:function".

        A run id hashes its source (`study/code.py`), and a sweep executes it only where it is trusted.
        """
        return {}

    def check_signature(self, key: str, signature: Signature) -> None:
        """Compare the parameters of the function of setting `key` with what it will be given.

        Raises:
            PydanticCustomError: `wrong("model.settings.x", …)`.
        """

    @classmethod
    def refusal(cls, key: str) -> str:
        """Why a setting of another choice of this section is an error here; empty: it is dropped, with a note."""
        return ""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        for key in cls.model_fields:
            column = setting_column(cls, key)
            known = DECLARED.get(column.name)
            if known is None or (column.labelled and not known.labelled):
                DECLARED[column.name] = column
            if "none" in literals(cls.model_fields[key].annotation):
                NONE_IS_A_WORD.add(column.name)


@dataclass(frozen=True)
class Sections:
    """The sections of one point of a grid, typed: an experiment declares a subclass with a field for each section."""

    def by_name(self) -> dict[str, Section]:
        """Section by its key in the study file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __getitem__(self, name: str) -> Any:
        """A section by its key, for those who do not know which experiment's they have: `sections["training"]`."""
        return self.by_name()[name]

    def typed(self, kind: type[S]) -> S:
        """These sections, known to be those of one experiment.

        Raises:
            TypeError: they are another experiment's.
        """
        if not isinstance(self, kind):
            raise TypeError(f"sections of {type(self).__name__}, expected {kind.__name__}")
        return self


def setting(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    column: str | None = None,
    replica: bool = False,
    takes_list: bool = False,
    names: str | None = None,
    numerics: int | Mapping[str, int] = 1,
    label: str = "",
    short: str = "",
    null: str = "",
    unset: str = "",
    order: tuple[str, ...] = (),
    sequential: bool = False,
    **limits: Any,
) -> Any:
    """A setting of a section.

    Args:
        default: its value when the study is silent; `...` where the study must give one.
        meaning: one line for people.
        unit: of its values, "" for a pure number.
        column: its column's name in the tables, where the key alone would be ambiguous.
        replica: runs that differ only here still share a pack (it changes initial weights, nothing else).
        takes_list: a list is one value of it, not an axis of a sweep.
        names: its words are names of that open table of the registry ("probe").
        numerics: raised where the numbers that this option makes are mended, or by word where only those of some of its
            words are; the ids of runs that use it change then, and no others.
        label: on an axis, with symbol and unit: "sequence length T (steps)"; default: the name in words, and the unit.
        short: in a title or a legend: "T"; default: the name in words.
        null: what a null means where it is a value of the setting: "full".
        unset: what a null means otherwise, where it means more than "none": "drawn".
        order: words whose order is not that of the alphabet, first to last.
        sequential: its values lie on a scale: drawn from light to dark.
        limits: pydantic's: ge, gt, le, lt, allow_inf_nan, …

    What a subclass does not say again (label, short, null, unset, order, sequential) it has from the section that it
    extends.
    """
    marks: dict[str, Any] = {
        "unit": unit, "column": column, "replica": replica, "takes_list": takes_list, "names": names, "label": label,
        "short": short, "null": null, "unset": unset, "order": list(order), "sequential": sequential,
        "numerics": numerics if numerics != 1 else None,
    }  # fmt: skip
    return Field(default, description=meaning, json_schema_extra={k: v for k, v in marks.items() if v}, **limits)


def wrong(key: str, message: str) -> PydanticCustomError:
    """The error that a section's validator raises, so that the reader of the study can point at `key`."""
    return PydanticCustomError("setting", "{message}", {"key": key, "message": message})


def marked(info: FieldInfo, mark: str) -> Any:
    """What `setting` noted about a field under `mark`, or None."""
    extra = info.json_schema_extra
    return extra.get(mark) if isinstance(extra, dict) else None


def column_name(key: str, info: FieldInfo) -> str:
    """The column of a setting: its own key unless `setting(column=…)` names another."""
    return str(marked(info, "column") or key)


@cache
def setting_column(model: type[Section], key: str) -> Column:
    """A setting as a column of the table of runs."""
    info = model.model_fields[key]

    def inherited(mark: str) -> Any:
        """The mark of the nearest class, from the model to its bases, that gives one."""
        for base in model.__mro__:
            field = base.model_fields.get(key) if issubclass(base, BaseModel) and base is not BaseModel else None
            if field is not None and marked(field, mark):
                return marked(field, mark)
        return None

    return Column(
        column_name(key, info),
        arrow_type(info.annotation),
        inherited("unit") or "",
        info.description or "",
        label=inherited("label") or "",
        short=inherited("short") or "",
        null=inherited("null") or "",
        unset=inherited("unset") or "",
        order=tuple(inherited("order") or ()),
        sequential=bool(inherited("sequential")),
    )


def arrow_type(annotation: Any) -> pa.DataType:
    """The column type of a setting, from its annotation: text where it holds words, or anything but one number.

    True is not 1: a setting that may be either is text as well.
    """
    kinds = set(value_types(annotation))
    if kinds <= {bool}:
        return pa.bool_()
    if kinds <= {int}:
        return pa.int64()
    if kinds <= {float, int}:
        return pa.float64()
    return pa.string()


def literals(annotation: Any) -> Iterator[object]:
    """The words and numbers that an annotation spells out."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from literals(part)


def value_types(annotation: Any) -> Iterator[type]:
    """The Python types of the values that an annotation allows, null left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from value_types(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for branch in get_args(annotation):
            yield from value_types(branch)
    elif origin is Literal:
        yield from (type(value) for value in get_args(annotation) if value is not None)
    elif annotation is not NoneType:
        yield origin or annotation


def plain(value: object) -> bool | int | float | str | None:
    """A setting as one cell of a table; lists and mappings are canonical JSON."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Section):
        return canonical_json(value.model_dump(mode="json"))
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return canonical_json(value)
    return str(value) if isinstance(value, Path) else repr(value)


def columns_of(sections: Mapping[str, Section]) -> dict[str, bool | int | float | str | None]:
    """Every setting of some sections as a column of the table of runs."""
    return {
        column_name(key, info): plain(getattr(section, key))
        for section in sections.values()
        for key, info in type(section).model_fields.items()
    }
