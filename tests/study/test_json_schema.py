"""The exported JSON Schema is that of the code, and accepts the studies we ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from harness.registry import load_registry
from harness.study.json_schema import study_schema

STUDIES = Path(__file__).parents[2] / "studies"


def test_the_exported_schema_is_in_step_with_the_code() -> None:
    assert json.loads((STUDIES / "study.schema.json").read_text()) == study_schema(load_registry())


@pytest.mark.parametrize("path", sorted(STUDIES.rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_study_is_valid_by_the_schema(path: Path) -> None:
    import jsonschema

    jsonschema.validate(YAML(typ="safe").load(path.read_text()), study_schema(load_registry()))


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    import jsonschema

    bad = {"name": "a", "claim": "b", "task": {"name": "temporal_order"}, "model": {"cell": "lstmm"}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, study_schema(load_registry()))
