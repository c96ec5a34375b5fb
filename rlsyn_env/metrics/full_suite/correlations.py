"""CWC: column-wise correlation distance, as in the paper."""

from __future__ import annotations

import numpy as np

from rlsyn_env.metrics.full_suite.context import Context, Findings, distance_metric
from rlsyn_env.metrics.preparation import FeatureTable, subsample

# Intervals of wide tables resample a fixed random part of the matrix columns: the root mean square
# over 300 x 300 correlations spreads about as that over all does, at a bounded cost.
MAX_RESAMPLED_COLUMNS = 300
WIDE = 400


def correlation_distance(real: np.ndarray, synthetic: np.ndarray) -> float:
    """Frobenius norm of the difference of two correlation matrices, over n^2, times 1e6.

    Args:
        real: ``(n_rows, n)`` matrix.
        synthetic: ``(m_rows, n)`` matrix. Columns without variance in either are dropped from
            both; n is the number that is left. NaN when none is.
    """
    varies = (real.std(axis=0) > 1e-12) & (synthetic.std(axis=0) > 1e-12)
    n = int(varies.sum())
    if n == 0:
        return float("nan")
    first, second = (
        np.atleast_2d(np.corrcoef(m[:, varies], rowvar=False)) for m in (real, synthetic)
    )
    return float(1e6 * np.linalg.norm(first - second) / n**2)


def judge_correlations(context: Context) -> Findings:
    """Return ``cwc`` over the standardised matrix: numbers and one-hot levels."""

    n_columns = context.design.transform(context.test.take(np.arange(1))).shape[1]
    resampled = n_columns if n_columns <= WIDE else MAX_RESAMPLED_COLUMNS

    def distances(
        real: FeatureTable,
        synthetic: FeatureTable,
        real_counts: np.ndarray | None,
        synthetic_counts: np.ndarray | None,
    ) -> np.ndarray:
        first, second = (context.design.transform(table) for table in (real, synthetic))
        if real_counts is None or synthetic_counts is None:
            return np.array([correlation_distance(first, second)])
        if resampled < n_columns:
            chosen = subsample(n_columns, resampled, context.stream("cwc columns"))
            first, second = first[:, chosen], second[:, chosen]
        found = [
            correlation_distance(_drawn(first, a), _drawn(second, b))
            for a, b in zip(real_counts, synthetic_counts, strict=True)
        ]
        # The norm grows with n and is divided by n squared: as if all columns had been used.
        return np.array(found) * (resampled / n_columns)

    notices: tuple[str, ...] = ()
    if resampled < n_columns:
        notices = (f"the interval of cwc resamples {resampled} of {n_columns:,} matrix columns",)
    metric = distance_metric(
        context,
        "cwc",
        distances,
        "Distance of the correlation matrices (numbers and one-hot levels) from held-out rows: "
        "Frobenius norm over the squared number of columns, times 1,000,000.",
        work=4.0 * context.test.n_rows * resampled**2 + 500.0 * context.test.n_rows * resampled,
    )
    return Findings({"cwc": metric}, notices=notices)


def _drawn(rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Repeat every row of ``rows (n, k)`` as often as ``counts (n,)`` says."""
    drawn: np.ndarray = rows[np.repeat(np.arange(len(rows)), counts.astype(np.int64))]
    return drawn
