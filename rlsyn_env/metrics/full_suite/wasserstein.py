"""Wasserstein-1 distances of single columns, and the dimension-wise distance (DWD).

W1 of a numeric column is taken over present values and divided by the standard deviation of the
training rows (column shapes tell about missing ones). DWD is the sum of prevalence differences of
the binary columns and of the W1 of the continuous ones. The paper divides W1 by the worst
competitor's, which makes a figure depend on who was compared: that form is
:func:`compared_dimension_wise_distances`, for several generators side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rlsyn_env.metrics.column_shapes import shares
from rlsyn_env.metrics.full_suite.context import Context, Findings, distance_metric
from rlsyn_env.metrics.full_suite.prevalence import binary_features, prevalence_differences
from rlsyn_env.metrics.preparation import Feature, FeatureTable, encode_tables
from rlsyn_env.tables.schema import TableSchema


def column_wasserstein(
    features: Sequence[Feature],
    real: FeatureTable,
    synthetic: FeatureTable,
    real_counts: np.ndarray | None = None,
    synthetic_counts: np.ndarray | None = None,
) -> np.ndarray:
    """W1 ``(B, d)`` of the numeric features in their units; NaN where a table has no value.

    The area between the two distribution functions of present values, for B resamples; counts as
    in :func:`rlsyn_env.metrics.column_shapes.shape_distances`.
    """
    names = [feature.name for feature in features if feature.numeric]
    weights = (shares(real_counts, real.n_rows), shares(synthetic_counts, synthetic.n_rows))
    distances = np.full((len(weights[0]), len(names)), np.nan)
    for k, name in enumerate(names):
        columns = [table.columns[name] for table in (real, synthetic)]
        present = [np.flatnonzero(~np.isnan(values)) for values in columns]
        if not all(map(len, present)):
            continue
        ranked = np.concatenate([v[rows] for v, rows in zip(columns, present, strict=True)])
        order = np.argsort(ranked, kind="stable")
        ranked = ranked[order]
        a, b = (_of_present(w[:, rows]) for w, rows in zip(weights, present, strict=True))
        signed = np.concatenate([a, -b], axis=1)
        between = np.abs(np.cumsum(signed[:, order], axis=1)[:, :-1])
        distances[:, k] = between @ np.diff(ranked)
    return distances


def _of_present(weights: np.ndarray) -> np.ndarray:
    """Scale the weights ``(B, n)`` to sum 1; NaN in a resample that holds no present value."""
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.full_like(weights, np.nan), where=total > 0)


def spreads(features: Sequence[Feature], table: FeatureTable) -> np.ndarray:
    """Standard deviations ``(d,)`` of the numeric features; 1 where a column does not vary."""
    found = []
    for feature in features:
        if feature.numeric:
            values = table.columns[feature.name]
            present = values[~np.isnan(values)]
            spread = float(present.std()) if present.size else 0.0
            # Equal values may have a spread of their last bits.
            varies = present.size and spread > 1e-12 * (1 + abs(present.mean()))
            found.append(spread if varies else 1.0)
    return np.array(found, dtype=np.float64)


def dimension_wise_distance(
    features: Sequence[Feature],
    scales: np.ndarray,
    real: FeatureTable,
    synthetic: FeatureTable,
    real_counts: np.ndarray | None = None,
    synthetic_counts: np.ndarray | None = None,
) -> np.ndarray:
    """Sum ``(B,)`` of prevalence differences and of W1 over ``scales (d,)``.

    Columns without values are 0.
    """
    tables = (real, synthetic, real_counts, synthetic_counts)
    continuous = np.nansum(column_wasserstein(features, *tables) / scales, axis=1)
    total: np.ndarray = prevalence_differences(features, *tables).sum(axis=1) + continuous
    return total


def compared_dimension_wise_distances(
    real: pd.DataFrame, generators: Mapping[str, pd.DataFrame], schema: TableSchema
) -> dict[str, float]:
    """DWD as published: every column's W1 is divided by the worst generator's.

    Args:
        real: held-out rows.
        generators: synthetic tables by name; the figures are comparable among these only.
        schema: schema of the training rows.

    Raises:
        TableError: a table is empty, lacks a column or holds a value of the wrong type.
    """
    features, tables = encode_tables({"real": real, **generators}, schema)
    raw = {k: column_wasserstein(features, tables["real"], tables[k])[0] for k in generators}
    worst = np.nanmax(np.array(list(raw.values())), axis=0, initial=0.0)
    worst[worst == 0] = 1.0
    return {
        k: float(
            prevalence_differences(features, tables["real"], tables[k]).sum()
            + np.nansum(raw[k] / worst)
        )
        for k in generators
    }


def judge_wasserstein(context: Context) -> Findings:
    """Return ``w1_over_std`` (mean over numeric columns) and ``dwd``."""
    scales = spreads(context.features, context.rows.train)
    numeric = [feature.name for feature in context.features if feature.numeric]
    found = column_wasserstein(context.features, context.test, context.tables["value"])
    absent = [name for name, w1 in zip(numeric, found[0], strict=True) if np.isnan(w1)]
    note = f"no value to compare in {', '.join(absent)}" if absent else ""

    def mean_w1(*tables: Any) -> np.ndarray:
        distances = column_wasserstein(context.features, *tables) / scales
        n_defined = np.isfinite(distances).sum(axis=1)
        total = np.nansum(distances, axis=1)
        return np.divide(total, n_defined, out=np.full(len(total), np.nan), where=n_defined > 0)

    work = 2_000.0 * context.test.n_rows * len(numeric)  # sorting, in multiply-adds
    metrics = {
        "w1_over_std": distance_metric(
            context,
            "w1_over_std",
            mean_w1,
            "Mean Wasserstein distance of the numeric columns from held-out rows, in standard "
            "deviations of the training rows: how far values would have to be moved.",
            work=work,
            note=note if numeric else "there is no numeric column",
        )
    }
    if numeric or binary_features(context.features):
        metrics["dwd"] = distance_metric(
            context,
            "dwd",
            lambda *tables: dimension_wise_distance(context.features, scales, *tables),
            "Dimension-wise distance: summed prevalence differences of binary columns plus summed "
            "Wasserstein distances (in standard deviations) of numeric ones; grows with columns.",
            work=work,
            note=note,
        )
    return Findings(metrics)
