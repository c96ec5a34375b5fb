from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.preparation import (
    encode_tables,
    group_codes,
    independent_marginals,
    subsample,
)
from rlsyn_env.metrics.rows import judged_rows
from rlsyn_env.tables.schema import ColumnKind


def test_missing_columns_are_named_in_one_error(cohort_schema, make_cohort):
    table = make_cohort(20, 0)
    with pytest.raises(TableError, match=r"synthetic table lacks 2 .*'age', 'stage'"):
        encode_tables(
            {"train": table, "synthetic": table.drop(columns=["age", "stage"])}, cohort_schema
        )


def test_text_in_a_numeric_column_names_column_and_row(cohort_schema, make_cohort):
    table = make_cohort(20, 0)
    wrong = table.astype({"pressure": object})
    wrong.loc[3, "pressure"] = "high"
    with pytest.raises(TableError, match=r"'pressure' of the synthetic table, row 4: 'high'"):
        encode_tables({"train": table, "synthetic": wrong}, cohort_schema)


def test_infinite_values_and_dates_are_refused_in_numbers(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS)
    with pytest.raises(TableError, match=r"row 2: .*infinite"):
        encode_tables({"test": pd.DataFrame({"x": [1.0, -np.inf]})}, schema)
    huge = pd.DataFrame({"x": pd.Series([1, 10**400], dtype=object)})
    with pytest.raises(TableError, match=r"row 2: 1000.*\.\.\..* infinite"):
        encode_tables({"test": huge}, schema)
    dates = pd.DataFrame({"x": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    with pytest.raises(TableError, match="holds dates"):
        encode_tables({"test": dates}, schema)


def test_values_that_no_model_can_take_are_refused(cohort_schema, make_cohort):
    train, test, synthetic = (make_cohort(40, seed) for seed in range(3))
    judged_rows(train, test, synthetic.assign(age=1e30), cohort_schema, group=None, seed=0)
    with pytest.raises(
        TableError, match=r"'age' of the synthetic table, row 1: 1e\+308 is too far"
    ):
        judged_rows(train, test, synthetic.assign(age=1e308), cohort_schema, group=None, seed=0)


def test_empty_and_repeated_are_refused(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS)
    with pytest.raises(TableError, match="the test table has no rows"):
        encode_tables({"test": pd.DataFrame({"x": []})}, schema)
    twice = pd.DataFrame([[1.0, 2.0]], columns=["x", "x"])
    with pytest.raises(TableError, match="two columns named 'x'"):
        encode_tables({"test": twice}, schema)


def test_left_out_columns_are_not_compared(make_schema):
    schema = make_schema(
        group="patient",
        x=ColumnKind.CONTINUOUS,
        id=ColumnKind.IDENTIFIER,
        site=ColumnKind.CONSTANT,
        empty=ColumnKind.ALL_MISSING,
        patient=ColumnKind.INTEGER,
    )
    features, _ = encode_tables({"test": pd.DataFrame({"x": [1.0]})}, schema)
    assert [f.name for f in features] == ["x"]


@pytest.mark.parametrize(
    ("kind", "levels", "values", "codes"),
    [
        (ColumnKind.BINARY, (0, 1), [1.0, np.nan, 0.0], [1, -1, 0]),
        (ColumnKind.BINARY, (0, 1), ["1", None, "0"], [1, -1, 0]),
        (ColumnKind.BOOLEAN, (False, True), ["True", "False", None], [1, 0, -1]),
        (ColumnKind.BOOLEAN, (False, True), [1, 0, 1], [1, 0, 1]),
        (ColumnKind.CATEGORICAL, ("b", "a"), ["z", "a", "c"], [3, 1, 2]),
        (ColumnKind.CATEGORICAL, (1, 2), ["2.0", "1", "10"], [1, 0, 2]),
    ],
)
def test_levels_are_matched_however_they_are_written(make_schema, kind, levels, values, codes):
    schema = make_schema({"x": levels}, x=kind)
    features, tables = encode_tables({"synthetic": pd.DataFrame({"x": values})}, schema)
    assert tables["synthetic"].columns["x"].tolist() == codes
    assert features[0].n_known == len(levels)
    assert features[0].n_codes == max(len(levels), max(codes) + 1)


def test_open_levels_are_those_of_the_first_table(make_schema):
    schema = make_schema(x=ColumnKind.CATEGORICAL)
    tables = {"train": pd.DataFrame({"x": ["b", "a"]}), "test": pd.DataFrame({"x": ["c", "a"]})}
    features, encoded = encode_tables(tables, schema)
    assert (features[0].n_known, features[0].n_codes) == (2, 3)
    assert encoded["test"].columns["x"].tolist() == [2, 0]


def test_dates_become_days(make_schema):
    schema = make_schema(x=ColumnKind.DATETIME)
    stamps = pd.Series([pd.Timestamp("1970-01-02"), pd.NaT, pd.Timestamp("1970-01-03 12:00")])
    for values in (stamps, stamps.dt.tz_localize("UTC"), ["1970-01-02", None, "1970-01-03 12:00"]):
        _, tables = encode_tables({"train": pd.DataFrame({"x": values})}, schema)
        np.testing.assert_array_equal(tables["train"].columns["x"], [1.0, np.nan, 2.5])
    with pytest.raises(TableError, match="row 2: 2021 is not a date"):
        encode_tables({"real": pd.DataFrame({"x": [None, 2021]}, dtype="Int64")}, schema)
    with pytest.raises(TableError, match="row 1: 'soon' is not a date"):
        encode_tables({"train": pd.DataFrame({"x": ["soon"]})}, schema)


def test_design_matrix_by_hand(make_schema):
    schema = make_schema({"c": ("u", "v", "w")}, b=ColumnKind.CONTINUOUS, c=ColumnKind.CATEGORICAL)
    train = pd.DataFrame({"c": ["u", "u", "v", "w"], "b": [0.0, 2.0, np.nan, 4.0]})
    other = pd.DataFrame({"c": ["x", None], "b": [2.0, np.nan]})
    features, tables = encode_tables({"train": train, "synthetic": other}, schema)
    design = DesignMatrix(features, tables["train"], [tables["synthetic"]])
    matrix = design.transform(tables["synthetic"])
    # b: filled with the median 2, mean 2, sd sqrt(2); missing flag has mean 1/4, sd sqrt(3)/4.
    # c: u v w (means 1/2 1/4 1/4), unseen and missing flags absent from train: raw 0/1.
    flag = np.sqrt(3) / 4
    levels = [-1.0, -0.25 / flag, -0.25 / flag]
    expected = [
        [0.0, -0.25 / flag, *levels, 1.0, 0.0],
        [0.0, 0.75 / flag, *levels, 0.0, 1.0],
    ]
    np.testing.assert_allclose(matrix, expected)
    assert design.transform(tables["train"], without="c").shape == (4, 2)


def test_binary_is_one_column(make_schema):
    schema = make_schema({"c": ("u", "v")}, c=ColumnKind.BINARY)
    features, tables = encode_tables({"train": pd.DataFrame({"c": ["u", "v"]})}, schema)
    matrix = DesignMatrix(features, tables["train"]).transform(tables["train"])
    np.testing.assert_allclose(matrix, [[-1.0], [1.0]])


def test_linear_models_take_levels_against_the_commonest(make_schema):
    levels = {"few": ("a", "b"), "site": ("n", "s", "w")}
    kinds = {"few": ColumnKind.BINARY, "site": ColumnKind.CATEGORICAL, "x": ColumnKind.CONTINUOUS}
    table = pd.DataFrame({"few": list("aabb"), "site": list("nssw"), "x": [1.0, 2.0, 3.0, 4.0]})
    features, tables = encode_tables({"real": table}, make_schema(levels, **kinds))
    design = DesignMatrix(features, tables["real"])
    (commonest,) = design.commonest_levels()
    assert commonest in design.columns_of("site")
    assert design.labels()[commonest] == "site [1]"
    assert design.commonest_levels(without="site").size == 0


def test_values_that_stand_for_no_level_are_noted(cohort_schema, make_cohort):
    train, test, synthetic = (make_cohort(30, seed) for seed in range(3))
    _, notices = judged_rows(train, test, synthetic, cohort_schema, group=None, seed=0)
    assert not any("no level" in notice for notice in notices)
    noisy = synthetic.assign(outcome=synthetic["outcome"] + 0.01)
    _, notices = judged_rows(train, test, noisy, cohort_schema, group=None, seed=0)
    assert any("'outcome' are no level" in notice for notice in notices)


def test_independent_marginals_keep_marginals_and_break_dependence(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS, y=ColumnKind.CONTINUOUS)
    x = np.r_[np.arange(400.0), np.full(100, np.nan)]
    _, tables = encode_tables({"train": pd.DataFrame({"x": x, "y": x})}, schema)
    drawn = independent_marginals(tables["train"], 5000, np.random.default_rng(0))
    a, b = drawn.columns["x"], drawn.columns["y"]
    assert np.isnan(a).mean() == pytest.approx(0.2, abs=0.03)
    assert np.nanmean(a) == pytest.approx(199.5, abs=6)
    both = ~np.isnan(a) & ~np.isnan(b)
    assert abs(np.corrcoef(a[both], b[both])[0, 1]) < 0.06


def test_group_codes_and_subsample():
    codes = group_codes(pd.Series(["a", None, "b", "a", None]), first=5)
    assert codes.tolist() == [5, 7, 6, 5, 8]
    rows = subsample(10, 4, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 4
    assert (np.diff(rows) > 0).all()
    assert subsample(3, 4, np.random.default_rng(0)).tolist() == [0, 1, 2]
