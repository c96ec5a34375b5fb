"""Knots of a smoothed quantile function: their positions and their digits."""

from __future__ import annotations

import numpy as np

from rlsyn_env.tables.column_values import FloatArray, to_grid

_FLAT = 1e-6
_JUMP = 1e-9


def knots_at(
    rows: FloatArray, means: FloatArray, step: float, shared_by: int
) -> tuple[FloatArray, FloatArray]:
    """Return values and positions of the inner knots of sorted ``rows``.

    The knots are the means, and both sides of every value that ``shared_by`` rows or more share:
    there the quantile function is nearly flat. Positions come from the empirical distribution, in
    the middle of its jumps.
    """
    distinct, counts = np.unique(rows, return_counts=True)
    tops = np.cumsum(counts) / len(rows)
    heavy = counts >= shared_by
    reach = np.full(len(distinct), step / 2)
    if step == 0:
        gaps = np.diff(distinct, prepend=-np.inf, append=np.inf)
        near = np.minimum(gaps[:-1], gaps[1:])
        reach = 0.01 * np.where(np.isfinite(near), near, np.abs(distinct))
    bottoms = tops - counts / len(rows)
    sides = np.concatenate([(distinct - reach)[heavy], (distinct + reach)[heavy]])
    grid = np.concatenate([distinct[~heavy], sides])
    levels = np.concatenate([(tops + bottoms)[~heavy] / 2, bottoms[heavy], tops[heavy]])
    order = np.argsort(grid, kind="stable")
    inner = np.unique(np.concatenate([means, sides]))
    heights = np.interp(inner, grid[order], np.maximum.accumulate(levels[order]))
    return inner, heights


def readable(low: float, high: float, step: float) -> tuple[float, float]:
    """Round the ends of a column on a grid to three digits more than its values have."""
    unit = step / 1000
    if unit == 0 or max(abs(high), abs(low)) / unit >= 2**52:
        return low, high
    low, high = (float(value) for value in to_grid(np.array([low, high]), unit))
    return low, high


def join(
    low: float, high: float, inner: FloatArray, heights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return values and positions, from 0 to 1, of a piece with ends ``low`` and ``high``.

    An inner knot at position 0 or 1 is the side of a shared outermost value: it is the end.
    """
    bottom, top = inner[heights <= _FLAT], inner[heights >= 1 - _FLAT]
    low = max([low, *bottom])
    high = min([high, *top])
    keep = (inner > low) & (inner < high) & (heights > _FLAT) & (heights < 1 - _FLAT)
    values = np.concatenate([[low], inner[keep], [high]])
    # Knots at one height are the two sides of a gap without rows: a jump, made strictly rising.
    inside = heights[keep] + _JUMP * np.arange(np.sum(keep))
    return values, np.concatenate([[0.0], inside, [1.0]])
