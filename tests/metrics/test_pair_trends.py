from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr

from rlsyn_env.metrics import pair_trend_table, pair_trends
from rlsyn_env.metrics.bootstrap import resample_counts
from rlsyn_env.metrics.pair_trends import N_RANDOM_PAIRS, choose_pairs, trend_distances
from rlsyn_env.metrics.preparation import encode_tables
from rlsyn_env.tables.schema import ColumnKind


def crosstab_distance(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Brute force: total variation over every combination of two columns of labels."""
    tables = [t.value_counts(normalize=True, dropna=False) for t in (real, synthetic)]
    combinations = set(tables[0].index) | set(tables[1].index)
    return 0.5 * sum(abs(tables[0].get(c, 0.0) - tables[1].get(c, 0.0)) for c in combinations)


def test_numeric_pair_is_half_the_difference_of_pearson(make_schema):
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.normal(size=(30, 2)), columns=["x", "y"])
    synthetic = pd.DataFrame(rng.normal(size=(40, 2)), columns=["x", "y"])
    synthetic["y"] += 1e6 + 3 * synthetic["x"]  # r must survive a large offset
    synthetic.loc[:7, "x"] = np.nan
    synthetic.loc[5:12, "y"] = np.nan
    both = synthetic.dropna()
    expected = abs(pearsonr(real["x"], real["y"])[0] - pearsonr(both["x"], both["y"])[0]) / 2
    schema = make_schema(x=ColumnKind.CONTINUOUS, y=ColumnKind.CONTINUOUS)
    assert pair_trends(real, synthetic, schema) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("y", [[0.1] * 4, [np.nan] * 4, [1.0, np.nan, np.nan, np.nan]])
def test_undefined_correlation_counts_as_zero(make_schema, y):
    schema = make_schema(x=ColumnKind.CONTINUOUS, y=ColumnKind.CONTINUOUS)
    real = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.0, 8.0]})
    assert pair_trends(real, real.assign(y=y), schema) == pytest.approx(0.5)


def test_mixed_pair_bins_on_real_edges_with_open_ends(make_schema):
    schema = make_schema({"c": ("a", "b")}, x=ColumnKind.CONTINUOUS, c=ColumnKind.BINARY)
    rng = np.random.default_rng(1)
    real = pd.DataFrame({"x": rng.uniform(0, 10, 60), "c": rng.choice(["a", "b"], 60)})
    synthetic = pd.DataFrame({"x": rng.normal(4, 9, 50), "c": rng.choice(["a", "b"], 50)})
    synthetic.loc[:4, "x"] = np.nan
    synthetic.loc[3:9, "c"] = None
    edges = np.linspace(real["x"].min(), real["x"].max(), 11)
    edges[0], edges[-1] = -np.inf, np.inf
    binned = [t.assign(x=pd.cut(t["x"], edges, right=False).cat.codes) for t in (real, synthetic)]
    binned = [t.assign(c=t["c"].fillna("missing")) for t in binned]
    expected = crosstab_distance(*(t[["x", "c"]] for t in binned))
    assert pair_trends(real, synthetic, schema) == pytest.approx(expected, abs=1e-12)


def test_levels_by_hand(make_schema):
    schema = make_schema(
        {"c": ("a", "b"), "d": ("u", "v")}, c=ColumnKind.BINARY, d=ColumnKind.BINARY
    )
    real = pd.DataFrame({"c": ["a", "b"] * 10, "d": ["u", "v"] * 10})
    opposite = pd.DataFrame({"c": ["a", "b"] * 10, "d": ["v", "u"] * 10})
    independent = pd.DataFrame({"c": ["a", "b"] * 10, "d": ["u", "u", "v", "v"] * 5})
    assert pair_trends(real, opposite, schema) == pytest.approx(1.0)
    assert pair_trends(real, independent, schema) == pytest.approx(0.5)


def test_many_levels_use_only_cells_that_occur(make_schema):
    levels = tuple(f"l{k}" for k in range(300))
    schema = make_schema(
        {"c": levels, "d": levels}, c=ColumnKind.CATEGORICAL, d=ColumnKind.CATEGORICAL
    )
    rng = np.random.default_rng(0)
    real, synthetic = (pd.DataFrame({k: rng.choice(levels, 50) for k in "cd"}) for _ in range(2))
    assert pair_trends(real, synthetic, schema) == pytest.approx(
        crosstab_distance(real, synthetic), abs=1e-12
    )


def test_identical_tables_and_one_outlier(cohort_schema, make_cohort):
    real = make_cohort(200, 0)
    assert pair_trends(real, real, cohort_schema) == pytest.approx(0.0, abs=1e-12)
    outlier = real.copy()
    outlier.loc[0, "marker"] = 1e4  # own bin edges would put every other row into one bin
    table = pair_trend_table(real, outlier, cohort_schema)
    assert table["marker", "stage"] <= 2 / 200


def test_single_feature_has_no_pairs(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS)
    table = pd.DataFrame({"x": [1.0, 2.0]})
    assert pair_trends(table, table, schema) == 0.0


def test_pairs_of_wide_tables_are_fixed_and_distinct():
    pairs = choose_pairs(101)
    assert len(pairs) == len(set(pairs)) == N_RANDOM_PAIRS
    assert pairs == choose_pairs(101)
    assert pairs == sorted(pairs)
    assert len(choose_pairs(100)) == 4950


def test_wide_tables_average_the_chosen_pairs(make_schema):
    rng = np.random.default_rng(0)
    names = [f"x{k:03d}" for k in range(101)]
    schema = make_schema(**dict.fromkeys(names, ColumnKind.CONTINUOUS))
    real = pd.DataFrame(rng.normal(size=(20, 101)), columns=names)
    synthetic = pd.DataFrame(rng.normal(size=(20, 101)), columns=names)
    difference = np.abs(np.corrcoef(real.T) - np.corrcoef(synthetic.T)) / 2
    expected = np.mean([difference[i, j] for i, j in choose_pairs(101)])
    assert pair_trends(real, synthetic, schema) == pytest.approx(expected)


def test_resample_equals_the_resampled_table(cohort_schema, make_cohort):
    real, synthetic = make_cohort(40, 0), make_cohort(30, 1)
    synthetic.loc[:5, "pressure"] = np.nan
    features, tables = encode_tables({"real": real, "synthetic": synthetic}, cohort_schema)
    pairs = choose_pairs(len(features))
    rng = np.random.default_rng(0)
    a, b = resample_counts(rng, 2, 40), resample_counts(rng, 2, 30)
    distances = trend_distances(features, pairs, tables["real"], tables["synthetic"], a, b)
    numeric = [k for k, (i, j) in enumerate(pairs) if features[i].numeric and features[j].numeric]
    for k in range(2):
        drawn = tables["real"].take(np.repeat(np.arange(40), a[k].astype(int)))
        other = tables["synthetic"].take(np.repeat(np.arange(30), b[k].astype(int)))
        again = trend_distances(features, pairs, drawn, other)[0]
        np.testing.assert_allclose(distances[k, numeric], again[numeric], atol=1e-9)
        nominal = [
            p for p, (i, j) in enumerate(pairs) if not (features[i].numeric or features[j].numeric)
        ]
        np.testing.assert_allclose(distances[k, nominal], again[nominal], atol=1e-12)
