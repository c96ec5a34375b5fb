"""The schema as a file a person edits, and the mismatches it can have with a table."""

import json

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import SchemaError, TableError
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import complete_schema, infer_schema, load_schema
from rlsyn_env.tables.schema import ColumnKind, TableSchema
from rlsyn_env.tables.table_check import check_trainable


def table(n=80):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "sex": rng.choice(["F", "M"], n),
            "stage": np.arange(n) % 3,
            "answer": rng.choice(["yes", "no", "1"], n),
            "weight": rng.normal(70, 9, n).round(1),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, n), unit="D"),
            "visits": pd.array(rng.integers(0, 60, n), dtype="Int64"),
        }
    )


def test_yaml_round_trip(tmp_path):
    schema = infer_schema(table(), target="sex", group="id", drop=["visits"])
    schema.save(tmp_path / "schema.yaml")
    assert TableSchema.load(tmp_path / "schema.yaml") == schema
    assert load_schema(tmp_path / "schema.yaml", table()) == schema


def test_yaml_is_short_and_says_what_matters():
    text = infer_schema(table()).to_yaml()
    body = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(body) < 40
    assert "  id: {kind: identifier}" in body
    assert "    levels: [F, M]" in body
    assert "    levels: ['1', 'no', 'yes']" in body
    assert "dtype: int64" not in text  # the default of integers


def edited(tmp_path, old, new):
    path = tmp_path / "schema.yaml"
    text = infer_schema(table()).to_yaml()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_edits_are_followed(tmp_path):
    path = tmp_path / "schema.yaml"
    path.write_text(
        "drop: [id, answer]\n"
        "columns:\n"
        "  sex: {kind: categorical, levels: [M, F, X]}\n"
        "  stage: categorical\n"
        "  weight: {kind: continuous, bounds: [0, 300], decimals: 0}\n"
        "  seen: {kind: datetime, bounds: [2019-01-01, 2021-12-31]}\n"
        "  visits: {kind: integer}\n"
    )
    schema = load_schema(path, table())
    assert schema.column("sex").levels == ("M", "F", "X")
    assert schema.column("stage").levels == (0, 1, 2)
    assert schema.column("weight").bounds == (0.0, 300.0)
    assert schema.column("visits").dtype == "Int64"
    encoder = RecordEncoder.fit(table(), schema)
    drawn = encoder.decode(np.random.default_rng(0).random((20_000, 5), dtype=np.float32))
    assert list(drawn) == ["sex", "stage", "weight", "seen", "visits"]
    assert drawn["weight"].mod(1).eq(0).all()
    assert drawn["weight"].max() > table()["weight"].max()
    assert drawn["seen"].max() > table()["seen"].max()
    assert str(drawn["visits"].dtype) == "Int64"
    assert set(drawn["sex"]) == {"M", "F", "X"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns: [", r"not valid YAML in line \d"),
        ("just text", "has no 'columns'"),
        ("colums: {}\ncolumns: {}", "unknown entry 'colums'"),
        ("columns: {age: {kind: number}}", "column 'age': kind is 'number', expected one of"),
        ("columns: {age: {kind: integer, bound: [1, 2]}}", "unknown entry 'bound'"),
        ("columns: {age: {kind: integer, bounds: [2, 1]}}", "higher number first"),
        ("columns: {age: {kind: integer, bounds: 3}}", "expected a list"),
        ("columns: {age: {kind: integer, bounds: [a, b]}}", "not two numbers"),
        ("columns: {day: {kind: datetime, bounds: [a, b]}}", "not dates"),
        ("columns: {age: {kind: integer, missing: 3}}", "share between 0 and 1"),
        ("columns: {sex: {kind: binary, levels: F}}", "expected a list"),
        ("columns: {sex: {kind: binary, levels: [F, F]}}", "twice"),
        ("columns: {x: {kind: continuous, decimals: -1}}", "decimals"),
        ("target: agee\ncolumns: {age: integer}", "did you mean 'age'"),
    ],
)
def test_malformed_schemas(tmp_path, text, message):
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=message) as caught:
        TableSchema.load(path)
    assert str(path) in str(caught.value)


