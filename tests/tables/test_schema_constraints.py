"""Constraints as part of a schema: written, read, checked, and gone with their columns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.datasets import Dataset, simulate_ehr
from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.constraints import (
    Constraints,
    prune_constraints,
    schema_constraints,
    unknown_levels,
)
from rlsyn_env.tables.datasets.cohort_report import CohortReport
from rlsyn_env.tables.datasets.held_constraints import held_constraints
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.phecode_constraints import phecode_constraints
from rlsyn_env.tables.rare_columns import drop_rare
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.training_data import infer_dataset_schema, prepare_schema, settle_schema

RULES = ("age < 200", "not (sex == 'F' and smoker)", "`site` == 'north' or died <= 1")


@pytest.fixture
def schema(mixed_table) -> TableSchema:
    return dataclasses.replace(infer_schema(mixed_table, target="died"), constraints=RULES)


def test_yaml_keeps_them_one_a_line(schema, tmp_path) -> None:
    path = tmp_path / "schema.yaml"
    schema.save(path)
    assert TableSchema.load(path).constraints == RULES
    assert "\nconstraints:\n- age < 200\n- not (sex == 'F' and smoker)\n" in path.read_text()
    without = dataclasses.replace(schema, constraints=())
    assert "\nconstraints:\n" not in without.to_yaml()


def test_a_saved_encoder_keeps_them(schema, mixed_table) -> None:
    encoder = RecordEncoder.fit(mixed_table, schema)
    assert RecordEncoder.from_json(encoder.to_json()).schema.constraints == RULES


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("constraints: age < 200", "must be a list of expressions"),
        ("constraints: [true]", "must be a list of expressions"),
        ("constraints: ['aeg < 200']", "no column 'aeg' is generated; did you mean 'age'"),
        ("constraints: ['age <']", "it is no expression"),
        ("constraints: ['len(sex) == 1']", "a call is not allowed"),
        ("constraints: ['sex < 3']", "'sex' is text and '3' is not"),
    ],
)
def test_a_bad_list_names_the_file(mixed_table, tmp_path, lines: str, problem: str) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(infer_schema(mixed_table).to_yaml() + lines + "\n")
    with pytest.raises(SchemaError, match=problem) as error:
        TableSchema.load(path)
    assert str(path) in str(error.value)


def test_open_levels_are_checked_with_the_table(mixed_table, tmp_path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text("columns: {sex: binary, age: integer}\nconstraints: ['sex == 1']\n")
    assert TableSchema.load(path).constraints == ("sex == 1",)  # the table may hold 0 and 1
    dataset = Dataset("mixed", mixed_table[["sex", "age"]])
    with pytest.raises(SchemaError, match="'sex' is text and '1' is not"):
        prepare_schema(dataset, schema=path)


def test_rules_go_with_dropped_columns_identifiers_and_the_group(schema) -> None:
    extra = ("patient_id != 'x'", "lab >= 0 or age > 1", "gone == 1", "note == 1")
    more = dataclasses.replace(schema, constraints=RULES + extra, dropped=("gone",))
    assert prune_constraints(more).constraints == (*RULES, "lab >= 0 or age > 1", "note == 1")
    grouped = dataclasses.replace(more, group="age")
    assert prune_constraints(grouped).constraints == (*RULES[1:], "note == 1")
    unknown = dataclasses.replace(schema, constraints=("nobody == 1",))
    assert prune_constraints(unknown) is unknown


def test_rules_go_with_rare_codes() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": (rng.random(400) < 0.4).astype(int), "x": rng.normal(size=400)})
    table["a_1"] = table["a"] * (np.arange(400) == np.argmax(table["a"])).astype(int)
    schema = dataclasses.replace(
        infer_schema(table), min_prevalence=0.01, constraints=("a_1 <= a", "x < 99")
    )
    assert drop_rare(schema, table).constraints == ("x < 99",)


def test_a_cohort_brings_its_own() -> None:
    cohort = simulate_ehr(400, 12)
    assert len(cohort.constraints) > 3
    assert infer_dataset_schema(cohort).constraints == cohort.constraints
    schema = infer_dataset_schema(cohort, drop=["GENDER"])
    kept = tuple(rule for rule in cohort.constraints if "GENDER" not in rule)
    assert schema.constraints == kept != cohort.constraints
    settled = settle_schema(prepare_schema(cohort), cohort.table)
    named = schema_constraints(settled).names
    assert set(named) <= set(settled.output_names)
    assert not Constraints(cohort.constraints, cohort.table).broken(cohort.table).any()


def test_columns_are_decoded_alone_and_equal_the_table(mixed_table) -> None:
    table = mixed_table.assign(double=2 * mixed_table["age"] + mixed_table["died"])
    encoder = RecordEncoder.fit(table, infer_schema(table, derive=True))
    assert encoder.schema.column("double").derived is not None
    records = np.random.default_rng(0).random((50, encoder.n_features), dtype=np.float32)
    whole = encoder.decode(records)
    part = encoder.decode_columns(records, ["double", "sex", "site"])
    assert list(part) == ["double", "sex", "site"]
    for name, values in part.items():
        pd.testing.assert_series_equal(values, whole[name], check_names=False)


def test_phecodes() -> None:
    columns = ["sex", "age", "phe_600", "600.1", "phecode_649", "250.2", "650x"]
    rules = phecode_constraints(columns, sex="sex")
    assert rules == (
        "sex != 'F' or phe_600 == 0",
        "sex != 'F' or `600.1` == 0",
        "sex != 'M' or phecode_649 == 0",
        "`600.1` <= phe_600",
    )
    assert phecode_constraints(columns) == rules[-1:]
    assert phecode_constraints(columns, sex="sex", male=1, parents=False)[-1:] == (
        "sex != 1 or phecode_649 == 0",
    )
    table = pd.DataFrame({"sex": ["F", "M"], **{name: [1, 1] for name in columns[2:]}})
    assert Constraints(rules, table).broken(table).tolist() == [
        [True, True, False, False],
        [False, False, True, False],
    ]


def test_rules_that_rows_break_are_noted_not_kept() -> None:
    table = pd.DataFrame({"x": [1.0, 2.0, np.nan], "y": [2.0, 1.0, 0.0]})
    report = CohortReport("rows", 3)
    rules = ["x < y", "x < 9", *(f"y > {k}" for k in range(5))]
    assert held_constraints(rules, table, report) == ("x < 9",)
    assert report.notes[0] == "not a constraint, 3 rows break it: y > 2"
    assert report.notes[-1] == "further rules that rows break: 1"
    assert len(report.notes) == 6


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("not (sex == 'f' and smoker)", "column 'sex' has no level 'f'; did you mean 'F'?"),
        ("sex in ['F', 'other']", "no level 'other'; its levels are 'F', 'M'"),
        ("'other' != sex", "no level 'other'"),
        ("sex == 'F' or age < 200", None),
        ("seen > '2020-01-01'", None),
    ],
)
def test_a_level_that_a_column_lacks_is_told(mixed_table, rule: str, said: str | None) -> None:
    table = mixed_table.assign(seen=pd.to_datetime("2021-03-04"))
    table.loc[::2, "seen"] += pd.Timedelta(days=1)
    schema = dataclasses.replace(infer_schema(table), constraints=(rule,))
    lines = unknown_levels(schema)
    assert len(lines) == (said is not None)
    assert said is None or said in lines[0]
    assert all(rule in line for line in lines)
