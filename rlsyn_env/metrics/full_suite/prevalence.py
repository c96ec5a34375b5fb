"""Prevalences of binary columns (APD) and of the number of codes per record (MCAD)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlsyn_env.metrics.column_shapes import cell_shares, shares
from rlsyn_env.metrics.full_suite.context import Context, Findings, distance_metric
from rlsyn_env.metrics.preparation import Feature, FeatureTable
from rlsyn_env.tables.schema import TableSchema


def binary_features(features: Sequence[Feature]) -> list[Feature]:
    """Features of two levels."""
    return [feature for feature in features if feature.n_known == 2]


def prevalences(
    features: Sequence[Feature], table: FeatureTable, counts: np.ndarray | None = None
) -> np.ndarray:
    """Share ``(B, d)`` of the second level of each binary feature, for B resamples.

    Shares are of all rows, so a missing or unseen value counts as "not the second level".
    ``counts`` is ``(B, n)``; one resample with every row once if None.
    """
    names = [feature.name for feature in binary_features(features)]
    # Sums of small whole numbers are exact in float32, at half the memory and time.
    present = np.empty((table.n_rows, len(names)), dtype=np.float32)
    for k, name in enumerate(names):
        present[:, k] = table.columns[name] == 1
    weights = np.ones((1, table.n_rows)) if counts is None else counts
    found = (weights.astype(np.float32) @ present).astype(np.float64)
    shares: np.ndarray = found / weights.sum(axis=1, keepdims=True)
    return shares


def prevalence_differences(
    features: Sequence[Feature],
    real: FeatureTable,
    synthetic: FeatureTable,
    real_counts: np.ndarray | None = None,
    synthetic_counts: np.ndarray | None = None,
) -> np.ndarray:
    """Absolute differences ``(B, d)`` of :func:`prevalences`."""
    return np.abs(
        prevalences(features, real, real_counts)
        - prevalences(features, synthetic, synthetic_counts)
    )


def code_features(features: Sequence[Feature], schema: TableSchema) -> list[Feature]:
    """Binary features whose levels mean absent and present (0 and 1, False and True)."""
    return [
        feature
        for feature in binary_features(features)
        if tuple(schema.column(feature.name).levels) == (0, 1)
    ]


def code_count_distances(
    codes: Sequence[Feature],
    real: FeatureTable,
    synthetic: FeatureTable,
    real_counts: np.ndarray | None = None,
    synthetic_counts: np.ndarray | None = None,
) -> np.ndarray:
    """Total variation distance ``(B,)``, in [0, 1], of the number of positive codes per record.

    Shares, not raw counts: two tables of different sizes can be compared.
    """
    found = []
    for table, counts in ((real, real_counts), (synthetic, synthetic_counts)):
        positive = np.zeros(table.n_rows, dtype=np.int64)
        for code in codes:
            positive += table.columns[code.name] == 1
        found.append(cell_shares(positive, len(codes) + 1, shares(counts, table.n_rows)))
    distances: np.ndarray = 0.5 * np.abs(found[0] - found[1]).sum(axis=1)
    return distances


def judge_prevalence(context: Context) -> Findings:
    """Return ``apd`` where there are binary columns, ``mcad`` where there are several codes."""
    metrics = {}
    n_binary = len(binary_features(context.features))
    work = 50.0 * n_binary * context.test.n_rows
    if n_binary:
        metrics["apd"] = distance_metric(
            context,
            "apd",
            lambda *tables: 1000.0 * prevalence_differences(context.features, *tables).mean(axis=1),
            "Mean absolute difference of the prevalence of binary columns from held-out rows, "
            "times 1,000.",
            work=work,
        )
    codes = code_features(context.features, context.schema)
    if len(codes) >= 2:
        metrics["mcad"] = distance_metric(
            context,
            "mcad",
            lambda *tables: code_count_distances(codes, *tables),
            f"Total variation distance of the number of positive codes per record ({len(codes)} "
            "columns of 0 and 1): are there as many conditions per patient as in held-out rows?",
            work=work,
            upper=1.0,
        )
    return Findings(metrics)
