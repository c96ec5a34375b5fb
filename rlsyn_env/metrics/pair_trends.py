"""Pair trends: how far the association of two columns is from the real one, over pairs.

TabSyn's definition (arXiv 2310.09656) with one correction: numeric columns are cut into bins on
edges of the **real** table for both tables. With own edges for each, a copy with one row out of
range falls from perfect to poor.

- Two numeric columns (dates count as numbers): half the absolute difference of Pearson's r on the
  rows where both are present. Where r is undefined (a column without spread, fewer than two such
  rows) there is no linear association and r counts as 0.
- Otherwise: the total variation distance of the contingency tables, numeric columns in 10 bins of
  equal width, the outer ones open, and missing as a level.

Every pair lies in [0, 1] and so does the mean; 0 is ideal. Above 100 columns, 2,000 pairs chosen
once at random stand for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from rlsyn_env.metrics.column_shapes import cell_shares, shares
from rlsyn_env.metrics.preparation import Feature, FeatureTable, encode_tables
from rlsyn_env.tables.schema import TableSchema

N_BINS = 10
MAX_COLUMNS_FOR_ALL_PAIRS = 100
N_RANDOM_PAIRS = 2000


def pair_trends(real: pd.DataFrame, synthetic: pd.DataFrame, schema: TableSchema) -> float:
    """Mean distance over pairs of the schema's features, in [0, 1]; 0 is ideal.

    A table with a single feature has no pair and scores 0.

    Raises:
        TableError: a table is empty, lacks a column or holds a value of the wrong type.
    """
    distances = list(pair_trend_table(real, synthetic, schema).values())
    return float(np.mean(distances)) if distances else 0.0


def pair_trend_table(
    real: pd.DataFrame, synthetic: pd.DataFrame, schema: TableSchema
) -> dict[tuple[str, str], float]:
    """Distance of every pair by the two names; raises like :func:`pair_trends`."""
    features, tables = encode_tables({"real": real, "synthetic": synthetic}, schema)
    pairs = choose_pairs(len(features))
    distances = trend_distances(features, pairs, tables["real"], tables["synthetic"])[0]
    names = [(features[i].name, features[j].name) for i, j in pairs]
    return dict(zip(names, distances.tolist(), strict=True))


def choose_pairs(n_columns: int) -> list[tuple[int, int]]:
    """Return all pairs (i < j) in order, or the same 2,000 random ones above 100 columns."""
    first, second = np.triu_indices(n_columns, k=1)
    if n_columns > MAX_COLUMNS_FOR_ALL_PAIRS:
        chosen = np.random.default_rng(0).choice(len(first), size=N_RANDOM_PAIRS, replace=False)
        chosen.sort()
        first, second = first[chosen], second[chosen]
    return list(zip(first.tolist(), second.tolist(), strict=True))


def trend_distances(
    features: Sequence[Feature],
    pairs: Sequence[tuple[int, int]],
    real: FeatureTable,
    synthetic: FeatureTable,
    real_counts: np.ndarray | None = None,
    synthetic_counts: np.ndarray | None = None,
) -> np.ndarray:
    """Distances ``(B, len(pairs))`` for B resamples.

    Args:
        features: the compared columns.
        pairs: positions in ``features``, i < j, in ascending order.
        real: real rows; they also give the edges of the bins.
        synthetic: synthetic rows.
        real_counts: ``(B, n)`` counts of the real rows; one resample with every row once if None.
        synthetic_counts: ``(B, m)`` counts of the synthetic rows, likewise.
    """
    weights = (shares(real_counts, real.n_rows), shares(synthetic_counts, synthetic.n_rows))
    tables = (real, synthetic)
    distances = np.zeros((len(weights[0]), len(pairs)))
    numeric: list[tuple[int, int, int]] = []  # (position in pairs, i, j)
    cells: dict[int, tuple[np.ndarray, np.ndarray, int]] = {}
    for k, (i, j) in enumerate(pairs):
        if features[i].numeric and features[j].numeric:
            numeric.append((k, i, j))
            continue
        for column in (i, j):
            if column not in cells:
                cells[column] = _cells(features[column], real, synthetic)
        distances[:, k] = _contingency_distance(cells[i], cells[j], weights)
    standardised = [
        {i: _standardise(t.columns[features[i].name]) for i in {x for p in numeric for x in p[1:]}}
        for t in tables
    ]
    for i, block in groupby(numeric, key=lambda entry: entry[1]):
        entries = list(block)
        partners = [j for _, _, j in entries]
        r_real, r_synthetic = (
            _correlations(columns, i, partners, w)
            for columns, w in zip(standardised, weights, strict=True)
        )
        distances[:, [k for k, _, _ in entries]] = 0.5 * np.abs(r_real - r_synthetic)
    return np.clip(distances, 0.0, 1.0)


def _standardise(values: np.ndarray) -> np.ndarray:
    """Centre and scale, NaN kept: r does not change, and large dates lose no digits."""
    present = values[~np.isnan(values)]
    if present.size == 0:
        return values
    spread = float(present.std())
    # A spread of rounding errors only (a constant column) must not be blown up into a pattern.
    if spread <= 1e-12 * float(np.abs(present).max()):
        return np.where(np.isnan(values), np.nan, 0.0)
    centred: np.ndarray = (values - present.mean()) / spread
    return centred


def _correlations(
    columns: dict[int, np.ndarray], i: int, partners: list[int], weights: np.ndarray
) -> np.ndarray:
    """Weighted Pearson r ``(B, len(partners))`` of column i with each partner."""
    x = columns[i][:, None]
    y = np.column_stack([columns[j] for j in partners])
    joint = ~(np.isnan(x) | np.isnan(y))
    x = np.where(joint, x, 0.0)
    y = np.where(joint, y, 0.0)
    total = weights @ joint.astype(np.float64)
    total[total == 0] = 1.0
    mean_x, mean_y = (weights @ x) / total, (weights @ y) / total
    variance_x = (weights @ (x * x)) / total - mean_x**2
    variance_y = (weights @ (y * y)) / total - mean_y**2
    covariance = (weights @ (x * y)) / total - mean_x * mean_y
    defined = (variance_x > 1e-10) & (variance_y > 1e-10)
    scale = np.sqrt(np.where(defined, variance_x * variance_y, 1.0))
    return np.where(defined, np.clip(covariance / scale, -1.0, 1.0), 0.0)


def binned_cells(
    feature: Feature, real: FeatureTable, table: FeatureTable
) -> tuple[np.ndarray, int]:
    """Cell int64 ``(n,)`` of every row of ``table`` and the number of cells, missing included.

    Numbers fall into 10 bins of equal width over the range of ``real``, the outer ones open.
    """
    values = table.columns[feature.name]
    if not feature.numeric:
        return values.astype(np.int64) + 1, feature.n_codes + 1
    reference = real.columns[feature.name]
    present = reference[~np.isnan(reference)]
    inner = np.empty(0)
    if present.size:
        inner = np.linspace(present.min(), present.max(), N_BINS + 1)[1:-1]
    cells = np.where(np.isnan(values), N_BINS, np.searchsorted(inner, values, side="right"))
    return cells, N_BINS + 1


def _cells(
    feature: Feature, real: FeatureTable, synthetic: FeatureTable
) -> tuple[np.ndarray, np.ndarray, int]:
    """Cell of every real and synthetic row, and the number of cells (missing included)."""
    real_cells, n_cells = binned_cells(feature, real, real)
    return real_cells, binned_cells(feature, real, synthetic)[0], n_cells


def _contingency_distance(
    first: tuple[np.ndarray, np.ndarray, int],
    second: tuple[np.ndarray, np.ndarray, int],
    weights: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Total variation distance ``(B,)`` of two contingency tables."""
    n_cells = first[2] * second[2]
    real = first[0] * second[2] + second[0]
    synthetic = first[1] * second[2] + second[1]
    n_rows = len(real) + len(synthetic)
    if n_cells > 4 * n_rows:  # two columns of many levels: number the cells that occur
        occurring, positions = np.unique(np.concatenate([real, synthetic]), return_inverse=True)
        n_cells = len(occurring)
        real, synthetic = positions[: len(real)], positions[len(real) :]
    difference = cell_shares(real, n_cells, weights[0])
    difference -= cell_shares(synthetic, n_cells, weights[1])
    total: np.ndarray = 0.5 * np.abs(difference).sum(axis=1)
    return total
