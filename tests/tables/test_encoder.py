"""The encoder on mixed tables: dtypes, order of columns, pinned values, user's schemas."""

import dataclasses
import json
import time

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import EncodingError, RLSynError
from rlsyn_env.tables.datasets import load_dataset
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.schema import ColumnKind


def mixed(n=300, seed=0):
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    table = pd.DataFrame(
        {
            "patient_id": [f"p{i}" for i in range(n)],
            "sex": rng.choice(["F", "M"], n),
            "ward": pd.Categorical(rng.choice(["a", "b"], n), ["b", "a", "unused"], ordered=True),
            "smoker": rng.random(n) < 0.3,
            "consent": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "visits": pd.array(rng.poisson(3, n), dtype="Int64"),
            "small": rng.integers(0, 100, n).astype("int16"),
            "age": rng.integers(20, 90, n).astype(float),
            "weight": rng.normal(70, 12, n).round(2),
            "single": rng.normal(size=n).round(1).astype("float32"),
            "seen": days.as_unit("us"),
            "stamp": (days + pd.to_timedelta(rng.integers(0, 86400, n), unit="s")).as_unit("ns"),
            "note": pd.array(rng.choice(["x", "y", "z"], n), dtype="string"),
            "site": "only",
            "empty": np.nan,
        }
    )
    for name in ("sex", "ward", "consent", "visits", "age", "weight", "seen", "note"):
        table.loc[rng.random(n) < 0.1, name] = pd.NA if name in ("consent", "visits") else None
    return table


def test_mixed_table_comes_back_with_dtypes_order_and_fixed_columns():
    table = mixed()
    encoder = RecordEncoder.fit(table)
    back = encoder.decode(encoder.encode(table, np.random.default_rng(0)))
    expected = table.drop(columns="patient_id")
    assert list(back) == list(expected)
    pd.testing.assert_series_equal(back.dtypes, expected.dtypes)
    for name in ("sex", "ward", "smoker", "consent", "note", "site", "empty"):
        pd.testing.assert_series_equal(back[name], expected[name])
    for name in ("visits", "age", "small", "seen"):
        column = encoder.schema.column(name)
        error = (back[name] - expected[name]).dropna()
        assert (back[name].isna() == expected[name].isna()).all()
        tail = pd.Timedelta("40D") if column.kind is ColumnKind.DATETIME else 8
        assert error.abs().max() <= tail
        assert (error == 0 * error).mean() > 0.97
    assert back["weight"].dropna().mul(100).round(6).mod(1).eq(0).all()
    assert back["seen"].dropna().dt.normalize().equals(back["seen"].dropna())


def test_decoded_draws_keep_dtypes_and_bounds():
    table = mixed()
    encoder = RecordEncoder.fit(table)
    u = np.random.default_rng(0).random((5000, encoder.n_features), dtype=np.float32)
    drawn = encoder.decode(u)
    pd.testing.assert_series_equal(drawn.dtypes, table.drop(columns="patient_id").dtypes)
    assert drawn["weight"].dropna().between(*encoder.schema.column("weight").bounds).all()
    assert set(drawn["ward"].dropna()) == {"a", "b"}
    again = RecordEncoder.from_json(encoder.to_json())
    pd.testing.assert_frame_equal(again.decode(u), drawn)


