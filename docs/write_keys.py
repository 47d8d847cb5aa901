"""Writes docs/keys.md from the models of a study's sections: python docs/write_keys.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from json import dumps
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic.fields import FieldInfo

from harness.registry import load_registry
from harness.study.keywords import Keyword, NamedChoice, Pair
from harness.study.labels import number
from harness.study.spec import Choice, Expectation, FigureSpec, Section
from harness.study.tuning import Range, Tune

HEAD = """\
# Every key of a study

Written by `python docs/write_keys.py` from the models behind the grammar (`studies/study.schema.json`); do not edit.
Each entry gives the values that a key takes, its unit, its default, and its meaning.
"""
SWEEP = "section.setting: list of values; a product of such axes, or a union of products as a list"
LIMITS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
WIDTH = 120
SPACE_IN_CODE = "\N{NO-BREAK SPACE}"  # while lines are broken, so that none ends within a code span


def page() -> str:
    """The whole page."""
    registry = load_registry()
    lines = [HEAD, *_top()]
    for experiment in registry.experiments.values():
        lines += ["", f"## experiment: {experiment.name}"]
        for section, model in experiment.sections.items():
            if experiment.name != "training" and section in registry.experiments["training"].sections:
                lines += ["", f"`{section}:` as in training."]
                continue
            lines += _section(section, model)
    lines += ["", "## tune", "", *_summary(Tune), "", *_entries(Tune), "", "A range:", "", *_entries(Range)]
    lines += ["", "## figures", "", "A list. Keys of every kind:", "", *_entries(FigureSpec)]
    for name, kind in registry.figures.items():
        lines += ["", f"### kind: {name}", "", *_summary(kind), "", *_entries(kind, besides=FigureSpec)]
    lines += ["", "## expect", "", *_summary(Expectation), "", *_entries(Expectation), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))  # a kind may have no keys of its own


def _top() -> Iterator[str]:
    from harness.study.json_schema import study_schema

    for key, body in study_schema(load_registry())["properties"].items():
        if "description" in body:
            yield from _wrapped(f"`{key}`: {body['description']}", bullet=True)
    yield from _wrapped(f"`sweep`: {SWEEP}", bullet=True)


def _section(section: str, model: Choice | type[Section]) -> Iterator[str]:
    if not isinstance(model, Choice):
        yield from ["", f"### {section}", "", *_summary(model), "", *_entries(model)]
        return
    bases = next(iter(model.table.values())).__mro__
    shared = next(base for base in bases if all(issubclass(choice, base) for choice in model.table.values()))
    yield from ["", f"### {section}", ""]
    yield from _wrapped(f"`{model.key}` chooses: {', '.join(f'`{word}`' for word in model.table)}.")
    common = list(_entries(shared, without=model.key))
    if common:
        yield from ["", f"Keys of all of them{_but(model, shared)}:", "", *common]
    for word, choice in model.table.items():
        yield from ["", f"#### {section}: {word}", "", *_summary(choice)]
        yield from ["", *_entries(choice, besides=shared, without=model.key)]


def _but(model: Choice, shared: type[Section]) -> str:
    """The choices that take shared settings for constants."""
    without = [word for word, choice in model.table.items() if shared.model_fields.keys() - choice.model_fields.keys()]
    return f" but {', '.join(f'`{word}`' for word in without)}" if without else ""


def _entries(model: type[Section], besides: type[Section] | None = None, without: str = "") -> Iterator[str]:
    """The settings of a model as a list, without those that another model already has."""
    schema = model.model_json_schema()
    listed = besides.model_json_schema()["properties"] if besides else {}
    for key, body in schema["properties"].items():
        repeated = key in listed and _content(listed[key]) == _content(body)
        if key == without or repeated or (besides and key == "kind"):
            continue
        default = (
            f"default `{dumps(body['default'], ensure_ascii=False)}`"
            if "default" in body
            else ("must be given" if key in schema.get("required", ()) else "")
        )
        named = _named(model.model_fields[key])
        values = _named_values(named) if named else _values(body, schema.get("$defs", {}))
        facts = (values, body.get("unit", ""), default)
        yield from _wrapped(
            f"`{key}` ({'; '.join(filter(None, facts))}): {body.get('description', '')}".removesuffix(": "), bullet=True
        )
        for word, keywords in named.table.items() if named else ():
            text = f"`{word}`: {', '.join(_keyword(name, each) for name, each in keywords.items())}"
            yield from (f"  {line}" for line in _wrapped(text, bullet=True, width=WIDTH - 2))


def _named(field: FieldInfo) -> NamedChoice | None:
    """The words and keywords of a setting that is a word with keywords; None for any other."""
    return next((mark for mark in field.metadata if isinstance(mark, NamedChoice)), None)


def _named_values(named: NamedChoice) -> str:
    return f"a word, or a mapping `{{name: {next(iter(named.table))}, …}}` with keywords of the word"


def _keyword(name: str, keyword: Keyword) -> str:
    """A keyword with its values and its default."""
    default = keyword.null or "must be given" if keyword.default is None else f"`{_default(keyword.default)}`"
    parts = [keyword.first, keyword.second] if isinstance(keyword, Pair) else [keyword]
    return f"`{name}` ({', '.join(_values(part.schema(), {}) for part in parts)}; {default})"


def _default(value: bool | float | tuple[float, float]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(number, value))}]"
    return dumps(value) if isinstance(value, bool) else number(value)


def _content(body: Mapping[str, Any]) -> tuple[Any, Any]:
    return body.get("description"), body.get("default")


def _values(body: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a setting can be, in a few words."""
    if "$ref" in body:
        inner = definitions[body["$ref"].rpartition("/")[2]]
        return (
            "{" + ", ".join(f"{key}: {_values(each, definitions)}" for key, each in inner["properties"].items()) + "}"
        )
    if "anyOf" in body:
        return ", ".join(dict.fromkeys(_values(each, definitions) for each in body["anyOf"]))
    if "const" in body or "enum" in body:
        return ", ".join(f"`{each}`" for each in body.get("enum", [body.get("const")]))
    limits = " ".join(text.format(f"{body[name]:g}") for name, text in LIMITS.items() if name in body)
    kind = body.get("type", "anything")
    return f"{kind if isinstance(kind, str) else kind[0]} {limits}".strip()


def _summary(model: type[Section]) -> list[str]:
    """The first paragraph of a model's docstring."""
    return _wrapped((model.__doc__ or "").strip().split("\n\n")[0])


def _wrapped(text: str, *, bullet: bool = False, width: int = WIDTH) -> list[str]:
    """Lines of a paragraph or of a list item; a code span is not broken."""
    solid = re.sub(r"`[^`]+`", lambda span: span[0].replace(" ", SPACE_IN_CODE), " ".join(text.split()))
    first, further = ("- ", "  ") if bullet else ("", "")
    lines = wrap(
        solid,
        width,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(SPACE_IN_CODE, " ") for line in lines]


if __name__ == "__main__":
    (Path(__file__).parent / "keys.md").write_text(page())
