"""Every column says what it is, in code and in the files."""

import pytest

from harness.registry import load_registry
from harness.schema import TABLES

EXPERIMENTS = load_registry().experiments


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_has_a_meaning_and_a_unit_in_the_schema(table) -> None:
    for field in table.schema():
        assert field.metadata[b"meaning"]
        assert b"unit" in field.metadata
    assert table.schema().metadata[b"harness_schema"]


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_settings_of_different_sections_have_columns_of_different_names(experiment) -> None:
    from harness.study.spec import column_name

    owners: dict[str, set[str]] = {}
    for section in experiment.sections:
        for model in experiment.models(section):
            for key, info in model.model_fields.items():
                owners.setdefault(column_name(key, info), set()).add(section)
                assert info.description
    assert {name: places for name, places in owners.items() if len(places) > 1} == {}
    assert not owners.keys() & {column.name for column in TABLES["runs"].columns}
