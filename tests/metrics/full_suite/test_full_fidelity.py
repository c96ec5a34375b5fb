"""Fidelity figures of the full suite against hand-computed and brute-force values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance
from sklearn.metrics import normalized_mutual_info_score

from rlsyn_env.metrics import compared_dimension_wise_distances
from rlsyn_env.metrics.full_suite.clusters import Clustering, cluster_rows, principal_components
from rlsyn_env.metrics.full_suite.correlations import correlation_distance
from rlsyn_env.metrics.full_suite.mutual_information import pairwise_nmi, weighted_nmi_distance
from rlsyn_env.metrics.full_suite.precision_recall import N_STEPS, precision_recall
from rlsyn_env.metrics.full_suite.prevalence import (
    code_count_distances,
    code_features,
    prevalence_differences,
)
from rlsyn_env.metrics.full_suite.wasserstein import (
    column_wasserstein,
    dimension_wise_distance,
    spreads,
)
from rlsyn_env.metrics.preparation import encode_tables
from rlsyn_env.tables.schema import ColumnKind


@pytest.fixture
def codes(make_schema):
    """Two tables of a number and three columns of 0 and 1, with their features and schema."""
    schema = make_schema(
        {"a": (0, 1), "b": (0, 1), "sex": ("F", "M")},
        x=ColumnKind.CONTINUOUS,
        a=ColumnKind.BINARY,
        b=ColumnKind.BINARY,
        sex=ColumnKind.BINARY,
    )
    real = pd.DataFrame(
        {"x": [0.0, 2.0, 4.0, np.nan], "a": [1, 1, 0, 0], "b": [1, 0, 0, 0], "sex": list("FFMM")}
    )
    synthetic = pd.DataFrame(
        {"x": [1.0, 3.0, 5.0], "a": [1, 1, 1], "b": [1, 1, 1], "sex": list("FMM")}
    )
    features, tables = encode_tables({"real": real, "synthetic": synthetic}, schema)
    return schema, features, tables["real"], tables["synthetic"]


def test_wasserstein_and_dimension_wise_distance_by_hand(codes):
    _, features, real, synthetic = codes
    # Values 0, 2, 4 against 1, 3, 5: every one moves by 1.
    assert column_wasserstein(features, real, synthetic)[0] == pytest.approx([1.0])
    spread = np.sqrt(8 / 3)
    assert spreads(features, real) == pytest.approx([spread])
    # a: 1/2 against 1; b: 1/4 against 1; sex = M: 1/2 against 2/3.
    assert prevalence_differences(features, real, synthetic)[0] == pytest.approx([0.5, 0.75, 1 / 6])
    expected = 0.5 + 0.75 + 1 / 6 + 1.0 / spread
    assert dimension_wise_distance(features, spreads(features, real), real, synthetic)[
        0
    ] == pytest.approx(expected)


def test_number_of_codes_per_record_by_hand(codes):
    schema, features, real, synthetic = codes
    counted = code_features(features, schema)
    assert [feature.name for feature in counted] == ["a", "b"]  # the sex is no code
    # Real: 0, 0, 1, 2 codes; synthetic: always 2. Shares (1/2, 1/4, 1/4) against (0, 0, 1).
    assert code_count_distances(counted, real, synthetic) == pytest.approx([0.75])
    repeated = real.take(np.repeat(np.arange(4), 5))
    assert code_count_distances(counted, real, repeated) == pytest.approx([0.0], abs=1e-12)


def test_resamples_by_counts_are_those_of_drawn_rows(codes):
    schema, features, real, synthetic = codes
    counted = code_features(features, schema)
    scales = spreads(features, real)
    # The second resample of real rows holds no present value of x.
    real_counts = np.array([[2, 0, 1, 1], [0, 0, 0, 4]], dtype=float)
    synthetic_counts = np.array([[0, 3, 0], [1, 1, 1]], dtype=float)
    for figure in (
        lambda *tables: code_count_distances(counted, *tables),
        lambda *tables: prevalence_differences(features, *tables),
        lambda *tables: column_wasserstein(features, *tables),
        lambda *tables: dimension_wise_distance(features, scales, *tables),
    ):
        found = figure(real, synthetic, real_counts, synthetic_counts)
        for k in range(2):
            drawn = (
                table.take(np.repeat(np.arange(table.n_rows), counts[k].astype(int)))
                for table, counts in ((real, real_counts), (synthetic, synthetic_counts))
            )
            assert found[k] == pytest.approx(figure(*drawn)[0], nan_ok=True)
    assert np.isnan(
        column_wasserstein(features, real, synthetic, real_counts, synthetic_counts)[1, 0]
    )


def test_a_column_of_one_value_and_missing_ones_has_no_spread(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS)
    table = pd.DataFrame({"x": [0.7] * 11 + [np.nan] * 3})
    features, tables = encode_tables({"real": table}, schema)
    assert np.nanstd(table["x"]) > 0  # of the last bits
    assert spreads(features, tables["real"]).tolist() == [1.0]


def test_wasserstein_is_scipys(cohort_schema, make_cohort):
    first, second = make_cohort(60, 0), make_cohort(45, 1)
    first.loc[:7, "glucose"] = np.nan
    features, tables = encode_tables({"real": first, "synthetic": second}, cohort_schema)
    expected = [
        wasserstein_distance(first[f.name].dropna(), second[f.name].dropna())
        for f in features
        if f.numeric
    ]
    found = column_wasserstein(features, tables["real"], tables["synthetic"])[0]
    assert found == pytest.approx(expected)


def test_published_distance_divides_by_the_worst_generator(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS, y=ColumnKind.CONTINUOUS)
    real = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    near, far = (real + np.array(shift) for shift in ([1.0, 0.0], [4.0, 2.0]))
    found = compared_dimension_wise_distances(real, {"near": near, "far": far}, schema)
    assert found == pytest.approx({"near": 0.25, "far": 2.0})


def test_correlation_distance_by_hand():
    x = np.array([-1.0, 0.0, 1.0])
    flat = np.ones(3)
    real = np.column_stack([x, x, flat])
    synthetic = np.column_stack([x, -x, x])
    # The constant column is dropped; r = 1 against -1: off-diagonal differences of 2, n = 2.
    expected = 1e6 * np.sqrt(2 * 2.0**2) / 4
    assert correlation_distance(real, synthetic) == pytest.approx(expected)
    assert correlation_distance(real, real) == 0.0
    assert np.isnan(correlation_distance(real[:, 2:], real[:, 2:]))


def test_pairwise_nmi_is_scikit_learns(cohort_schema, make_cohort):
    table = make_cohort(80, 0)
    table.loc[:7, "glucose"] = np.nan
    features, tables = encode_tables({"real": table}, cohort_schema)
    names = [feature.name for feature in features]
    pairs = [(names.index("outcome"), names.index("stage")), (0, 1)]
    found = pairwise_nmi(features, pairs, tables["real"], tables["real"])[0]
    assert found[0] == pytest.approx(normalized_mutual_info_score(table["outcome"], table["stage"]))
    binned = []
    for name in names[:2]:
        v = table[name].to_numpy(dtype=float)
        edges = np.linspace(np.nanmin(v), np.nanmax(v), 11)[1:-1]
        binned.append(np.where(np.isnan(v), -1, np.digitize(v, edges)))
    assert found[1] == pytest.approx(normalized_mutual_info_score(*binned))
    counts = np.repeat([[2.0], [1.0]], [40, 40], axis=0).T
    doubled = tables["real"].take(np.r_[np.repeat(np.arange(40), 2), np.arange(40, 80)])
    weighted = pairwise_nmi(features, pairs, tables["real"], tables["real"], counts)[0]
    assert weighted == pytest.approx(pairwise_nmi(features, pairs, tables["real"], doubled)[0])


def test_weighted_distance_of_nmi_by_hand():
    real, synthetic = np.array([[0.9, 0.0, 0.1]]), np.array([[0.1, 0.0, 0.1]])
    # Weights 1.0, 0.0, 0.2; errors 0.8, 0, 0.
    assert weighted_nmi_distance(real, synthetic) == pytest.approx([0.8 / 1.2])
    assert weighted_nmi_distance(0 * real, 0 * real) == pytest.approx([0.0])


def test_clusters_by_hand_and_by_scikit_learn():
    clustering = Clustering(
        np.array([0, 0, 0, 1, 1, 1, 1, 2]), np.array([1, 1, 0, 0, 0, 0, 1, 1], dtype=bool)
    )
    # Real shares 2/3, 1/4, 1.
    squares = [(2 / 3 - 0.5) ** 2, (1 / 4 - 0.5) ** 2, 0.25]
    assert clustering.latent_cluster()[0] == pytest.approx(np.log2(np.mean(squares)))
    expected = normalized_mutual_info_score(clustering.clusters, clustering.is_real)
    assert clustering.nmi()[0] == pytest.approx(expected)
    counts = np.ones((1, 8))
    counts[0, 3] = 3.0
    drawn = np.r_[np.arange(8), 3, 3]
    again = normalized_mutual_info_score(clustering.clusters[drawn], clustering.is_real[drawn])
    assert clustering.nmi(counts)[0] == pytest.approx(again)


def test_clusters_have_equal_sizes_and_see_a_shift():
    rng = np.random.default_rng(0)
    train, real = rng.normal(size=(200, 6)), rng.normal(size=(90, 6))
    project = principal_components(train)
    same = cluster_rows(project, real, rng.normal(size=(500, 6)), np.random.default_rng(1))
    assert same.is_real.sum() == 90
    assert len(same.is_real) == 180
    assert same.nmi()[0] < 0.05
    moved = cluster_rows(project, real, rng.normal(size=(500, 6)) + 9, np.random.default_rng(1))
    assert moved.nmi()[0] > 0.5
    assert moved.latent_cluster()[0] == pytest.approx(-2.0, abs=0.2)


def brute_force_precision_recall(real: np.ndarray, synthetic: np.ndarray) -> tuple[float, float]:
    levels = np.linspace(0, 1, N_STEPS)
    precision, recall = [], []
    centre, synthetic_centre = real.mean(axis=0), synthetic.mean(axis=0)
    nearest = [np.argmin(np.linalg.norm(synthetic - r, axis=1)) for r in real]
    depth = np.array([np.linalg.norm(synthetic[k] - synthetic_centre) for k in nearest])
    for level in levels:
        radius = np.quantile([np.linalg.norm(r - centre) for r in real], level)
        precision.append(np.mean([np.linalg.norm(s - centre) <= radius for s in synthetic]))
        hits = 0
        for i, r in enumerate(real):
            own = min(np.linalg.norm(r - other) for j, other in enumerate(real) if j != i)
            close = np.linalg.norm(r - synthetic[nearest[i]]) <= own
            hits += close and depth[i] <= np.quantile(depth, level)
        recall.append(hits / len(real))
    total = levels.sum()
    return (
        1 - np.abs(levels - precision).sum() / total,
        1 - np.abs(levels - recall).sum() / total,
    )


def test_precision_and_recall_are_brute_force():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(25, 3)), 1.3 * rng.normal(size=(30, 3))
    found = precision_recall(real, synthetic)
    expected = brute_force_precision_recall(real, synthetic)
    assert found.precision()[0] == pytest.approx(expected[0])
    assert found.recall()[0] == pytest.approx(expected[1])
    far = precision_recall(real, synthetic + 100)
    assert far.precision()[0] == pytest.approx(0.0, abs=0.1)
    assert far.recall()[0] == pytest.approx(0.0)
