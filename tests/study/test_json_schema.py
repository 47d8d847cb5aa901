"""The exported JSON Schema is that of the code, accepts the shipped studies and refuses what the reader refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from study_texts import study_text

from harness.registry import load_registry
from harness.study.json_schema import study_schema

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return study_schema(load_registry())


def test_the_exported_schema_is_that_of_the_code(schema) -> None:
    assert json.loads((STUDIES / "study.schema.json").read_text()) == schema


@pytest.mark.parametrize("path", sorted(STUDIES.rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_study_is_valid_by_the_schema(path: Path, schema) -> None:
    jsonschema.validate(YAML(typ="safe").load(path.read_text()), schema)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {"cell": "lstmm"}}, "'lstmm' is not one of"),
        ({"model": {"cell": "rnn", "hiden_size": 3}}, "'hiden_size' was unexpected"),
        ({"training": {"bptt_window": 0}}, "0 is less than the minimum of 1"),
        ({"claim": None}, "'claim' is a required property"),
    ],
    ids=str,
)
def test_the_schema_refuses_a_wrong_name_key_or_number(sections: dict[str, Any], message: str, schema) -> None:
    with pytest.raises(jsonschema.ValidationError) as caught:
        jsonschema.validate(YAML(typ="safe").load(study_text(**sections)), schema)
    leaves = [caught.value, *(caught.value.context or ())]
    assert any(message in leaf.message for leaf in leaves)
