"""Utility figures of an evaluation, with intervals and references."""

from __future__ import annotations

import numpy as np

from rlsyn_env.metrics.bootstrap import percentile_interval
from rlsyn_env.metrics.predictive_task import predictive_task
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import JudgedRows
from rlsyn_env.metrics.utility import UtilityScores, utility_ratio


def judge_utility(
    rows: JudgedRows, target: str, *, classes: bool, n_bootstrap: int, n_jobs: int
) -> tuple[dict[str, Metric], list[str]]:
    """Return s2r, r2r and s2r_over_r2r, and notices.

    All models are scored on the same test rows, those whose target is missing left out. With
    ``classes`` the target is predicted as classes even where it is a column of (few) numbers.
    """
    task, notices = predictive_task(rows, target, classes=classes, n_bootstrap=n_bootstrap)
    if task is None:
        return _metrics(None, None, None, np.zeros((0, 0)), not classes), notices
    synthetic, train, independent = (
        task.score(name, n_jobs=n_jobs) for name in ("synthetic", "train", "independent")
    )
    return _metrics(synthetic, train, independent, task.counts, not classes), notices


def _metrics(
    synthetic: UtilityScores | None,
    train: UtilityScores | None,
    independent: UtilityScores | None,
    counts: np.ndarray,
    is_r2: bool,
) -> dict[str, Metric]:
    """Build the three figures; all undefined where no row could be scored (None)."""
    score = "R2" if is_r2 else "AUROC"
    models = (
        "ridge regression and random forest" if is_r2 else ("logistic regression and random forest")
    )
    s2r, r2r, floor = _value(synthetic), _value(train), _value(independent)
    s2r_low, s2r_high = _interval(synthetic, counts)
    r2r_low, r2r_high = _interval(train, counts)
    return {
        "s2r": Metric(
            family="utility",
            value=s2r,
            low=s2r_low,
            high=s2r_high,
            ideal=1.0,
            direction="higher",
            reference={"real": r2r, "independent": floor, "copy": r2r},
            description=(
                f"Mean {score} on held-out real rows of {models} trained on synthetic rows."
            ),
            note="" if synthetic is None else synthetic.note,
            extra=_by_model(synthetic),
        ),
        "r2r": Metric(
            family="utility",
            value=r2r,
            low=r2r_low,
            high=r2r_high,
            ideal=1.0,
            direction="higher",
            reference={"real": r2r, "independent": None, "copy": None},
            description=(
                f"Mean {score} on the same held-out rows of the same models trained on the real "
                "training rows; it does not depend on the synthetic table."
            ),
            note="" if train is None else train.note,
            extra=_by_model(train),
        ),
        "s2r_over_r2r": ratio_metric(synthetic, train, independent, counts, is_r2=is_r2),
    }


def ratio_metric(
    synthetic: UtilityScores | None,
    train: UtilityScores | None,
    independent: UtilityScores | None,
    counts: np.ndarray,
    *,
    is_r2: bool,
) -> Metric:
    """Return S2R / R2R from the scores of models of each table, ``counts (B, n)`` resamples."""
    r2r = _value(train)
    ratios = {
        name: float(utility_ratio(np.array([_value(s)]), np.array([r2r]), is_r2=is_r2)[0])
        for name, s in (("value", synthetic), ("real", train), ("independent", independent))
    }
    low = high = None
    if synthetic is not None and train is not None:
        low, high = percentile_interval(
            utility_ratio(synthetic.score(counts), train.score(counts), is_r2=is_r2)
        )
    return Metric(
        family="utility",
        value=ratios["value"],
        low=low,
        high=high,
        ideal=1.0,
        direction="higher",
        reference={
            "real": ratios["real"],
            "independent": ratios["independent"],
            "copy": ratios["real"],
        },
        description=(
            "Share of the real rows' predictive value that the synthetic rows keep (S2R / R2R)"
            + ("; a negative S2R counts as 0." if is_r2 else ".")
        ),
        note=(
            "R2R is too low for a ratio to mean anything"
            if is_r2 and train is not None and not np.isfinite(ratios["value"])
            else ""
        ),
    )


def _value(scores: UtilityScores | None) -> float:
    return float("nan") if scores is None else float(scores.score()[0])


def _interval(
    scores: UtilityScores | None, counts: np.ndarray
) -> tuple[float | None, float | None]:
    return (None, None) if scores is None else percentile_interval(scores.score(counts))


def _by_model(scores: UtilityScores | None) -> dict[str, float | None]:
    if scores is None:
        return {}
    return {name: float(values[0]) for name, values in scores.by_model().items()}