def test_save_and_load(tmp_path):
    encoder = RecordEncoder.fit(mixed())
    encoder.save(tmp_path / "encoder.json")
    assert RecordEncoder.load(tmp_path / "encoder.json").to_json() == encoder.to_json()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(EncodingError, match=r"other\.json is not a saved encoder"):
        RecordEncoder.load(tmp_path / "other.json")
    with pytest.raises(EncodingError, match="cannot read encoder"):
        RecordEncoder.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("name", "value"),
    [("sex", "F"), ("sex", None), ("smoker", True), ("visits", 3), ("age", 61), ("weight", 70.25)],
)
def test_pinned_values_decode_to_themselves(name, value):
    encoder = RecordEncoder.fit(mixed())
    low, high = encoder.encode_value(name, value)
    index = encoder.feature_names.index(name)
    for u in (low, (low + high) / 2, high):
        records = np.full((1, encoder.n_features), 0.5, dtype=np.float32)
        records[0, index] = np.float32(2 * np.float32(u) - 1) / 2 + np.float32(0.5)
        got = encoder.decode(records)[name].iloc[0]
        assert pd.isna(got) if value is None else got == value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sxe", "F", "did you mean 'sex'"),
        ("sex", "X", "its levels are 'F', 'M'"),
        ("weight", 900, "widen the bounds"),
        ("weight", "heavy", "not a number"),
        ("smoker", None, "no missing values"),
    ],
)
def test_values_that_cannot_be_pinned(name, value, message):
    encoder = RecordEncoder.fit(mixed())
    with pytest.raises(EncodingError, match=message):
        encoder.encode_value(name, value)


def test_reorder_changes_the_order_of_records_only():
    table = mixed()
    encoder = RecordEncoder.fit(table)
    other = encoder.reorder(["age", "sex"])
    assert other.feature_names[:2] == ("age", "sex")
    assert sorted(other.feature_names) == sorted(encoder.feature_names)
    u = np.random.default_rng(0).random((50, encoder.n_features), dtype=np.float32)
    moved = u[:, [encoder.feature_names.index(name) for name in other.feature_names]]
    pd.testing.assert_frame_equal(other.decode(moved), encoder.decode(u))
    with pytest.raises(EncodingError, match="twice"):
        encoder.reorder(["age", "age"])
    with pytest.raises(EncodingError, match="no feature"):
        encoder.reorder(["patient_id"])


def test_unseen_level_and_missing_name_column_and_row():
    table = mixed()
    encoder = RecordEncoder.fit(table)
    wrong = table.copy()
    wrong.loc[4, "sex"] = "X"
    with pytest.raises(EncodingError, match=r"column 'sex', row 5: 'X'"):
        encoder.encode(wrong, np.random.default_rng(0))
    wrong = table.astype({"small": "float64"})
    wrong.loc[2, "small"] = np.nan
    with pytest.raises(EncodingError, match=r"column 'small', row 3: missing"):
        encoder.encode(wrong, np.random.default_rng(0))


def test_level_of_the_schema_without_training_rows_has_a_cell():
    table = mixed()
    schema = infer_schema(table)
    encoder = RecordEncoder.fit(table[table["sex"] == "F"], schema)
    low, high = encoder.encode_value("sex", "M")
    assert 0 < high - low < 0.01
    assert encoder.encode_value("sex", None)[1] > high


def test_users_bounds_and_kinds_are_followed():
    table = mixed()
    schema = infer_schema(table)

    def change(name, **fields):
        columns = [
            dataclasses.replace(column, **fields) if column.name == name else column
            for column in schema.columns
        ]
        return dataclasses.replace(schema, columns=tuple(columns))

    u = np.random.default_rng(0).random((20_000, 14), dtype=np.float32)
    wide = RecordEncoder.fit(table, change("weight", bounds=(0.0, 300.0)))
    drawn = wide.decode(u[:, : wide.n_features])["weight"]
    assert 110 < drawn.max() <= 300
    assert drawn.median() == pytest.approx(table["weight"].median(), abs=1)
    narrow = RecordEncoder.fit(table, change("weight", bounds=(60.0, 80.0)))
    drawn = narrow.decode(u[:, : narrow.n_features])["weight"].dropna()
    assert drawn.between(60, 80).all()
    nominal = change("small", kind=ColumnKind.CATEGORICAL, bounds=None)
    encoder = RecordEncoder.fit(table, nominal)
    back = encoder.decode(encoder.encode(table, np.random.default_rng(0)))
    assert not encoder.feature("small").ordered
    pd.testing.assert_series_equal(back["small"], table["small"])


def test_wrong_records_are_refused():
    encoder = RecordEncoder.fit(mixed())
    with pytest.raises(EncodingError, match="expected"):
        encoder.decode(np.zeros((3, 2), dtype=np.float32))
    with pytest.raises(EncodingError, match="NaN"):
        encoder.decode(np.full((3, encoder.n_features), np.nan, dtype=np.float32))
    with pytest.raises(RLSynError, match="no column"):
        RecordEncoder.fit(pd.DataFrame({"a": [1] * 40}))


