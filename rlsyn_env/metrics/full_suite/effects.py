"""Effect agreement: would a clinician read the same coefficients off the synthetic table?

The same logistic (or linear) model by statsmodels on real training rows and on synthetic rows,
predictors standardised by the training rows: mean absolute difference of coefficients (log odds
ratios or slopes per standard deviation) and the mean overlap of their 95 % confidence intervals
(Karr et al. 2006). With too few events per predictor, or where a fit separates the classes, an
adjusted model says nothing in either table; then every predictor is looked at by itself (crude
effects). More than two classes: each class but the most frequent against it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.full_suite.optional import import_optional, left_out
from rlsyn_env.metrics.predictive_task import PredictiveTask, missing_targets
from rlsyn_env.metrics.report import Metric

EVENTS_PER_PREDICTOR = 10
MAX_PREDICTORS = 100
MAX_PLAUSIBLE_ERROR = 25.0
"""A standard error above this (in standard deviations) is a separated fit, not an estimate."""


@dataclass(frozen=True)
class Effects:
    """Coefficients ``(p,)`` and their standard errors ``(p,)``; NaN where a fit failed."""

    coefficients: np.ndarray
    errors: np.ndarray

    @property
    def defined(self) -> np.ndarray:
        """Bool ``(p,)``: estimated, with an error that means something."""
        known = np.isfinite(self.coefficients) & np.isfinite(self.errors)
        return known & (self.errors > 0) & (self.errors < MAX_PLAUSIBLE_ERROR)


def interval_overlap(first: Effects, second: Effects) -> np.ndarray:
    """Overlap ``(p,)`` of 95 % intervals: mean of the shares of each that lie in the other.

    1 for equal intervals, 0 for disjoint ones.
    """
    low = [e.coefficients - 1.96 * e.errors for e in (first, second)]
    high = [e.coefficients + 1.96 * e.errors for e in (first, second)]
    common = np.maximum(np.minimum(*high) - np.maximum(*low), 0.0)
    overlap: np.ndarray = 0.5 * (common / (high[0] - low[0]) + common / (high[1] - low[1]))
    return overlap


def fit_effects(
    sm: ModuleType, rows: np.ndarray, outcome: np.ndarray, *, logistic: bool, adjusted: bool
) -> Effects:
    """Fit statsmodels' Logit or OLS with an intercept; one model, or one per column.

    Args:
        sm: the module ``statsmodels.api``.
        rows: ``(n, p)`` predictors.
        outcome: ``(n,)`` 0/1, or values.
        logistic: Logit instead of OLS.
        adjusted: one model of all columns instead of one per column.
    """
    n_columns = rows.shape[1]
    coefficients, errors = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    blocks = [np.arange(n_columns)] if adjusted else [np.array([k]) for k in range(n_columns)]
    if len(np.unique(outcome)) < 2:
        return Effects(coefficients, errors)
    for block in blocks:
        x = sm.add_constant(rows[:, block], has_constant="add")
        if np.linalg.matrix_rank(x) < x.shape[1]:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # separation and slow convergence are judged below
            try:
                if logistic:
                    fit = sm.Logit(outcome, x).fit(disp=0, maxiter=100)
                    if not fit.mle_retvals["converged"]:
                        continue
                else:
                    fit = sm.OLS(outcome, x).fit()
            except np.linalg.LinAlgError:
                continue  # perfectly separated classes: there is no estimate, it stays NaN
        coefficients[block], errors[block] = fit.params[1:], fit.bse[1:]
    return Effects(coefficients, errors)


def judge_effects(context: Context) -> Findings:
    """Return ``effect_bias`` and ``effect_overlap``; a notice without statsmodels."""
    task = context.task
    if task is None:
        return Findings({})
    sm = import_optional("statsmodels.api")
    if sm is None:
        return Findings({}, notices=(left_out("statsmodels", "effect agreement is"),))
    columns, predictors = _predictors(task)
    if not columns:
        return Findings({}, notices=("no predictor varies: effect agreement is left out",))
    tables = {"real": "train", "value": "synthetic", "independent": "independent", "test": "test"}
    for adjusted in (True, False):
        if adjusted and not _enough_events(task, len(columns)):
            continue
        fits = {
            key: _all_outcomes(sm, task, table, predictors, adjusted)
            for key, table in tables.items()
        }
        shared = fits["real"].defined & fits["value"].defined
        if shared.sum() >= 0.5 * fits["real"].defined.sum() > 0:
            return _findings(task, fits, columns, adjusted)
    return Findings(
        {}, notices=("no effect can be estimated in both tables: effect agreement is left out",)
    )


def _predictors(task: PredictiveTask) -> tuple[list[str], np.ndarray]:
    """Labels and positions of matrix columns that vary in training rows, without duplicates.

    Levels are taken against the commonest one.
    """
    rows = task.rows["train"]
    labels = task.design.labels(without=task.target)
    kept: list[int] = []
    varying = np.flatnonzero(rows.std(axis=0) > 1e-9)
    varying = np.setdiff1d(varying, task.design.commonest_levels(without=task.target))
    for k in varying[: MAX_PREDICTORS * 2].tolist():
        trial = [*kept, k]
        if np.linalg.matrix_rank(rows[:, trial]) == len(trial):
            kept = trial
        if len(kept) == MAX_PREDICTORS:
            break
    return [labels[k] for k in kept], np.array(kept, dtype=np.int64)


def _enough_events(task: PredictiveTask, n_predictors: int) -> bool:
    train = task.targets["train"]
    known = train[~missing_targets(train)]
    events = np.bincount(known)[np.unique(known)].min() if task.classes else len(known)
    return bool(events >= EVENTS_PER_PREDICTOR * n_predictors)


def _outcomes(task: PredictiveTask) -> Iterator[tuple[int, int]]:
    train = task.targets["train"]
    codes, sizes = np.unique(train[train >= 0], return_counts=True)
    # With two classes the second one is the event, however frequent: the usual reading of 0/1.
    base = int(codes[0]) if len(codes) == 2 else int(codes[np.argmax(sizes)])
    for code in codes.tolist():
        if code != base:
            yield base, code


def _all_outcomes(
    sm: ModuleType, task: PredictiveTask, table: str, predictors: np.ndarray, adjusted: bool
) -> Effects:
    rows, targets = task.rows[table][:, predictors], task.targets[table]
    if not task.classes:
        known = ~np.isnan(targets)
        scale = float(np.nanstd(task.targets["train"])) or 1.0
        return fit_effects(
            sm, rows[known], targets[known] / scale, logistic=False, adjusted=adjusted
        )
    parts = []
    for base, event in _outcomes(task):
        known = (targets == base) | (targets == event)
        outcome = (targets[known] == event).astype(np.float64)
        parts.append(fit_effects(sm, rows[known], outcome, logistic=True, adjusted=adjusted))
    return Effects(
        np.concatenate([p.coefficients for p in parts]), np.concatenate([p.errors for p in parts])
    )


def _findings(
    task: PredictiveTask, fits: dict[str, Effects], columns: list[str], adjusted: bool
) -> Findings:
    truth = fits["real"]

    def agreement(other: Effects) -> tuple[float, float]:
        shared = truth.defined & other.defined
        if not shared.any():
            return float("nan"), float("nan")
        difference = np.abs(other.coefficients - truth.coefficients)[shared]
        return float(difference.mean()), float(interval_overlap(truth, other)[shared].mean())

    found = {key: agreement(fits[key]) for key in ("value", "test", "independent")}
    shared = truth.defined & fits["value"].defined
    kind = "one adjusted model" if adjusted else "crude effects, one model per predictor"
    model = "logistic" if task.classes else "linear"
    unit = "log odds ratios" if task.classes else "standardised slopes"
    note = f"{int(shared.sum())} of {len(shared)} coefficients can be estimated in both tables"
    bias = {key: values[0] for key, values in found.items()}
    overlap = {key: values[1] for key, values in found.items()}
    metrics = {
        "effect_bias": _metric(
            bias,
            ideal=0.0,
            description=(
                f"Mean absolute difference of {model} model coefficients ({unit} per standard "
                f"deviation, {kind}) from those of the real training rows; real rows: of the test "
                "rows."
            ),
            note=note,
        ),
        "effect_overlap": _metric(
            overlap,
            ideal=1.0,
            description=(
                f"Mean overlap of the coefficients' 95 % confidence intervals ({model} model, "
                f"{kind}), synthetic against real training rows: 1 is equal, 0 disjoint."
            ),
            note=note,
        ),
    }
    labels = [c if k == 0 else f"{c}, outcome {k + 1}" for k in range(len(shared)) for c in columns]
    overlaps = interval_overlap(truth, fits["value"])
    details = [
        {
            "predictor": labels[k],
            "real": float(truth.coefficients[k]),
            "value": float(fits["value"].coefficients[k]),
            "overlap": float(overlaps[k]),
        }
        for k in np.flatnonzero(shared)[np.argsort(overlaps[shared], kind="stable")].tolist()
    ]
    return Findings(metrics, {"effects": details})


def _metric(values: dict[str, float], *, ideal: float, description: str, note: str) -> Metric:
    return Metric(
        family="utility",
        value=values["value"],
        low=None,  # models are not refitted for intervals
        high=None,
        ideal=ideal,
        direction="lower" if ideal == 0.0 else "higher",
        reference={"real": values["test"], "independent": values["independent"], "copy": ideal},
        description=description,
        note=note,
    )
