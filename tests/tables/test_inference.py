"""What kind each column is taken for."""

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.tables.inference import infer_schema

N = 120
RNG = np.random.default_rng(0)
COLUMNS = {
    "binary": [
        pd.Series(RNG.choice(["f", "t"], N)),
        pd.Series(RNG.integers(0, 2, N)),
        pd.Series(np.where(RNG.random(N) < 0.2, np.nan, RNG.integers(0, 2, N))),
    ],
    "boolean": [
        pd.Series(RNG.random(N) < 0.5),
        pd.Series(pd.array([True, False, None] * 40, dtype="boolean")),
        pd.Series([True, False, None] * 40, dtype=object),
    ],
    "categorical": [
        pd.Series(RNG.choice(["a", "b", "c"], N)),
        pd.Series(RNG.choice(["a", "b", "c"], N)).astype("category"),
        pd.Series([f"code{i}" for i in RNG.integers(0, 60, N)]),
    ],
    "integer": [
        pd.Series(RNG.integers(0, 3, N)),
        pd.Series(RNG.permutation(N * 3)[:N]),
        pd.Series(pd.array(RNG.integers(0, 50, N), dtype="Int64")),
        pd.Series(np.where(RNG.random(N) < 0.2, np.nan, RNG.integers(0, 50, N))),
    ],
    "continuous": [pd.Series(RNG.normal(size=N)), pd.Series(RNG.normal(size=N).astype("float32"))],
    "datetime": [
        pd.Series(pd.date_range("2020-01-01", periods=N)),
        pd.Series(pd.date_range("2020-01-01", periods=N, tz="UTC", freq="7h")),
        pd.Series(pd.date_range("2020-01-01", periods=N).date),
    ],
    "identifier": [
        pd.Series([f"p-{i}" for i in range(N)]),
        pd.Series(np.arange(N)),
        pd.Series(RNG.permutation(N) + 1),
    ],
    "constant": [pd.Series(["x"] * N), pd.Series([3.5] * N), pd.Series([True] * N)],
    "all_missing": [pd.Series([np.nan] * N), pd.Series([None] * N, dtype=object)],
}


@pytest.mark.parametrize(
    ("kind", "series"), [(kind, series) for kind, many in COLUMNS.items() for series in many]
)
def test_kinds(kind, series):
    assert infer_schema(pd.DataFrame({"value": series})).column("value").kind.value == kind


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("patient_id", np.repeat(np.arange(30) * 7, 4), "identifier"),
        ("Subject ID", np.repeat(np.arange(30) * 7, 4), "identifier"),
        ("mrn", RNG.permutation(10**6)[:N], "identifier"),
        ("lab_id", RNG.permutation(10**6)[:N], "identifier"),
        ("Unnamed: 0", np.arange(N) + 5, "identifier"),
        ("admission_type_id", RNG.integers(1, 6, N), "integer"),
        ("visit_number", RNG.integers(1, 6, N), "integer"),
        ("paid", RNG.permutation(10**6)[:N], "integer"),
        ("fluid", RNG.permutation(10**6)[:N], "integer"),
        ("id", RNG.normal(size=N), "continuous"),
    ],
)
def test_names_of_identifiers(name, values, kind):
    assert infer_schema(pd.DataFrame({name: values})).column(name).kind.value == kind


def test_details():
    table = pd.DataFrame(
        {
            "dose": np.tile([0.25, 1.5, 2.0, 0.75], 30),
            "day": pd.date_range("2020-01-01", periods=N),
            "stamp": pd.date_range("2020-01-01", periods=N, freq="67min"),
            "grade": pd.Categorical(["b", "a"] * 60, ["b", "a", "c"], ordered=True),
            "seldom": [1.0] + [np.nan] * 60 + [2.0] * 59,
        }
    )
    schema = infer_schema(table, target="grade")
    assert schema.column("dose").decimals == 2
    assert schema.column("day").resolution == 86400
    assert schema.column("stamp").resolution == 60
    assert schema.column("grade").levels == ("b", "a")
    assert schema.column("grade").categories == ("b", "a", "c")
    assert schema.column("seldom").missing == 0.5
    assert schema.target == "grade"


def test_bounds_are_never_the_outermost_single_rows():
    values = np.random.default_rng(3).lognormal(size=500)
    low, high = infer_schema(pd.DataFrame({"x": values})).column("x").bounds
    assert values.min() < low < np.sort(values)[5]
    assert np.sort(values)[-6] < high < values.max()


