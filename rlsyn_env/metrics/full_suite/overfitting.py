"""DCR share and NNDR: an overfitting check, **not** a privacy figure.

Distances to the closest record say whether synthetic rows lie nearer to training than to other
real rows. A generator can pass and still give single people away (arXiv 2312.05114, 2505.01524).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import norm
from sklearn.neighbors import NearestNeighbors

from rlsyn_env.metrics.bootstrap import LEVEL, percentile_interval, resample_counts
from rlsyn_env.metrics.full_suite.attack_rows import AttackRows, over_halves, parts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.privacy import nearest_distances
from rlsyn_env.metrics.report import Metric

MAX_ROWS = 5_000
N_PARTS = 10  # of train and test, for the interval of the share nearer to train


def nearer_to_train(
    rows: np.ndarray, train: np.ndarray, test: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Float ``(n,)``: 1 where a row is nearer to train than to test, 0.5 for equal distances.

    Both are cut to the same number of rows: the larger one would win by its size.
    """
    size = min(len(train), len(test))
    to_train = nearest_distances(rows, train[subsample(len(train), size, rng)])
    to_test = nearest_distances(rows, test[subsample(len(test), size, rng)])
    return np.where(to_train == to_test, 0.5, to_train < to_test).astype(np.float64)


def spread_by_reference(
    rows: np.ndarray, train: Sequence[np.ndarray], test: Sequence[np.ndarray]
) -> float:
    """Standard error of the share of ``rows`` nearer to train, by which real rows there are.

    By batch means: the share with each of K disjoint parts of both, the variance of which falls
    with the number of reference rows.

    Args:
        rows: ``(n, k)``.
        train, test: K > 1 arrays ``(m, k)`` each, of about as many rows.
    """
    shares = []
    for parts_of_both in zip(train, test, strict=True):
        a, b = (nearest_distances(rows, part) for part in parts_of_both)
        shares.append(np.where(a == b, 0.5, a < b).mean())
    return float(np.std(shares, ddof=1) / np.sqrt(len(shares)))


def nearest_neighbour_ratio(rows: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Distance to the nearest over that to the second nearest training row, ``(n,)`` in [0, 1].

    Two training rows at the same place give 1 (neither is singled out), even at distance 0.
    """
    _, positions = NearestNeighbors(n_neighbors=2).fit(train).kneighbors(rows)
    # By subtraction, so that the distance to a copy is exactly 0.
    first, second = (np.linalg.norm(rows - train[positions[:, k]], axis=1) for k in (0, 1))
    first, second = np.minimum(first, second), np.maximum(first, second)
    return np.divide(first, second, out=np.ones_like(first), where=second > 0)


def judge_overfitting(context: Context, attacked: AttackRows) -> Findings:
    """Return ``dcr_share`` and ``nndr``, both of the family "overfitting check"."""
    inside, outside = attacked.inside, attacked.outside
    rng = context.stream("overfitting")
    released = {
        name: rows[subsample(len(rows), MAX_ROWS, rng)]
        for name, rows in ((name, attacked.release(name)) for name in attacked.released)
    }

    def dcr(rows: np.ndarray, test: np.ndarray = outside) -> np.ndarray:
        return nearer_to_train(rows, inside, test, context.stream("dcr"))

    def real(first: np.ndarray, second: np.ndarray) -> float:
        return float(dcr(outside[first], outside[second]).mean())

    near = {name: dcr(rows) for name, rows in released.items()}
    ratio = {name: nearest_neighbour_ratio(rows, inside) for name, rows in released.items()}
    counts = resample_counts(
        context.stream("overfitting resamples"), context.n_bootstrap, len(near["value"])
    )
    share = counts / counts.sum(axis=1, keepdims=True)
    value = float(near["value"].mean())
    error = np.hypot((share @ near["value"]).std(), _reference_error(context, attacked, released))
    dcr_low, dcr_high = np.clip(value + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2]) * error, 0, 1)
    nndr_low, nndr_high = percentile_interval(share @ ratio["value"])
    real_ratio = float(nearest_neighbour_ratio(outside, inside).mean())
    notices: tuple[str, ...] = ()
    if attacked.released["value"].n_rows > MAX_ROWS:
        notices = (f"the overfitting check looks at {MAX_ROWS:,} synthetic rows",)
    caveat = "An overfitting check, not a privacy figure."
    return Findings(
        {
            "dcr_share": Metric(
                family="overfitting check",
                value=value,
                low=float(dcr_low),
                high=float(dcr_high),
                ideal=0.5,
                direction="nearest to 0.5",
                reference={
                    "real": over_halves(context, attacked.others, real),
                    "independent": float(near["independent"].mean()),
                    "copy": float(near["copy"].mean()),
                },
                description=(
                    "Share of synthetic rows that lie nearer to a training row than to one of as "
                    f"many test rows. {caveat}"
                ),
            ),
            "nndr": Metric(
                family="overfitting check",
                value=float(ratio["value"].mean()),
                low=nndr_low,
                high=nndr_high,
                ideal=real_ratio,
                direction="nearest to real rows",
                reference={
                    "real": real_ratio,
                    "independent": float(ratio["independent"].mean()),
                    "copy": float(ratio["copy"].mean()),
                },
                description=(
                    "Mean ratio of the distances to the nearest and the second nearest training "
                    f"row; below the real rows' figure, rows cling to single people. {caveat}"
                ),
            ),
        },
        notices=notices,
    )


def _reference_error(
    context: Context, attacked: AttackRows, released: Mapping[str, np.ndarray]
) -> float:
    rng = context.stream("dcr parts")
    tables = (attacked.members, attacked.others)
    size = min(table.n_rows for table in tables)
    kept = [subsample(table.n_rows, size, rng) for table in tables]
    cut = [table.take(rows) for table, rows in zip(tables, kept, strict=True)]
    units = [t.n_rows if t.groups is None else len(np.unique(t.groups)) for t in cut]
    n_parts = min(N_PARTS, *units)
    if n_parts < 2:
        return 0.0
    matrices = (attacked.inside[kept[0]], attacked.outside[kept[1]])
    blocks = [
        [matrix[rows] for rows in parts(table, n_parts, rng)]
        for matrix, table in zip(matrices, cut, strict=True)
    ]
    return spread_by_reference(released["value"], *blocks)
