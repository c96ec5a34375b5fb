"""CWC: column-wise correlation distance, as in the paper."""

from __future__ import annotations

import numpy as np

from rlsyn_env.metrics.full_suite.context import Context, Findings, distance_metric
from rlsyn_env.metrics.preparation import FeatureTable


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

    def distance(real: FeatureTable, synthetic: FeatureTable) -> float:
        transform = context.design.transform
        return correlation_distance(transform(real), transform(synthetic))

    n_columns = context.design.transform(context.test.take(np.arange(1))).shape[1]
    metric = distance_metric(
        context,
        "cwc",
        distance,
        "Distance of the correlation matrices (numbers and one-hot levels) from held-out rows: "
        "Frobenius norm over the squared number of columns, times 1,000,000.",
        work=4.0 * context.test.n_rows * n_columns**2 + 500.0 * context.test.n_rows * n_columns,
    )
    return Findings({"cwc": metric})
