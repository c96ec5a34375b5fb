"""Point masses and smoothed quantiles of one ordered column.

Stored are values that several rows share (point masses), averages of at least three neighbouring
order statistics, and the two sides of shared values; from 128 rows on no average leans on a single
row (design, section 1). Below that :mod:`rlsyn_env.tables.small_samples` keeps closer to the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlsyn_env.tables.column_values import FloatArray, to_grid
from rlsyn_env.tables.knots import join, knots_at, readable
from rlsyn_env.tables.small_samples import SMALL_SAMPLE, small_piece

POINT_MASS_SHARE = 0.02
SMALLEST_CELL = 3  # rows: what an average is taken over, and what a stored value must be held by
_OVERLAP_BELOW = 200  # rows: below, windows of three overlap; above, blocks do not
_MAX_KNOTS = 256


@dataclass(frozen=True)
class Cell:
    """One stretch of the column: a single value, or a continuous piece.

    Attributes:
        count: training rows in it.
        value: the single value; None for a continuous piece.
        positions: (k,) strictly increasing from 0 to 1, of a continuous piece.
        values: (k,) value at each position, strictly increasing (exact support: step values).
    """

    count: float
    value: float | None = None
    positions: FloatArray | None = None
    values: FloatArray | None = None


def fit_cells(
    rows: FloatArray, *, step: float, every_value: bool = False, exact: bool = False
) -> list[Cell]:
    """Return the cells of a column in value order.

    Args:
        rows: (n,) values without NaN, n >= 1.
        step: grid of the values (1 for integers, 0.01 for two decimals), 0 for full precision.
        every_value: make a point mass of every value with enough rows, however small its share.
        exact: keep every distinct value and emit nothing else (no privacy of single values).
    """
    rows = np.sort(rows)
    atoms = find_point_masses(rows, every_value=every_value)
    if not exact:
        rows = np.sort(snap(rows, atoms, step))
    is_atom = np.isin(rows, atoms)
    rest = rows[~is_atom]
    gaps = np.searchsorted(atoms, rest)
    cells: list[Cell] = []
    singles = _values_of_few(rows)
    for gap in range(len(atoms) + 1):
        inside = rest[gaps == gap]
        if len(inside):
            left = atoms[gap - 1] if gap else -np.inf
            right = atoms[gap] if gap < len(atoms) else np.inf
            if exact:
                cells.append(_exact_cell(inside))
            else:
                limits = (_limit(left, step, 1), _limit(right, step, -1))
                cells.append(_smooth_cell(inside, rows, step, limits, singles))
        if gap < len(atoms):
            count = float(np.searchsorted(rows, atoms[gap], "right"))
            count -= float(np.searchsorted(rows, atoms[gap], "left"))
            cells.append(Cell(count, value=float(atoms[gap])))
    return cells


def find_point_masses(rows: FloatArray, *, every_value: bool = False) -> FloatArray:
    """Return the sorted values that many rows share.

    A point mass has at least 2 % of the rows (any share with ``every_value``) and at least 5 rows;
    in tables of fewer than 128 and 64 rows 4 and 3 rows are enough, because there a tie that is
    smoothed away would move the marginal by more than a row.
    """
    values, counts = np.unique(rows, return_counts=True)
    least = float(np.clip(SMALLEST_CELL + len(rows) // 64, SMALLEST_CELL, 5))
    if not every_value:
        least = max(least, POINT_MASS_SHARE * len(rows))
    return np.asarray(values[counts >= least], dtype=np.float64)


def snap(values: FloatArray, atoms: FloatArray, step: float) -> FloatArray:
    """Round values that are no point mass to the grid (a no-op for ``step`` 0)."""
    if step == 0:
        return values
    return np.where(np.isin(values, atoms), values, to_grid(values, step))


def _values_of_few(rows: FloatArray) -> FloatArray:
    values, counts = np.unique(rows, return_counts=True)
    return np.asarray(values[counts < SMALLEST_CELL])


def _limit(atom: float, step: float, direction: int) -> float:
    """Return where a piece beside ``atom`` must end for rounding to stay off the atom."""
    if not np.isfinite(atom) or step == 0 or to_grid(np.array([atom]), step)[0] != atom:
        return float(atom)
    return float(atom + direction * step / 2)


def _exact_cell(rows: FloatArray) -> Cell:
    values, counts = np.unique(rows, return_counts=True)
    starts = np.concatenate([[0.0], np.cumsum(counts)[:-1] / len(rows)])
    return Cell(float(len(rows)), positions=starts, values=values)


def _smooth_cell(
    rows: FloatArray,
    column: FloatArray,
    step: float,
    limits: tuple[float, float],
    singles: FloatArray,
) -> Cell:
    """Return the continuous piece of sorted ``rows`` that lie between two point masses."""
    count = float(len(rows))
    if len(rows) >= SMALLEST_CELL and rows[0] == rows[-1] and step == 0:
        return Cell(count, value=float(rows[0]))
    if len(column) < SMALL_SAMPLE:
        values, positions = small_piece(rows, step, limits)
        return Cell(count, positions=positions, values=_move_off(values, singles))
    low, high = _ends(rows, column, step, limits)
    values, positions = np.array([low, high]), np.array([0.0, 1.0])
    if len(rows) >= SMALLEST_CELL:
        inner, heights = knots_at(rows, _neighbour_means(rows), step, _shared_by(rows))
        values, positions = join(low, high, inner, heights)
    return Cell(count, positions=positions, values=_move_off(values, singles))


def _shared_by(rows: FloatArray) -> int:
    """Return how many rows must share a value for knots on both its sides."""
    return max(SMALLEST_CELL, len(rows) // _MAX_KNOTS)


def _neighbour_means(rows: FloatArray) -> FloatArray:
    """Average neighbouring order statistics: sliding threes of few rows, blocks of many."""
    if len(rows) < _OVERLAP_BELOW:
        third = rows / 3
        return np.asarray(third[:-2] + third[1:-1] + third[2:])
    blocks = min(_MAX_KNOTS, len(rows) // SMALLEST_CELL)
    bounds = np.linspace(0, len(rows), blocks + 1).astype(np.int64)
    return np.asarray(np.add.reduceat(rows, bounds[:-1]) / np.diff(bounds))


def _ends(
    rows: FloatArray, column: FloatArray, step: float, limits: tuple[float, float]
) -> tuple[float, float]:
    """Return the clipped ends of a piece, inside ``limits`` (the point masses beside it)."""
    if len(rows) < SMALLEST_CELL:
        return _ends_of_few(rows, column, step, limits)
    shared_by = _shared_by(rows)
    low = _end(rows, step, shared_by)
    high = -_end(-rows[::-1], step, shared_by)
    if low >= high:  # one tied value on a grid
        low, high = low - step / 2, high + step / 2
    low, high = readable(low, high, step)
    low = _towards(low, limits[0], max(step, float(np.ptp(rows[:5]))))
    high = _towards(high, limits[1], max(step, float(np.ptp(rows[-5:]))))
    return max(low, limits[0]), min(high, limits[1])


def _towards(end: float, limit: float, spacing: float) -> float:
    """Move an end to a point mass close by, or halfway to one further off, so that the rows
    between the two have a place.
    """
    if not np.isfinite(limit):
        return end
    return limit if abs(end - limit) <= 2 * spacing else (end + limit) / 2


def _end(rows: FloatArray, step: float, shared_by: int) -> float:
    """Return the lower end of sorted ``rows``: an average of the outer ones, half a grid step
    lower; below the first value where ``shared_by`` rows share it.
    """
    if rows[0] == rows[shared_by - 1]:  # the side of the shared value is nearer, and wins
        return float(rows[0] - np.ptp(rows) - step)
    outer = 5 if len(rows) >= 640 else SMALLEST_CELL
    return float(np.mean(rows[:outer])) - step / 2


def _ends_of_few(
    rows: FloatArray, column: FloatArray, step: float, limits: tuple[float, float]
) -> tuple[float, float]:
    """Return the ends of a piece of one or two rows: point masses and averages with neighbours."""
    low, high = limits
    if not np.isfinite(low):
        low = min(float(np.mean(column[:SMALLEST_CELL])), high - step)
    if not np.isfinite(high):
        high = max(float(np.mean(column[-SMALLEST_CELL:])), low + step)
    if low >= high:
        centre = float(np.mean(rows))
        spread = max(0.1 * abs(centre), float(np.ptp(rows)), step, 1e-6)
        low, high = centre - spread, centre + 1.5 * spread
    low, high = readable(low, high, step)
    return max(low, limits[0]), min(high, limits[1])


def _move_off(values: FloatArray, singles: FloatArray) -> FloatArray:
    """Shift knots that happen to equal a value of one or two rows, keeping their order."""
    values = values.copy()
    for share in (0.31, 0.17, 0.23, 0.11):
        hit = np.flatnonzero(np.isin(values, singles))
        if not len(hit):
            break
        for index in hit:
            if index + 1 < len(values):
                values[index] += share * (values[index + 1] - values[index])
            else:
                values[index] -= share * (values[index] - values[index - 1])
    return values
