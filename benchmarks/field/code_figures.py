"""Figures on plain numeric codes: levels by their number, missing levels as -1.

They are the form in which the project's targets are stated; the judge's own forest sees one-hot
levels and flags for missing values.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from rlsyn_env.metrics.preparation import FeatureTable, subsample

MAX_ROWS = 2_000
N_TREES = 200
MIN_SAMPLES_LEAF = 2


def code_matrix(table: FeatureTable) -> np.ndarray:
    """Return float64 ``(n, k)``: numbers with NaN for missing, level codes with -1 for missing."""
    return np.column_stack([values.astype(np.float64) for values in table.columns.values()])


def forest_two_sample_auc(real: np.ndarray, synthetic: np.ndarray, seed: int) -> float:
    """AUC of a random forest that tells two matrices ``(n, k)``, ``(m, k)`` apart.

    Equal numbers of rows (at most 2,000 each), 200 trees with at least 2 rows in a leaf, 5
    stratified folds; 0.5 is the ideal.
    """
    size = min(len(real), len(synthetic), MAX_ROWS)
    rng = np.random.default_rng(seed)
    parts = [matrix[subsample(len(matrix), size, rng)] for matrix in (real, synthetic)]
    is_real = np.repeat([1, 0], size)
    forest = RandomForestClassifier(N_TREES, min_samples_leaf=MIN_SAMPLES_LEAF, random_state=seed)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    scores = cross_val_predict(forest, np.vstack(parts), is_real, cv=folds, method="predict_proba")[
        :, 1
    ]
    return float(roc_auc_score(is_real, scores))


def correlation_difference(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Mean absolute difference of two correlation matrices, the diagonal included.

    Every pair uses the rows where both columns have a value. A column without variance in
    ``real`` is left out; one without variance (or without a pair of values) in ``synthetic``
    alone counts as correlation 0. NaN when no column is left.
    """
    varies = np.nanstd(real, axis=0) > 1e-12
    if not varies.any():
        return float("nan")
    first, second = correlations(real[:, varies]), correlations(synthetic[:, varies])
    difference = np.abs(first - np.nan_to_num(second))
    return float(np.nanmean(difference))


def correlations(matrix: np.ndarray) -> np.ndarray:
    """Pearson correlations ``(k, k)`` of the columns, NaN left out pair by pair; diagonal 1."""
    known = (~np.isnan(matrix)).astype(np.float64)
    values = np.where(known > 0, matrix - np.nanmean(np.where(known > 0, matrix, np.nan)), 0.0)
    n = known.T @ known
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_i = (values.T @ known) / n  # mean of column i over the rows where j has a value
        second_i = ((values**2).T @ known) / n
        covariance = (values.T @ values) / n - mean_i * mean_i.T
        variance = np.maximum(second_i - mean_i**2, 0.0)
        result: np.ndarray = covariance / np.sqrt(variance * variance.T)
    result[~np.isfinite(result)] = np.nan
    np.fill_diagonal(result, 1.0)
    return np.clip(result, -1.0, 1.0)
