"""The exported JSON Schema is that of the code, accepts the shipped studies and refuses what the reader refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema.validators import validator_for
from ruamel.yaml import YAML
from study_texts import study_text

from harness.registry import load_registry
from harness.study.json_schema import study_schema

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = study_schema(load_registry())
    return validator_for(schema)(schema)


def test_the_exported_schema_is_that_of_the_code(validator) -> None:
    assert json.loads((STUDIES / "study.schema.json").read_text()) == validator.schema
    validator.check_schema(validator.schema)


@pytest.mark.parametrize("path", sorted(STUDIES.rglob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_study_is_valid_by_the_schema(path: Path, validator) -> None:
    assert [error.message for error in validator.iter_errors(YAML(typ="safe").load(path.read_text()))] == []


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {"cell": "lstmm"}}, "'lstmm' is not one of"),
        ({"model": {"cell": "rnn", "hiden_size": 3}}, "'hiden_size' was unexpected"),
        ({"training": {"bptt_window": 0}}, "0 is less than the minimum of 1"),
        ({"claim": None}, "'claim' is a required property"),
        ({"training": {"optimizer": "adm"}}, "'adm' is not one of ['adadelta', "),
        ({"training": {"optimizer": {"name": "adamw", "weight_decay": -1}}}, "-1 is less than the minimum of 0"),
        ({"training": {"optimizer": {"name": "sgd", "momentm": 0.9}}}, "'momentm' was unexpected"),
        ({"training": {"schedule": {"name": "step"}}}, "'step_size' is a required property"),
    ],
    ids=str,
)
def test_the_schema_refuses_a_wrong_name_key_or_number(sections: dict[str, Any], message: str, validator) -> None:
    errors = list(validator.iter_errors(YAML(typ="safe").load(study_text(**sections))))
    messages = [each.message for error in errors for each in (error, *(error.context or ()))]
    assert any(message in text for text in messages)


def test_the_schema_takes_a_word_and_a_word_with_keywords(validator) -> None:
    text = study_text(
        training={"optimizer": {"name": "adamw", "betas": [0.9, 0.98]}, "schedule": {"name": "cosine", "T_max": None}},
        sweep={
            "training.optimizer": ["adam", {"name": "rprop", "etas": [0.4, 1.3]}, {"name": "sgd", "nesterov": True}]
        },
    )
    assert [error.message for error in validator.iter_errors(YAML(typ="safe").load(text))] == []
