"""Fidelity figures of an evaluation, with intervals and references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlsyn_env.metrics.bootstrap import (
    distance_interval,
    resample_counts,
    stream,
)
from rlsyn_env.metrics.column_shapes import shape_distances
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.fidelity import TwoSampleTest, c2st
from rlsyn_env.metrics.pair_trends import choose_pairs, trend_distances
from rlsyn_env.metrics.preparation import FeatureTable, subsample
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import MAX_C2ST_ROWS, MAX_FIDELITY_ROWS, JudgedRows

# Intervals of wide tables resample a fixed random part of the columns or pairs: the spread of a
# mean over 100 columns or 300 pairs is close to that over all, at a bounded cost.
MAX_RESAMPLED_COLUMNS = 100
MAX_RESAMPLED_PAIRS = 300
MAX_LISTED_PAIRS = 50


def judge_fidelity(
    rows: JudgedRows, *, n_bootstrap: int, n_jobs: int
) -> tuple[dict[str, Metric], dict[str, Any]]:
    """Return column_shapes, pair_trends and c2st, and details: columns and pairs, worst first."""
    test = rows.cut(rows.test, MAX_FIDELITY_ROWS, "fidelity test")
    size = rows.fidelity_size
    synthetic = rows.cut(rows.synthetic, size, "fidelity synthetic")
    independent = rows.cut(rows.independent, size, "fidelity independent")
    train = rows.cut(rows.train, size, "fidelity train")

    rng = stream(rows.seed, "fidelity resamples")
    counts = (
        resample_counts(rng, n_bootstrap, test.n_rows, groups=test.groups),
        resample_counts(rng, n_bootstrap, synthetic.n_rows),
    )
    tables = {"value": synthetic, "real": train, "independent": independent}
    shapes, shape_details = _column_shapes(rows, tables, test, train, counts)
    trends, trend_details = _pair_trends(rows, tables, test, train, counts)
    metrics = {
        "column_shapes": shapes,
        "pair_trends": trends,
        "c2st": _c2st(rows, tables, test, train, n_bootstrap, n_jobs),
    }
    return metrics, {"column_shapes": shape_details, "pair_trends": trend_details}


def _column_shapes(
    rows: JudgedRows,
    tables: dict[str, FeatureTable],
    test: FeatureTable,
    train: FeatureTable,
    counts: tuple[np.ndarray, np.ndarray],
) -> tuple[Metric, list[dict[str, Any]]]:
    by_table = {k: shape_distances(rows.features, test, t)[0] for k, t in tables.items()}
    values = {k: float(distances.mean()) for k, distances in by_table.items()}
    rng = stream(rows.seed, "resampled columns")
    resampled = subsample(len(rows.features), MAX_RESAMPLED_COLUMNS, rng)
    features = [rows.features[k] for k in resampled]
    replicates = shape_distances(features, test, tables["value"], *counts).mean(axis=1)
    low, high = distance_interval(values["value"], replicates)
    against_train = shape_distances(rows.features, train, tables["value"])
    metric = Metric(
        family="fidelity",
        value=values["value"],
        low=low,
        high=high,
        ideal=0.0,
        direction="lower",
        reference=fidelity_reference(values),
        description=(
            "Mean distance of single columns from held-out rows (KS for numbers, total variation "
            "for levels, missing included): 0 is the same distribution, 1 a disjoint one."
        ),
        extra={"against_train": float(against_train.mean())},
    )
    worst = np.argsort(-by_table["value"], kind="stable")
    details = [
        {
            "column": rows.features[k].name,
            **{name: float(by_table[name][k]) for name in ("value", "real", "independent")},
        }
        for k in worst
    ]
    return metric, details


def _pair_trends(
    rows: JudgedRows,
    tables: dict[str, FeatureTable],
    test: FeatureTable,
    train: FeatureTable,
    counts: tuple[np.ndarray, np.ndarray],
) -> tuple[Metric, list[dict[str, Any]]]:
    pairs = choose_pairs(len(rows.features))
    undefined = not pairs
    by_table = {k: trend_distances(rows.features, pairs, test, t)[0] for k, t in tables.items()}
    values = {k: None if undefined else float(d.mean()) for k, d in by_table.items()}
    low = high = against_train = None
    if values["value"] is not None:
        resampled = subsample(len(pairs), MAX_RESAMPLED_PAIRS, stream(rows.seed, "resampled pairs"))
        chosen = [pairs[k] for k in resampled]
        replicates = trend_distances(rows.features, chosen, test, tables["value"], *counts)
        low, high = distance_interval(values["value"], replicates.mean(axis=1))
        against = trend_distances(rows.features, pairs, train, tables["value"])
        against_train = float(against.mean())
    metric = Metric(
        family="fidelity",
        value=values["value"],
        low=low,
        high=high,
        ideal=0.0,
        direction="lower",
        reference=fidelity_reference(values),
        description=(
            "Mean distance of pairwise associations from held-out rows (half the difference of "
            "correlations, or total variation of contingency tables): 0 is the same."
        ),
        note="a single column has no pairs" if undefined else "",
        extra={"against_train": against_train},
    )
    worst = np.argsort(-by_table["value"], kind="stable")[:MAX_LISTED_PAIRS]
    details = [
        {
            "columns": [rows.features[k].name for k in pairs[p]],
            **{name: float(by_table[name][p]) for name in ("value", "real", "independent")},
        }
        for p in worst
    ]
    return metric, details


def _c2st(
    rows: JudgedRows,
    tables: dict[str, FeatureTable],
    test: FeatureTable,
    train: FeatureTable,
    n_bootstrap: int,
    n_jobs: int,
) -> Metric:
    fitted_on = rows.cut(rows.train, MAX_FIDELITY_ROWS, "design")
    design = DesignMatrix(rows.features, fitted_on, (test, *tables.values()))

    def run(real: FeatureTable, table: FeatureTable) -> TwoSampleTest:
        return c2st(
            design.transform(real),
            design.transform(table),
            stream(rows.seed, "c2st"),
            real_groups=real.groups,
            synthetic_groups=table.groups,
            max_rows=min(test.n_rows, MAX_C2ST_ROWS),
            n_jobs=n_jobs,
        )

    results = {name: run(test, table) for name, table in tables.items()}
    against_train = run(train, tables["value"]).auc
    scored = results["value"]
    low, high = scored.interval(stream(rows.seed, "c2st resamples"), n_bootstrap)
    return Metric(
        family="fidelity",
        value=scored.auc,
        low=low,
        high=high,
        ideal=0.5,
        direction="nearest to 0.5",
        reference=fidelity_reference({name: result.auc for name, result in results.items()}),
        description=(
            "AUC of a random forest that tells synthetic from held-out rows: 0.5 cannot, 1.0 "
            "always can. The extra figure against training rows falls below 0.5 for copies."
        ),
        extra={"against_train": against_train},
    )


def fidelity_reference(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Reference columns of a fidelity figure: a copy of train *is* the real rows there."""
    return {
        "real": values["real"],
        "independent": values["independent"],
        "copy": values["real"],
    }