def test_missing_schema_file(tmp_path):
    with pytest.raises(SchemaError, match="does not exist"):
        TableSchema.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  weight:", "  wieght:", "'wieght'.*lacks.*did you mean 'weight'"),
        ("levels: [F, M]", "levels: [F, X]", r"column 'sex' is binary.*row \d+ .* is 'M'"),
        ("  id: {kind: identifier}\n", "", "column 'id'.*not in the schema.*under 'drop'"),
        ("kind: continuous", "kind: integer", "give it the kind continuous"),
        ("kind: categorical", "kind: integer", "give it the kind categorical"),
    ],
)
def test_schemas_that_do_not_match(tmp_path, old, new, message):
    path = edited(tmp_path, old, new)
    with pytest.raises(SchemaError, match=message):
        load_schema(path, table())


def test_completing_changes_nothing_complete():
    schema = infer_schema(table())
    assert complete_schema(schema, table()) == schema


def test_sdv_metadata(tmp_path):
    columns = {
        "id": {"sdtype": "id"},
        "sex": {"sdtype": "categorical"},
        "stage": {"sdtype": "categorical"},
        "answer": {"sdtype": "email", "pii": True},
        "weight": {"sdtype": "numerical"},
        "seen": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"},
        "visits": {"sdtype": "unknown"},
    }
    path = tmp_path / "metadata.json"
    for data in ({"columns": columns}, {"tables": {"t": {"columns": columns}}}):
        path.write_text(json.dumps(data))
        kinds = {column.name: column.kind for column in load_schema(path, table()).columns}
        assert kinds["stage"] is ColumnKind.CATEGORICAL
        assert kinds["answer"] is ColumnKind.IDENTIFIER
        assert kinds["weight"] is ColumnKind.CONTINUOUS
        assert kinds["visits"] is ColumnKind.INTEGER
    path.write_text(json.dumps({"columns": {"weigth": {"sdtype": "numerical"}}}))
    with pytest.raises(SchemaError, match="did you mean 'weight'"):
        load_schema(path, table())
    path.write_text(json.dumps({"columns": {"sex": {"sdtype": "numerical"}}}))
    with pytest.raises(SchemaError, match="column 'sex'"):
        load_schema(path, table())
    path.write_text("[]")
    with pytest.raises(SchemaError, match="not SDV metadata"):
        load_schema(path, table())


@pytest.mark.parametrize(
    ("change", "target", "message"),
    [
        (lambda t: t.head(29), "sex", "29 rows; at least 30"),
        (lambda t: t, "id", "is an identifier"),
        (lambda t: t.assign(y=1), "y", "has one class"),
        (lambda t: t.assign(y=np.nan), "y", "has no values"),
        (lambda t: t.assign(y=[1, None] * 40), "y", "has one class"),
        (lambda t: t[["id"]], None, "no column that can be generated"),
    ],
)
def test_tables_that_cannot_be_trained_on(change, target, message):
    changed = change(table())
    schema = infer_schema(changed, target=target)
    with pytest.raises(TableError, match=message) as caught:
        check_trainable(changed, schema, "my.csv")
    assert "my.csv" in str(caught.value)


def test_infinite_values_and_names_in_a_frame():
    with pytest.raises(TableError, match=r"column 'x', row 2: infinite"):
        infer_schema(pd.DataFrame({"x": [1.0, -np.inf]}))
    with pytest.raises(TableError, match="not text"):
        infer_schema(pd.DataFrame(np.zeros((3, 2))))
    with pytest.raises(TableError, match="column name 'a' 2 times"):
        infer_schema(pd.DataFrame([[1, 2]], columns=["a", "a"]))
