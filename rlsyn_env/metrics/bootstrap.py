"""Bootstrap intervals by resampling scored rows, or whole groups of them.

A resample is a row of *counts* (how often each row was drawn), so that one figure for all
resamples is a few matrix operations. Models are never fitted again: intervals say how much a
figure depends on which rows were scored, not on the luck of training.
"""

from __future__ import annotations

import zlib

import numpy as np

LEVEL = 0.95
"""Coverage aimed at by every interval."""


def stream(seed: int, name: str) -> np.random.Generator:
    """Return a random generator of its own for the purpose ``name``.

    Figures then do not depend on which other figures were computed before them.
    """
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def resample_counts(
    rng: np.random.Generator,
    n_resamples: int,
    n_rows: int,
    *,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> np.ndarray:
    """Draw resamples with replacement and return counts, float64 ``(n_resamples, n_rows)``.

    Args:
        rng: source of randomness.
        n_resamples: number of resamples.
        n_rows: number of rows.
        groups: int ``(n_rows,)``: rows of one group are drawn together.
        strata: ``(n_rows,)``: every stratum keeps its number of rows (of groups, if given), so
            that no resample loses a class.
    """
    counts = np.zeros((n_resamples, n_rows))
    labels = np.zeros(n_rows, dtype=np.int64) if strata is None else strata
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if groups is None:
            units = np.arange(len(rows))
            n_units = len(rows)
        else:
            uniques, units = np.unique(groups[rows], return_inverse=True)
            n_units = len(uniques)
        draws = rng.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=n_resamples)
        counts[:, rows] = draws[:, units]
    return counts


def weighted_auc(scores: np.ndarray, positive: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for every resample, ties counted half (Mann-Whitney).

    Args:
        scores: float ``(n,)``, finite.
        positive: bool ``(n,)``.
        counts: ``(B, n)`` counts or weights.

    Returns:
        float64 ``(B,)``; NaN where a resample has rows of one class only.

    Raises:
        ValueError: a score is NaN or infinite.
    """
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite: a NaN would silently rank somewhere")
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    ties = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    weights = counts[:, order]
    wins = np.add.reduceat(weights * positive[order], ties, axis=1)
    losses = np.add.reduceat(weights * ~positive[order], ties, axis=1)
    below = np.cumsum(losses, axis=1) - losses
    pairs = wins.sum(axis=1) * losses.sum(axis=1)
    ranked_pairs = (wins * (below + 0.5 * losses)).sum(axis=1)
    return np.divide(ranked_pairs, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def weighted_r2(truth: np.ndarray, predicted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Coefficient of determination for every resample.

    ``truth`` and ``predicted`` are ``(n,)``, ``counts`` is ``(B, n)``; returns float64 ``(B,)``,
    NaN where the truth of a resample does not vary.
    """
    centred = truth - truth.mean()
    total = counts.sum(axis=1)
    mean = np.divide(counts @ centred, total, out=np.zeros_like(total), where=total > 0)
    spread = counts @ centred**2 - total * mean**2
    residual = counts @ (truth - predicted) ** 2
    varies = spread > 1e-12 * total * float(np.mean(centred**2))
    return 1.0 - np.divide(residual, spread, out=np.full(len(counts), np.nan), where=varies)


def weighted_average_precision(
    scores: np.ndarray, positive: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Area under the precision-recall curve (a sum of steps) for every resample.

    Arguments and undefined resamples as in :func:`weighted_auc`; rows of equal score enter
    together, so their order does not matter.
    """
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite: a NaN would silently rank somewhere")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ties = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    weights = counts[:, order]
    hits = np.add.reduceat(weights * positive[order], ties, axis=1)
    drawn = np.cumsum(np.add.reduceat(weights, ties, axis=1), axis=1)
    precision = np.divide(np.cumsum(hits, axis=1), drawn, out=np.zeros_like(drawn), where=drawn > 0)
    total = hits.sum(axis=1)
    defined = (total > 0) & (total < weights.sum(axis=1))
    area = (hits * precision).sum(axis=1)
    return np.divide(area, total, out=np.full(len(counts), np.nan), where=defined)


def weighted_rmse(truth: np.ndarray, predicted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Root mean squared error for every resample; arguments as in :func:`weighted_r2`."""
    total = counts.sum(axis=1)
    squared = counts @ (truth - predicted) ** 2
    return np.sqrt(np.divide(squared, total, out=np.full(len(counts), np.nan), where=total > 0))


def percentile_interval(replicates: np.ndarray) -> tuple[float | None, float | None]:
    """Central 95 % of the replicates ``(B,)``; (None, None) when fewer than half are defined."""
    defined = replicates[np.isfinite(replicates)]
    if len(defined) == 0 or 2 * len(defined) < len(replicates):
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def distance_interval(
    value: float, replicates: np.ndarray, *, lower: float = 0.0, upper: float = 1.0
) -> tuple[float | None, float | None]:
    """Interval for a distance between two samples, clipped to [lower, upper].

    Resampling adds sampling noise of its own to a distance, so replicates lie above the value
    (a copy has distance 0, resampled copies never do). They are shifted back by their mean excess
    before the quantiles are taken.
    """
    defined = replicates[np.isfinite(replicates)]
    if len(defined) == 0:
        return None, None
    low, high = percentile_interval(defined - defined.mean() + value)
    if low is None or high is None:
        return None, None
    return float(np.clip(low, lower, upper)), float(np.clip(high, lower, upper))
