"""The grammar of a study as JSON Schema, so that editors complete and check it while it is written."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from harness.study.spec import SLUG, Choice, Expectation, Judging, Paper, Registry, Section
from harness.study.tuning import Range, Tune

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/$defs/{model}"
TUNE = "settings that are chosen on seeds of their own, by the same candidates for everybody, before anything is judged"


def study_schema(registry: Registry) -> dict[str, Any]:
    """The JSON Schema of a study file, for all experiments of a registry.

    Keys of a section are optional here: what a base leaves out its sweep may give. The reader checks what this cannot
    say.
    """
    sections: dict[str, list[type[Section]]] = {}
    choices: dict[str, Choice] = {}
    words: dict[str, set[str]] = {}  # of all experiments: some have fewer choices than others
    for experiment in registry.experiments.values():
        for name, behind in experiment.sections.items():
            sections.setdefault(name, []).extend(m for m in experiment.models(name) if m not in sections.get(name, []))
            if isinstance(behind, Choice):
                choices[name] = behind
                words.setdefault(name, set()).update(behind.table)
    models: list[type[BaseModel]] = [m for models_of_section in sections.values() for m in models_of_section]
    models += [*registry.figures.values(), Expectation, Judging, Paper, Tune, Range]
    names, generated = models_json_schema([(m, "validation") for m in list(dict.fromkeys(models))], ref_template=REF)
    definitions = generated["$defs"]

    def own(model: type[BaseModel]) -> str:
        """A model's name among the definitions: that of its class, unless a plug-in has a class of the same name."""
        return str(names[(model, "validation")]["$ref"]).removeprefix(REF.format(model=""))

    def ref(model: type[BaseModel]) -> dict[str, str]:
        return {"$ref": REF.format(model=own(model))}

    count = {"type": "integer", "minimum": 1}
    ranges = [
        {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["first", "count"],
            "properties": {"first": {"type": "integer", "minimum": 0}, "count": count},
        },
    ]
    pair = {
        "type": "object",
        "additionalProperties": False,
        "required": ["calibration", "judged"],
        "properties": {"calibration": {"anyOf": [count, *ranges]}, "judged": {"anyOf": ranges}},
    }
    properties: dict[str, Any] = {
        "name": {"type": "string", "pattern": SLUG, "description": "name of the study, and of its results folder"},
        "claim": {"type": "string", "description": "what the study claims, in a sentence or two"},
        "paper": {**ref(Paper), "description": "the published result that the study repeats"},
        "experiment": {
            "enum": sorted(registry.experiments),
            "default": "training",
            "description": "what is done with the settings",
        },
        "seeds": {
            "description": "how many seeds, or which: a count, a list, {first: 1000, count: 20}; or {calibration, "
            "judged} of these, which share none: thresholds are chosen on the one and judged on the other",
            "anyOf": [count, *ranges, pair],
        },
        "figures": {"type": "array", "items": {"anyOf": [ref(m) for m in registry.figures.values()]}},
        **definitions[own(Judging)]["properties"],
        "expect": {"type": "array", "items": {**ref(Expectation)}},
    }
    axes: dict[str, Any] = {}
    for name, models_of_section in sections.items():
        merged: dict[str, list[Any]] = {}
        for model in models_of_section:
            for key, value in definitions[own(model)].get("properties", {}).items():
                merged.setdefault(key, [])
                if value not in merged[key]:
                    merged[key].append(value)
        settings = {key: values[0] if len(values) == 1 else {"anyOf": values} for key, values in merged.items()}
        if name in choices:
            settings[choices[name].key] = {"enum": sorted(words[name])}
        properties[name] = {"type": "object", "additionalProperties": False, "properties": settings}
        axes |= {f"{name}.{key}": {"type": "array", "items": value, "minItems": 1} for key, value in settings.items()}
    product = {"type": "object", "additionalProperties": False, "properties": axes}
    properties["sweep"] = {"anyOf": [product, {"type": "array", "items": product, "minItems": 1}]}
    own_tune = definitions[own(Tune)]["properties"]
    tuned = {key: {"anyOf": [axis, ref(Range)]} for key, axis in axes.items()}
    own_tune["over"] = {**own_tune["over"], "additionalProperties": False, "properties": tuned, "minProperties": 1}
    properties["tune"] = {**ref(Tune), "description": TUNE}
    used = {own(Expectation), own(Paper), own(Tune), own(Range)} | {own(figure) for figure in registry.figures.values()}
    return {
        "$schema": DIALECT,
        "title": "A study of the vanishing-gradient harness",
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "claim"],
        "properties": properties,
        "$defs": {
            name: body
            for name, body in sorted(definitions.items())
            if name in used or _referred(name, definitions, properties)
        },
    }


def _referred(name: str, *places: object) -> bool:
    return any(REF.format(model=name) in repr(place) for place in places)
