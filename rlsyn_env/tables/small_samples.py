"""Continuous pieces of columns with fewer than 128 rows.

A plain average of three neighbours moves such a marginal by more than a row. Here the middle one
weighs about two thirds, so that a knot lies a quarter of the way or a little more from its row to
the nearer neighbour; an open end averages the two outer rows; and a value that two rows share has a
knot on both its sides. Accurate marginals of so few rows leave little to hide: a saved encoder of
a small table reveals nearly where its rows lie, though none of their values.
"""

from __future__ import annotations

import numpy as np

from rlsyn_env.tables.column_values import FloatArray
from rlsyn_env.tables.knots import join, knots_at, readable

SMALL_SAMPLE = 128
_SHARED_BY = 2


def small_piece(
    rows: FloatArray, step: float, limits: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return values and positions, from 0 to 1, of the knots of sorted ``rows`` (n,), n >= 1.

    ``limits`` are the point masses on both sides, infinite where there is none; they serve as
    neighbours of the outer rows.
    """
    around = np.concatenate([[limits[0]], np.unique(rows), [limits[1]]])
    around = around[np.isfinite(around)]
    low, high = limits
    if not np.isfinite(low):
        low = _open_end(rows, around, step)
    if not np.isfinite(high):
        high = -_open_end(-rows[::-1], -around[::-1], step)
    if low >= high:  # a lone value
        spread = max(0.1 * abs(rows[0]), step, 1e-6)
        low, high = rows[0] - spread, rows[0] + 1.5 * spread
    low, high = readable(low, high, step)
    low, high = max(low, limits[0]), min(high, limits[1])
    inner, heights = knots_at(rows, _weighted_means(around), step, _SHARED_BY)
    return join(low, high, inner, heights)


def _open_end(rows: FloatArray, around: FloatArray, step: float) -> float:
    """Return the lower end of rows with no point mass below: short of a lone first row, just
    beyond a shared one.
    """
    if len(around) < 2:
        return float(rows[0])
    gap = around[1] - around[0]
    if len(rows) > 1 and rows[0] == rows[1]:
        return float(rows[0] - gap - step)  # the side of the shared value is nearer, and wins
    return float(around[0] + gap / 2 - step / 2)


def _weighted_means(around: FloatArray) -> FloatArray:
    """Average each inner point with its two neighbours, 0.3 for the nearer and at most 0.05 for the
    further one: the mean always lies 0.25 to 0.3 of the way to the nearer neighbour.
    """
    below, above = np.diff(around)[:-1], np.diff(around)[1:]
    ratio = np.minimum(below, above) / np.maximum(below, above)
    is_below = below <= above
    far = 0.05 * ratio**2
    weight_below = np.where(is_below, 0.3, far)
    weight_above = np.where(is_below, far, 0.3)
    middle = 1 - weight_below - weight_above
    return weight_below * around[:-2] + middle * around[1:-1] + weight_above * around[2:]
