"""Wasserstein-1 distances of single columns, and the dimension-wise distance (DWD).

W1 of a numeric column is taken over present values and divided by the standard deviation of the
training rows (column shapes tell about missing ones). DWD is the sum of prevalence differences of
the binary columns and of the W1 of the continuous ones. The paper divides W1 by the worst
competitor's, which makes a figure depend on who was compared: that form is
:func:`compared_dimension_wise_distances`, for several generators side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

from rlsyn_env.metrics.full_suite.context import Context, Findings, distance_metric
from rlsyn_env.metrics.full_suite.prevalence import binary_features, prevalence_differences
from rlsyn_env.metrics.preparation import Feature, FeatureTable, encode_tables
from rlsyn_env.tables.schema import TableSchema


def column_wasserstein(
    features: Sequence[Feature], real: FeatureTable, synthetic: FeatureTable
) -> np.ndarray:
    """W1 ``(d,)`` of the numeric features in their units; NaN where a table has no value."""
    distances = []
    for feature in features:
        if not feature.numeric:
            continue
        a, b = (t.columns[feature.name] for t in (real, synthetic))
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        distances.append(wasserstein_distance(a, b) if len(a) and len(b) else np.nan)
    return np.array(distances, dtype=np.float64)


def spreads(features: Sequence[Feature], table: FeatureTable) -> np.ndarray:
    """Standard deviations ``(d,)`` of the numeric features; 1 where a column does not vary."""
    found = []
    for feature in features:
        if feature.numeric:
            values = table.columns[feature.name]
            present = values[~np.isnan(values)]
            spread = float(present.std()) if present.size else 0.0
            found.append(spread if spread > 0 else 1.0)
    return np.array(found, dtype=np.float64)


def dimension_wise_distance(
    features: Sequence[Feature], real: FeatureTable, synthetic: FeatureTable, scales: np.ndarray
) -> float:
    """Sum of prevalence differences and of W1 over ``scales``; columns without values are 0."""
    continuous = np.nansum(column_wasserstein(features, real, synthetic) / scales)
    return float(prevalence_differences(features, real, synthetic).sum() + continuous)


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
    raw = {k: column_wasserstein(features, tables["real"], tables[k]) for k in generators}
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
    scaled = column_wasserstein(context.features, context.test, context.tables["value"]) / scales
    absent = [name for name, w1 in zip(numeric, scaled, strict=True) if np.isnan(w1)]
    note = f"no value to compare in {', '.join(absent)}" if absent else ""

    def mean_w1(real: FeatureTable, synthetic: FeatureTable) -> float:
        distances = column_wasserstein(context.features, real, synthetic) / scales
        return float(np.nanmean(distances)) if np.isfinite(distances).any() else float("nan")

    def dwd(real: FeatureTable, synthetic: FeatureTable) -> float:
        return dimension_wise_distance(context.features, real, synthetic, scales)

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
            dwd,
            "Dimension-wise distance: summed prevalence differences of binary columns plus summed "
            "Wasserstein distances (in standard deviations) of numeric ones; grows with columns.",
            work=work,
            note=note,
        )
    return Findings(metrics)
