"""Writes docs/keys.md from the models of a study's sections: python docs/write_keys.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps
from pathlib import Path
from typing import Any

from harness.registry import load_registry
from harness.study.spec import Choice, Expectation, FigureSpec, Section

HEAD = """\
# Every key of a study

Written by `python docs/write_keys.py` from the models behind the grammar (`studies/study.schema.json`); do not edit.

| key | meaning |
|---|---|
"""
LIMITS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}


def page() -> str:
    """The whole page."""
    known = load_registry()
    lines = [HEAD.rstrip("\n"), *_top()]
    for experiment in known.experiments.values():
        lines += ["", f"## experiment: {experiment.name}"]
        for section, behind in experiment.sections.items():
            if experiment.name != "training" and section in known.experiments["training"].sections:
                lines += ["", f"`{section}:` as in training."]
                continue
            lines += _section(section, behind)
    lines += ["", "## figures", "", "A list; of every kind:", "", *_rows(FigureSpec)]
    for name, kind in known.figures.items():
        lines += ["", f"### kind: {name}", "", _said(kind), "", *_rows(kind, besides=FigureSpec)]
    return "\n".join([*lines, "", "## expect", "", _said(Expectation), "", *_rows(Expectation), ""])


def _top() -> Iterator[str]:
    from harness.study.json_schema import study_schema

    for key, body in study_schema(load_registry())["properties"].items():
        if "description" in body:
            yield f"| `{key}` | {body['description']} |"
    yield "| `sweep` | section.setting: list of values; a product of such axes, or a union of products as a list |"


def _section(section: str, behind: Choice | type[Section]) -> Iterator[str]:
    if not isinstance(behind, Choice):
        yield from ["", f"### {section}", "", _said(behind), "", *_rows(behind)]
        return
    base = next(iter(behind.table.values())).__mro__
    shared = next(each for each in base if all(issubclass(model, each) for model in behind.table.values()))
    yield from ["", f"### {section}", "", f"`{behind.key}` chooses: {', '.join(f'`{word}`' for word in behind.table)}."]
    common = list(_rows(shared, without=behind.key))
    if len(common) > 2:
        yield from ["", "Of all of them:", "", *common]
    for word, model in behind.table.items():
        yield from ["", f"#### {section}: {word}", "", _said(model)]
        own = list(_rows(model, besides=shared, without=behind.key))
        if len(own) > 2:
            yield from ["", *own]


def _rows(model: type[Section], besides: type[Section] | None = None, without: str = "") -> Iterator[str]:
    """The settings of a model as a table, without those that another says already."""
    schema = model.model_json_schema()
    known = besides.model_json_schema()["properties"] if besides else {}
    yield "| key | default | values | unit | meaning |"
    yield "|---|---|---|---|---|"
    for key, body in schema["properties"].items():
        if key == without or (key in known and _said_of(known[key]) == _said_of(body)) or (besides and key == "kind"):
            continue
        default = (
            f"`{dumps(body['default'], ensure_ascii=False)}`"
            if "default" in body
            else ("must be given" if key in schema.get("required", ()) else "")
        )
        cells = (
            f"`{key}`",
            default,
            _values(body, schema.get("$defs", {})),
            body.get("unit", ""),
            body.get("description", ""),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _said_of(body: Mapping[str, Any]) -> tuple[Any, Any]:
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
    return f"{body.get('type', 'anything')} {limits}".strip()


def _said(model: type[Section]) -> str:
    """The first paragraph of a model's docstring, on one line."""
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


if __name__ == "__main__":
    (Path(__file__).parent / "keys.md").write_text(page())
