"""Column shapes: how far each column's distribution is from the real one, missing included.

For numbers and dates the figure is a Kolmogorov-Smirnov distance that knows missing values: the
largest difference in probability, real against synthetic, of any event "present and at most t",
"present and above t" or "missing". Without missing values that is the ordinary KS statistic; a
column that is wholly missing in one table and never in the other scores 1. For levels it is the
total variation distance with missing as one more level. Both lie in [0, 1]; 0 is ideal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rlsyn_env.metrics.preparation import Feature, FeatureTable, encode_tables
from rlsyn_env.tables.schema import TableSchema


def column_shapes(real: pd.DataFrame, synthetic: pd.DataFrame, schema: TableSchema) -> float:
    """Mean distance over the schema's features, in [0, 1]; 0 is ideal.

    Raises:
        TableError: a table is empty, lacks a column or holds a value of the wrong type.
    """
    return float(np.mean(list(column_shape_table(real, synthetic, schema).values())))


def column_shape_table(
    real: pd.DataFrame, synthetic: pd.DataFrame, schema: TableSchema
) -> dict[str, float]:
    """Distance of every feature by name, in [0, 1]; raises like :func:`column_shapes`."""
    features, tables = encode_tables({"real": real, "synthetic": synthetic}, schema)
    distances = shape_distances(features, tables["real"], tables["synthetic"])[0]
    return dict(zip((f.name for f in features), distances.tolist(), strict=True))


def shape_distances(
    features: Sequence[Feature],
    real: FeatureTable,
    synthetic: FeatureTable,
    real_counts: np.ndarray | None = None,
    synthetic_counts: np.ndarray | None = None,
) -> np.ndarray:
    """Distances ``(B, d)`` of all features for B resamples.

    Args:
        features: the d columns to compare.
        real: real rows.
        synthetic: synthetic rows.
        real_counts: ``(B, n)`` counts of the real rows; one resample with every row once if None.
        synthetic_counts: ``(B, m)`` counts of the synthetic rows, likewise.
    """
    real_shares = shares(real_counts, real.n_rows)
    synthetic_shares = shares(synthetic_counts, synthetic.n_rows)
    distances = np.empty((len(real_shares), len(features)))
    for k, feature in enumerate(features):
        distance = _numeric_distance if feature.numeric else _level_distance
        distances[:, k] = distance(
            real.columns[feature.name],
            synthetic.columns[feature.name],
            real_shares,
            synthetic_shares,
        )
    return np.clip(distances, 0.0, 1.0)


def shares(counts: np.ndarray | None, n_rows: int) -> np.ndarray:
    """Weights ``(B, n)`` that sum to 1 in every resample; equal ones ``(1, n)`` for None."""
    if counts is None:
        return np.full((1, n_rows), 1.0 / n_rows)
    weights: np.ndarray = counts / counts.sum(axis=1, keepdims=True)
    return weights


def _numeric_distance(
    real: np.ndarray, synthetic: np.ndarray, real_shares: np.ndarray, synthetic_shares: np.ndarray
) -> np.ndarray:
    values = np.concatenate([real, synthetic])
    signed = np.concatenate([real_shares, -synthetic_shares], axis=1)
    order = np.argsort(values, kind="stable")  # NaN last
    order = order[: int(np.count_nonzero(~np.isnan(values)))]
    if len(order) == 0:
        return np.zeros(len(signed))
    ranked = values[order]
    at_most = np.cumsum(signed[:, order], axis=1)[:, np.r_[ranked[1:] != ranked[:-1], True]]
    present = at_most[:, -1:]  # = minus the difference of the missing shares
    difference = np.maximum(np.abs(at_most), np.abs(present - at_most)).max(axis=1)
    largest: np.ndarray = np.maximum(difference, np.abs(present[:, 0]))
    return largest


def _level_distance(
    real: np.ndarray, synthetic: np.ndarray, real_shares: np.ndarray, synthetic_shares: np.ndarray
) -> np.ndarray:
    n_cells = int(max(real.max(), synthetic.max())) + 2  # one more for missing, code -1
    difference = cell_shares(real + 1, n_cells, real_shares)
    difference -= cell_shares(synthetic + 1, n_cells, synthetic_shares)
    total: np.ndarray = 0.5 * np.abs(difference).sum(axis=1)
    return total


def cell_shares(cells: np.ndarray, n_cells: int, weights: np.ndarray) -> np.ndarray:
    """Total weight ``(B, n_cells)`` of the rows in every cell.

    ``cells`` holds the int cell of each row ``(n,)``, ``weights`` is ``(B, n)``.
    """
    if len(weights) == 1:
        return np.bincount(cells, weights=weights[0], minlength=n_cells)[None, :]
    order = np.argsort(cells, kind="stable")
    ranked = cells[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    totals = np.zeros((len(weights), n_cells))
    totals[:, ranked[starts]] = np.add.reduceat(weights[:, order], starts, axis=1)
    return totals
