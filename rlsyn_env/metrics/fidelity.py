"""Fidelity: does the synthetic table look like rows that nobody trained on?

Column shapes and pair trends live in modules of their own; here is the classifier two-sample test
(C2ST, Lopez-Paz & Oquab 2017).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from rlsyn_env.metrics.bootstrap import percentile_interval, resample_counts, weighted_auc
from rlsyn_env.metrics.column_shapes import column_shape_table, column_shapes
from rlsyn_env.metrics.pair_trends import pair_trend_table, pair_trends
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.rows import MAX_C2ST_ROWS

__all__ = [
    "TwoSampleTest",
    "c2st",
    "column_shape_table",
    "column_shapes",
    "logistic_judge",
    "pair_trend_table",
    "pair_trends",
]

N_FOLDS = 5
N_TREES = 200
MIN_SAMPLES_LEAF = 2

Judge = Callable[[int, int], Any]
"""(seed, n_jobs) -> a classifier that has ``fit`` and ``predict_proba``."""


@dataclass(frozen=True)
class TwoSampleTest:
    """Cross-validated scores of the rows that took part.

    Attributes:
        auc: area under the ROC curve of "real" against "synthetic"; 0.5 when they cannot be told
            apart, below 0.5 when synthetic rows are copies of the real ones they are told from.
        scores: float64 ``(n,)``, probability of being real.
        is_real: bool ``(n,)``.
        groups: int64 ``(n,)`` group of each row, or None.
    """

    auc: float
    scores: np.ndarray
    is_real: np.ndarray
    groups: np.ndarray | None

    def interval(
        self, rng: np.random.Generator, n_bootstrap: int
    ) -> tuple[float | None, float | None]:
        """Return the 95 % interval of ``auc``, from resamples of the scored rows (or groups)."""
        counts = resample_counts(
            rng, n_bootstrap, len(self.scores), groups=self.groups, strata=self.is_real
        )
        return percentile_interval(weighted_auc(self.scores, self.is_real, counts))


def forest_judge(seed: int, n_jobs: int) -> RandomForestClassifier:
    """Return the judge that counts: it sees dependences of any kind."""
    return RandomForestClassifier(
        N_TREES, min_samples_leaf=MIN_SAMPLES_LEAF, n_jobs=n_jobs, random_state=seed
    )


def logistic_judge(seed: int, n_jobs: int) -> LogisticRegression:
    """Return a linear judge, which hardly sees more than the means of columns."""
    return LogisticRegression(max_iter=1000, random_state=seed)


def c2st(
    real: np.ndarray,
    synthetic: np.ndarray,
    rng: np.random.Generator,
    *,
    real_groups: np.ndarray | None = None,
    synthetic_groups: np.ndarray | None = None,
    max_rows: int = MAX_C2ST_ROWS,
    n_jobs: int = 1,
    judge: Judge = forest_judge,
) -> TwoSampleTest:
    """Classifier two-sample test: can a random forest tell synthetic from real rows?

    Equal numbers of rows (at most ``max_rows`` each, drawn without replacement), 5 stratified
    folds, scores of the rows left out pooled into one AUC. With groups, all rows of a group fall
    into the same fold: otherwise days of one patient would give each other away as real.

    Args:
        real: ``(n, k)`` float, finite.
        synthetic: ``(m, k)`` float, finite.
        rng: source of the subsample, the folds and the forests.
        real_groups: int ``(n,)`` or None.
        synthetic_groups: int ``(m,)`` or None; synthetic rows are their own groups by default.
        max_rows: most rows per class.
        n_jobs: threads for the forest.
        judge: builds the classifier of each fold; a random forest by default.

    Raises:
        ValueError: fewer than 2 rows (or groups) in a class.
    """
    size = min(len(real), len(synthetic), max_rows)
    real_rows = subsample(len(real), size, rng)
    synthetic_rows = subsample(len(synthetic), size, rng)
    rows = np.concatenate([real[real_rows], synthetic[synthetic_rows]])
    is_real = np.arange(2 * size) < size
    groups = None
    if real_groups is not None or synthetic_groups is not None:
        a = np.arange(len(real)) if real_groups is None else real_groups
        b = np.arange(len(synthetic)) if synthetic_groups is None else synthetic_groups
        groups = np.concatenate([a[real_rows], b[synthetic_rows] + int(a.max()) + 1])
    n_units = (
        size
        if groups is None
        else min(len(np.unique(groups[is_real])), len(np.unique(groups[~is_real])))
    )
    if n_units < 2:
        raise ValueError("a two-sample test needs at least 2 rows (2 groups) of each kind")
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    seeds = rng.integers(2**31, size=N_FOLDS + 1)
    folds = splitter(min(N_FOLDS, n_units), shuffle=True, random_state=int(seeds[-1]))
    scores = np.full(2 * size, 0.5)
    for seed, (fit, held_out) in zip(seeds, folds.split(rows, is_real, groups), strict=False):
        if len(held_out) == 0 or len(np.unique(is_real[fit])) < 2:
            continue  # large groups can leave a fold without rows or without a class to learn
        classifier = judge(int(seed), n_jobs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # separable rows: still ranked
            classifier.fit(rows[fit], is_real[fit])
        scores[held_out] = classifier.predict_proba(rows[held_out])[:, 1]
    auc = float(weighted_auc(scores, is_real, np.ones((1, 2 * size)))[0])
    return TwoSampleTest(auc, scores, is_real, groups)