def test_roles_and_notices():
    table = pd.DataFrame(
        {
            "patient_id": np.repeat(np.arange(30), 4),
            "x": RNG.normal(size=N),
            "c": 1,
            "e": np.nan,
            "z": RNG.normal(size=N),
        }
    )
    schema = infer_schema(table, group="patient_id", drop=["z"])
    assert schema.feature_names == ("x",)
    assert schema.output_names == ("x", "c", "e")
    assert [notice.split("'")[1] for notice in schema.notices()] == ["patient_id", "c", "e", "z"]
    assert "identifier" in infer_schema(table).notices()[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "X"}, "target 'X' does not exist.*did you mean 'x'"),
        ({"group": "patient"}, "group 'patient' does not exist"),
        ({"drop": ["why"]}, "column to drop 'why' does not exist"),
        ({"target": "x", "drop": ["x"]}, "also among the columns to drop"),
    ],
)
def test_roles_that_do_not_exist(options, message):
    with pytest.raises(TableError, match=message):
        infer_schema(pd.DataFrame({"x": [1.5, 2.5], "patient_key": [1, 2]}), **options)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (pd.to_timedelta(np.arange(N), unit="s"), "durations"),
        (pd.period_range("2020-01", periods=N, freq="M"), "dtype period"),
        (pd.cut(np.arange(N), 4), "intervals"),
        ([[1], [2]] * 60, "holds list values"),
        (np.arange(N) * 1j, "complex"),
    ],
)
def test_types_that_cannot_be_generated(series, message):
    with pytest.raises(TableError, match=message):
        infer_schema(pd.DataFrame({"odd": series}))


@pytest.mark.parametrize("dtype", ["uint64", "UInt64"])
def test_whole_numbers_that_no_generator_holds_are_refused_where_they_are_generated(dtype):
    values = np.arange(N, dtype="uint64") % 30 * 1_000_003
    values[7] = 2**63
    table = pd.DataFrame({"hash": pd.array(values, dtype=dtype), "x": RNG.normal(size=N)})
    with pytest.raises(TableError, match=r"'hash', row 8: .* 9223372036854775808 .* too large"):
        infer_schema(table)
    assert infer_schema(table, group="hash").feature_names == ("x",)
    table["hash"] = pd.array(np.minimum(values, 2**63 - 1), dtype=dtype)
    assert infer_schema(table).feature_names == ("hash", "x")


def test_a_name_of_the_index_is_told():
    table = pd.DataFrame({"x": [1.5, 2.5]}, index=pd.Index([7, 8], name="pid"))
    with pytest.raises(TableError, match=r"group 'pid' .* the index; .*reset_index"):
        infer_schema(table, group="pid")


def test_levels_that_are_no_classes_are_told():
    n = 300
    table = pd.DataFrame(
        {
            "seen": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2021" for i in range(n)],
            "name": [f"Smith{i % 80}" for i in range(n)],
            "ward": [f"w{i % 40}" for i in range(n)],
        }
    )
    notices = infer_schema(table).notices()
    assert [notice.split("'")[1] for notice in notices] == ["seen", "name"]
    assert "YYYY-MM-DD" in notices[0]
    assert "80 levels" in notices[1]


@pytest.mark.parametrize(
    ("usual", "odd", "words"),
    [
        ([f"2020-01-{1 + i % 28:02d}" for i in range(N)], "2020-02-30", ("dates", "'2020-02-30'")),
        ([str(i % 25) for i in range(N)], "12O", ("numbers", "'12O'")),
        ([i % 25 for i in range(N)], 10**25, ("numbers", "'10000")),
        ([f"{i % 25:03d}" for i in range(N)], "12O", ()),  # codes
        ([f"code {i % 25}" for i in range(N)], "12", ()),
        ([str(i % 5) for i in range(N)], "no", ()),
    ],
)
def test_values_that_make_levels_of_dates_and_numbers_are_told(usual, odd, words):
    schema = infer_schema(pd.DataFrame({"value": pd.Series([*usual, odd], dtype=object)}))
    assert schema.column("value").kind.value == "categorical"
    notices = schema.notices()
    assert len(notices) == bool(words)
    assert all(word in notices[0] for word in ("'value'", "1 of its", *words) if words)
