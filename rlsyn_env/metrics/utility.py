"""Utility: is a model trained on synthetic rows as good on real ones as a model of real rows?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rlsyn_env.metrics.bootstrap import (
    weighted_auc,
    weighted_average_precision,
    weighted_r2,
    weighted_rmse,
)

N_TREES = 200
MIN_SAMPLES_LEAF = 2

_WeightedScore = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class UtilityScores:
    """Predictions of two kinds of model for the same scored rows.

    Attributes:
        truth: ``(n,)`` int64 class codes, or float64 values.
        predictions: by model name, ``(n, K)`` class probabilities or ``(n,)`` values.
        note: what was odd about the training rows, empty if nothing was.
    """

    truth: np.ndarray
    predictions: Mapping[str, np.ndarray]
    note: str = ""

    @property
    def is_r2(self) -> bool:
        """True when the scores are R2 values, False when they are AUROC values."""
        return self.truth.dtype.kind == "f"

    def by_model(self, counts: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Score ``(B,)`` of each model for B resamples of the rows; all rows once for None.

        Classes: macro one-vs-rest AUROC over the classes present among the scored rows; NaN where
        a resample has one class. Values: R2.
        """
        return self._by_model(weighted_r2 if self.is_r2 else weighted_auc, counts)

    def second_by_model(self, counts: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Like :meth:`by_model`: macro area under the precision-recall curve, or RMSE."""
        second = weighted_rmse if self.is_r2 else weighted_average_precision
        return self._by_model(second, counts)

    def _by_model(self, score: _WeightedScore, counts: np.ndarray | None) -> dict[str, np.ndarray]:
        weights = np.ones((1, len(self.truth))) if counts is None else counts
        if self.is_r2:
            return {k: score(self.truth, p, weights) for k, p in self.predictions.items()}
        classes = np.unique(self.truth)
        scores = {}
        for name, probabilities in self.predictions.items():
            per_class = np.array(
                [score(probabilities[:, c], self.truth == c, weights) for c in classes]
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # all NaN: one class in a resample
                scores[name] = np.nanmean(per_class, axis=0)
        return scores

    def score(self, counts: np.ndarray | None = None) -> np.ndarray:
        """Mean ``(B,)`` of the models' scores."""
        mean: np.ndarray = np.mean(list(self.by_model(counts).values()), axis=0)
        return mean


def classification_utility(
    train: np.ndarray,
    train_classes: np.ndarray,
    scored: np.ndarray,
    scored_classes: np.ndarray,
    *,
    seed: int,
    n_jobs: int = 1,
    models: Mapping[str, Any] | None = None,
) -> UtilityScores:
    """Train a logistic regression and a random forest on one table, score them on another.

    A class that the training rows lack gets probability 0 everywhere, hence AUROC 0.5; training
    rows of a single class (or none) therefore score 0.5 and say so in ``note``.

    Args:
        train: ``(n, k)`` float training rows.
        train_classes: int64 ``(n,)``; rows with code -1 (missing) are not used.
        scored: ``(m, k)`` rows to score on.
        scored_classes: int64 ``(m,)`` without -1.
        seed: seed of the forest.
        n_jobs: threads of the forest.
        models: other scikit-learn classifiers by name in place of these two.
    """
    known = train_classes >= 0
    x, y = train[known], train_classes[known]
    present = np.unique(y)
    n_classes = int(max(scored_classes.max(), y.max(initial=0))) + 1
    predictions = {}
    for name, model in (models or _classifiers(seed, n_jobs)).items():
        probabilities = np.zeros((len(scored), n_classes))
        if len(present) >= 2:
            probabilities[:, present] = class_scores(fit_model(model, x, y), scored)
        predictions[name] = probabilities
    note = ""
    if len(present) < 2:
        held = "one class" if len(present) == 1 else "no value"
        note = f"the target has {held} in the training rows of the model: AUROC is 0.5 by rule"
    else:
        absent = np.setdiff1d(np.unique(scored_classes), present)
        if len(absent):
            note = (
                f"{len(absent)} class(es) of the scored rows never occur in the training rows of "
                "the model: each counts as AUROC 0.5"
            )
    return UtilityScores(scored_classes, predictions, note)


def regression_utility(
    train: np.ndarray,
    train_values: np.ndarray,
    scored: np.ndarray,
    scored_values: np.ndarray,
    *,
    seed: int,
    n_jobs: int = 1,
    models: Mapping[str, Any] | None = None,
) -> UtilityScores:
    """Train a ridge regression and a random forest on one table, score R2 on another.

    Arguments as in :func:`classification_utility`, with float targets and NaN for missing. When
    fewer than two training rows have a target nothing can be learned: the prediction is the mean
    of the scored rows, R2 is 0 by rule, and ``note`` says so.
    """
    known = ~np.isnan(train_values)
    x, y = train[known], train_values[known]
    predictions = {}
    note = ""
    for name, model in (models or _regressors(seed, n_jobs)).items():
        if len(y) < 2:
            note = "the target has no values in the training rows of the model: R2 is 0 by rule"
            predictions[name] = np.full(len(scored), scored_values.mean())
        else:
            predictions[name] = np.asarray(fit_model(model, x, y).predict(scored), dtype=np.float64)
    return UtilityScores(scored_values, predictions, note)


def utility_ratio(synthetic: np.ndarray, real: np.ndarray, *, is_r2: bool) -> np.ndarray:
    """S2R / R2R ``(B,)``.

    R2 may be 0 or negative, where a ratio means nothing: it is NaN unless R2R is above 0.05, and
    a negative S2R counts as 0 (a model worse than the mean is of no use, not of negative use).
    """
    usable = real > (0.05 if is_r2 else 0.0)
    above = np.maximum(synthetic, 0.0) if is_r2 else synthetic
    return np.divide(above, real, out=np.full(len(real), np.nan), where=usable)


def _classifiers(seed: int, n_jobs: int) -> dict[str, Any]:
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "forest": RandomForestClassifier(
            N_TREES, min_samples_leaf=MIN_SAMPLES_LEAF, n_jobs=n_jobs, random_state=seed
        ),
    }


def _regressors(seed: int, n_jobs: int) -> dict[str, Any]:
    return {
        "ridge": make_pipeline(StandardScaler(), Ridge(alpha=1.0)),
        "forest": RandomForestRegressor(
            N_TREES,
            min_samples_leaf=MIN_SAMPLES_LEAF,
            max_features=1 / 3,  # Breiman's default for regression, and a third of the time
            n_jobs=n_jobs,
            random_state=seed,
        ),
    }


def class_scores(model: Any, rows: np.ndarray) -> np.ndarray:
    """Score ``(n, K)`` of every class of a fitted classifier, higher is likelier.

    Probabilities where the model has them, decision values (a support vector machine) otherwise.
    """
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows), dtype=np.float64)
    decision = np.asarray(model.decision_function(rows), dtype=np.float64)
    return decision if decision.ndim == 2 else np.column_stack([-decision, decision])


def fit_model(model: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """Fit a scikit-learn model on ``x (n, k)`` and ``y (n,)`` and return it."""
    with warnings.catch_warnings():
        # A logistic regression of separable rows need not converge; its ranking is still scored.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)
