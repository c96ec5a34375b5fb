"""Continuous pieces of a feature: position in the cell to value, and back.

The pieces of one column share one lookup on the axis ``z = 2 * cell + position``: cell i occupies
[2i, 2i + 1], so that a single vectorised search serves all pieces.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from rlsyn_env.tables.column_values import FloatArray, to_grid
from rlsyn_env.tables.feature_maps import IntArray
from rlsyn_env.tables.quantiles import Cell

_DITHER = 0.98  # of the grid step: float32 u must not round to the neighbouring value


class Curves(ABC):
    """All cells of an ordered column, point masses included."""

    def __init__(self, cells: list[Cell]) -> None:
        z: list[FloatArray] = []
        values: list[FloatArray] = []
        self.first = np.zeros(len(cells), dtype=np.int64)  # index of each cell's first knot
        self.last = np.zeros(len(cells), dtype=np.int64)
        size = 0
        for index, cell in enumerate(cells):
            if cell.positions is None or cell.values is None:
                positions, knots = np.array([0.0, 1.0]), np.full(2, cell.value, dtype=np.float64)
            else:
                positions, knots = cell.positions, cell.values
            z.append(2.0 * index + positions)
            values.append(knots)
            self.first[index], self.last[index] = size, size + len(knots) - 1
            size += len(knots)
        self.z = np.concatenate(z)
        self.values = np.concatenate(values)

    @abstractmethod
    def decode(self, z: FloatArray) -> FloatArray:
        """Return the value (n,) at each z."""

    @abstractmethod
    def encode(self, x: FloatArray, cells: IntArray, draws: FloatArray) -> FloatArray:
        """Return the position (n,) in [0, 1] of x in its cell; ``draws`` are uniform (n,)."""


class SmoothCurves(Curves):
    """Piecewise linear quantile functions.

    Values on a grid are spread over their step before encoding and rounded to it after decoding.
    A value beyond the ends of its piece lands anywhere in the piece's outer interval.
    """

    def __init__(
        self, cells: list[Cell], *, step: float, bounds: tuple[float, float] | None = None
    ) -> None:
        super().__init__(cells)
        self.step = step
        low, high = float(self.values[0]), float(self.values[-1])
        if bounds is not None:
            low, high = max(low, min(bounds[0], high)), min(high, max(bounds[1], low))
        if step:  # the outermost grid values inside
            ends = np.array([np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)]) * step
            if ends[0] <= ends[1]:
                low, high = (float(end) for end in to_grid(ends, step))
        self._inside = (low, high)
        # Point masses that lie off the grid (an imputed mean) must not be rounded to it.
        atoms = np.array([cell.value for cell in cells if cell.value is not None], dtype=np.float64)
        self._off_grid = atoms[to_grid(atoms, step) != atoms] if step else atoms[:0]

    def decode(self, z: FloatArray) -> FloatArray:
        """See :meth:`Curves.decode`."""
        x = np.interp(z, self.z, self.values)
        rounded = to_grid(x, self.step) if self.step else x
        if len(self._off_grid):
            rounded = np.where(np.isin(x, self._off_grid), x, rounded)
        return np.asarray(np.clip(rounded, *self._inside))

    def encode(self, x: FloatArray, cells: IntArray, draws: FloatArray) -> FloatArray:
        """See :meth:`Curves.encode`."""
        first, last = self.first[cells], self.last[cells]
        low, high = self.values[first], self.values[last]
        reach = self.step / 2 * _DITHER
        left, right = np.maximum(x - reach, low), np.minimum(x + reach, high)
        z = np.interp(left + (right - left) * draws, self.values, self.z) - 2.0 * cells
        below, above = x < low, x > high
        outer_low = self.z[np.minimum(first + 1, last)] - 2.0 * cells
        outer_high = self.z[np.maximum(last - 1, first)] - 2.0 * cells
        z = np.where(below, draws * outer_low, z)
        z = np.where(above, outer_high + draws * (1 - outer_high), z)
        return np.asarray(np.clip(z, 0.0, 1.0))


class ExactCurves(Curves):
    """Step functions over the very values of the training rows (exact support)."""

    def decode(self, z: FloatArray) -> FloatArray:
        """See :meth:`Curves.decode`."""
        return np.asarray(self.values[np.searchsorted(self.z, z, side="right") - 1])

    def encode(self, x: FloatArray, cells: IntArray, draws: FloatArray) -> FloatArray:
        """See :meth:`Curves.encode`; values never seen go to the nearest one below."""
        index = np.searchsorted(self.values, x, side="right") - 1
        index = np.clip(index, self.first[cells], self.last[cells])
        start = self.z[index] - 2.0 * cells
        following = self.z[np.minimum(index + 1, len(self.z) - 1)] - 2.0 * cells
        stop = np.where(index < self.last[cells], following, 1.0)
        return np.asarray(start + (stop - start) * draws)
