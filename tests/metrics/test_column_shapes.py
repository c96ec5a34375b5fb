from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from rlsyn_env.metrics import column_shape_table, column_shapes
from rlsyn_env.metrics.bootstrap import resample_counts
from rlsyn_env.metrics.column_shapes import shape_distances
from rlsyn_env.metrics.preparation import encode_tables
from rlsyn_env.tables.schema import ColumnKind


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_scipys_ks(make_schema, seed):
    rng = np.random.default_rng(seed)
    real = pd.DataFrame({"x": rng.integers(0, 12, 37)})
    synthetic = pd.DataFrame({"x": rng.integers(2, 15, 51)})
    expected = ks_2samp(real["x"], synthetic["x"]).statistic
    schema = make_schema(x=ColumnKind.INTEGER)
    assert column_shapes(real, synthetic, schema) == pytest.approx(expected, abs=1e-12)


def test_numbers_with_missing_by_hand(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS)
    real = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
    # P(x <= 4): 1 against 1/2 through missing alone.
    assert column_shapes(real, pd.DataFrame({"x": [1, np.nan, 3, np.nan]}), schema) == 0.5
    # P(x > 2): 1/2 against 0, and missing 0 against 1/2.
    synthetic = pd.DataFrame({"x": [1.0, 2.0, np.nan, np.nan]})
    assert column_shapes(real, synthetic, schema) == 0.5
    # P(x > 1): 3/4 against 0 is more than the missing share of 1/2.
    synthetic = pd.DataFrame({"x": [0.0, 1.0, np.nan, np.nan]})
    assert column_shapes(real, synthetic, schema) == 0.75
    assert column_shapes(real, pd.DataFrame({"x": [np.nan] * 3}), schema) == 1.0
    assert column_shapes(pd.DataFrame({"x": [np.nan]}), pd.DataFrame({"x": [np.nan]}), schema) == 0


def test_levels_by_hand(make_schema):
    schema = make_schema({"c": ("a", "b")}, c=ColumnKind.BINARY)
    real = pd.DataFrame({"c": ["a", "a", "b", None]})  # 1/2 1/4 missing 1/4
    synthetic = pd.DataFrame({"c": ["a", "z", "z", "b"]})  # 1/4 1/4 z 1/2
    assert column_shapes(real, synthetic, schema) == pytest.approx(0.5)


def test_mean_over_columns_and_names(cohort_schema, make_cohort):
    real, synthetic = make_cohort(80, 0), make_cohort(60, 1)
    table = column_shape_table(real, synthetic, cohort_schema)
    assert set(table) == set(real.columns)
    assert column_shapes(real, synthetic, cohort_schema) == pytest.approx(
        np.mean(list(table.values()))
    )
    assert column_shapes(real, real, cohort_schema) == pytest.approx(0.0, abs=1e-12)


def test_column_order_index_and_extra_columns_do_not_matter(cohort_schema, make_cohort):
    real, synthetic = make_cohort(80, 0), make_cohort(60, 1)
    moved = synthetic[synthetic.columns[::-1]].assign(unknown=1)
    moved.index = moved.index[::-1] + 1000
    before = column_shape_table(real, synthetic, cohort_schema)
    assert column_shape_table(real, moved, cohort_schema) == before


def test_resample_equals_the_resampled_table(cohort_schema, make_cohort):
    real, synthetic = make_cohort(40, 0), make_cohort(30, 1)
    synthetic.loc[:5, "pressure"] = np.nan
    synthetic.loc[3:8, "stage"] = None
    features, tables = encode_tables({"real": real, "synthetic": synthetic}, cohort_schema)
    rng = np.random.default_rng(0)
    a, b = resample_counts(rng, 3, 40), resample_counts(rng, 3, 30)
    distances = shape_distances(features, tables["real"], tables["synthetic"], a, b)
    for k in range(3):
        drawn = tables["real"].take(np.repeat(np.arange(40), a[k].astype(int)))
        other = tables["synthetic"].take(np.repeat(np.arange(30), b[k].astype(int)))
        np.testing.assert_allclose(
            distances[k], shape_distances(features, drawn, other)[0], atol=1e-12
        )
