"""Every column has a name of its own, a meaning and a unit, in code and in the files."""

import pytest

from harness.registry import load_registry
from harness.store.columns import TABLES
from harness.study.section import DECLARED, column_name, setting_column

EXPERIMENTS = load_registry().experiments


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_column_has_a_meaning_and_a_unit_in_the_schema(table) -> None:
    for field in table.schema():
        assert field.metadata[b"meaning"]
        assert b"unit" in field.metadata
    assert table.schema().metadata[b"harness_schema"]


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_settings_of_different_sections_have_columns_of_different_names(experiment) -> None:
    owners: dict[str, set[str]] = {}
    for section in experiment.sections:
        for model in experiment.models(section):
            for key, info in model.model_fields.items():
                owners.setdefault(column_name(key, info), set()).add(section)
                assert info.description
    assert {name: places for name, places in owners.items() if len(places) > 1} == {}
    assert not owners.keys() & {column.name for column in TABLES["runs"].columns}


def test_a_column_is_called_the_same_wherever_a_section_has_it() -> None:
    """Labels are declared once: two sections that share a column cannot give it two labels."""
    declared: dict[str, set[tuple]] = {}
    for experiment in EXPERIMENTS.values():
        for section in experiment.sections:
            for model in experiment.models(section):
                for key in model.model_fields:
                    column = setting_column(model, key)
                    if column.labelled:
                        shown = (column.label, column.short, column.null, column.order, column.sequential)
                        declared.setdefault(column.name, set()).add(shown)
    assert {name: shown for name, shown in declared.items() if len(shown) > 1} == {}
    assert {name for name in declared if not DECLARED[name].labelled} == set()