def test_a_point_mass_off_the_grid_survives():
    rng = np.random.default_rng(0)
    x = rng.integers(100, 900, 400).astype(float)
    x[:30] = 263.358
    encoder = RecordEncoder.fit(pd.DataFrame({"x": x}))
    u = rng.random((5000, 1), dtype=np.float32)
    assert (encoder.decode(u)["x"] == 263.358).mean() == pytest.approx(30 / 400, abs=0.02)


def test_decoding_is_fast():
    encoder = RecordEncoder.fit(load_dataset("breast_cancer").table)
    u = np.random.default_rng(0).random((20_000, 31), dtype=np.float32)
    times = []
    for _ in range(3):
        start = time.process_time()
        encoder.decode(u)
        times.append(time.process_time() - start)
    assert min(times) < 0.25


@pytest.mark.parametrize("seconds", [86400, 3600, 300, 60, 1, 0.001, 1e-6])
def test_dates_of_every_resolution_come_back(seconds):
    steps = np.random.default_rng(0).integers(0, 31_000_000 // max(seconds, 60), 200)
    start = np.datetime64("2020-01-01T10:00", "us")
    stamps = start + (steps * seconds * 1e6).astype("timedelta64[us]")
    table = pd.DataFrame({"stamp": stamps})
    schema = infer_schema(table)
    column = dataclasses.replace(schema.column("stamp"), resolution=float(seconds))
    encoder = RecordEncoder.fit(table, dataclasses.replace(schema, columns=(column,)))
    u = np.linspace(0, 1, 2001, endpoint=False, dtype=np.float32)[:, None]
    drawn = encoder.decode(u)["stamp"]
    width = stamps.max() - stamps.min()
    assert abs(drawn.min() - stamps.min()) < 0.05 * width
    assert abs(drawn.max() - stamps.max()) < 0.05 * width
    assert abs(drawn.median() - table["stamp"].median()) < 0.05 * width
    if seconds >= 1 and 86400 % seconds == 0:
        on_grid = (drawn.to_numpy().astype("int64") % int(seconds * 1e6)) == 0
        assert on_grid.all() or seconds == 86400  # the days here begin at ten o'clock


def test_a_value_that_no_row_is_near_is_refused_and_named():
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"bmi": rng.normal(27, 4, 120).round(1), "age": rng.integers(20, 90, 120)})
    encoder = RecordEncoder.fit(table)
    refused = 0
    for name, step in (("bmi", 0.1), ("age", 1)):
        first, last = table[name].quantile([0.05, 0.95]) // step
        position = encoder.positions([name])[0]
        for value in (np.arange(first, last) * step).round(1):
            try:
                low, high = encoder.encode_value(name, value)
            except EncodingError as error:
                refused += "no training row lies near it" in str(error)
                assert value not in set(table[name])
                continue
            record = np.full((1, 2), 0.5, dtype=np.float32)
            record[:, position] = (low + high) / 2
            assert encoder.decode(record)[name].iloc[0] == value
    assert 0 < refused < 40
    with pytest.raises(EncodingError, match=r"'age' is integer: 20\.5 is not whole"):
        encoder.encode_value("age", 20.5)
    with pytest.raises(EncodingError, match="never takes the value 1000: generated values range"):
        encoder.encode_value("age", 1000)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("schema"),
        lambda data: data.pop("features"),
        lambda data: data.update(features=5),
        lambda data: data["features"][0].pop("edges"),
        lambda data: data["features"][0].update(edges=["a"]),
    ],
)
def test_a_damaged_encoder_is_named(tmp_path, change):
    encoder = RecordEncoder.fit(mixed())
    data = json.loads(encoder.to_json())
    change(data)
    path = tmp_path / "encoder.json"
    path.write_text(json.dumps(data))
    with pytest.raises(RLSynError, match=r"encoder\.json"):
        RecordEncoder.load(path)
