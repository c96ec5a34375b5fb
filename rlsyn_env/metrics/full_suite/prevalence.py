"""Prevalences of binary columns (APD) and of the number of codes per record (MCAD)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rlsyn_env.metrics.full_suite.context import Context, Findings, distance_metric
from rlsyn_env.metrics.preparation import Feature, FeatureTable
from rlsyn_env.tables.schema import TableSchema


def binary_features(features: Sequence[Feature]) -> list[Feature]:
    """Features of two levels."""
    return [feature for feature in features if feature.n_known == 2]


def prevalence_differences(
    features: Sequence[Feature], real: FeatureTable, synthetic: FeatureTable
) -> np.ndarray:
    """Absolute difference ``(d,)`` of the share of the second level, per binary feature.

    Shares are of all rows, so a missing or unseen value counts as "not the second level".
    """
    return np.array(
        [
            abs(
                float(np.mean(real.columns[feature.name] == 1))
                - float(np.mean(synthetic.columns[feature.name] == 1))
            )
            for feature in binary_features(features)
        ],
        dtype=np.float64,
    )


def code_features(features: Sequence[Feature], schema: TableSchema) -> list[Feature]:
    """Binary features whose levels mean absent and present (0 and 1, False and True)."""
    return [
        feature
        for feature in binary_features(features)
        if tuple(schema.column(feature.name).levels) == (0, 1)
    ]


def code_count_distance(
    codes: Sequence[Feature], real: FeatureTable, synthetic: FeatureTable
) -> float:
    """Total variation distance, in [0, 1], of the number of positive codes per record.

    Shares, not raw counts: two tables of different sizes can be compared.
    """
    counts = [
        np.bincount(
            np.sum([table.columns[code.name] == 1 for code in codes], axis=0),
            minlength=len(codes) + 1,
        )
        / table.n_rows
        for table in (real, synthetic)
    ]
    return float(0.5 * np.abs(counts[0] - counts[1]).sum())


def judge_prevalence(context: Context) -> Findings:
    """Return ``apd`` where there are binary columns, ``mcad`` where there are several codes."""
    metrics = {}
    n_binary = len(binary_features(context.features))
    work = 50.0 * n_binary * context.test.n_rows
    if n_binary:
        metrics["apd"] = distance_metric(
            context,
            "apd",
            lambda real, synthetic: float(
                1000.0 * prevalence_differences(context.features, real, synthetic).mean()
            ),
            "Mean absolute difference of the prevalence of binary columns from held-out rows, "
            "times 1,000.",
            work=work,
        )
    codes = code_features(context.features, context.schema)
    if len(codes) >= 2:
        metrics["mcad"] = distance_metric(
            context,
            "mcad",
            lambda real, synthetic: code_count_distance(codes, real, synthetic),
            f"Total variation distance of the number of positive codes per record ({len(codes)} "
            "columns of 0 and 1): are there as many conditions per patient as in held-out rows?",
            work=work,
            upper=1.0,
        )
    return Findings(metrics)
