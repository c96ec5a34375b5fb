"""The cells of a feature along the axis on which a Gaussian sees them.

A Gaussian knows of a feature what goes up or down with it, so it matters in which order levels
lie, and at which end the missing values: "10-14" is not before "5-9". The encoder's coordinates are
in the order of the schema; here they are moved to another one, and back.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlsyn_env.tables.feature_maps import FeatureMap, Float32Array, FloatArray, IntArray


class LatentCells:
    """A feature's m cells, as wide as they are, in an order of their own.

    Args:
        feature: the map of the feature.
        order: ``(m,)``, the feature's cells as they follow each other; None: as they are.

    Attributes:
        order: the same.
        edges: ``(m + 1,)`` between the cells in this order, from 0 to 1.
        is_atom: ``(m,)``, of the cells in this order.
    """

    def __init__(self, feature: FeatureMap, order: IntArray | None = None) -> None:
        self._feature = feature
        self._low = feature.edges[:-1].astype(np.float64)
        self.edges: FloatArray = feature.edges.astype(np.float64)
        self.is_atom: npt.NDArray[np.bool_] = np.asarray(feature.is_atom)
        self.order: IntArray = np.arange(feature.n_cells) if order is None else order
        self._moves = bool((np.diff(self.order) < 0).any())
        if self._moves:
            width = np.diff(self.edges)[self.order]
            self.edges = np.concatenate([[0.0], np.cumsum(width)])
            self.edges[-1] = 1.0
            self.is_atom = self.is_atom[self.order]

    def coordinates(self, u: Float32Array) -> FloatArray:
        """Return where the feature's coordinates ``(n,)`` in [0, 1) lie in this order."""
        return u + self._shift(u) if self._moves else u.astype(np.float64)

    def places(self, coordinates: FloatArray) -> Float32Array:
        """Undo :meth:`coordinates`: float32, in the cell where they lie."""
        if not self._moves:
            return coordinates.astype(np.float32)
        at = self.cells_of(coordinates)
        cells = self.order[at]
        u = (self._low[cells] + coordinates - self.edges[at]).astype(np.float32)
        edges = self._feature.edges
        return u.clip(edges[cells], np.nextafter(edges[cells + 1], np.float32(0)))

    def cells_of(self, coordinates: FloatArray) -> IntArray:
        """Return which cell of this order each coordinate ``(n,)`` lies in."""
        return np.searchsorted(self.edges[1:-1], coordinates, side="right").astype(np.int64)

    def middles(self, u: Float32Array) -> FloatArray:
        """Return :meth:`coordinates` with those in an atom at its middle: ranks of the values."""
        coordinates = self.coordinates(u)
        at = self.cells_of(coordinates)
        return np.where(self.is_atom[at], (self.edges[at] + self.edges[at + 1]) / 2, coordinates)

    def bins(self, edges: Float32Array) -> tuple[FloatArray, IntArray]:
        """Return bins in this order, and at which place of it each of them is.

        Args:
            edges: ``(K + 1,)`` of bins that lie in one cell each, or have no width.

        Returns:
            Edges ``(K + 1,)`` and places ``(K,)``.
        """
        if not self._moves:
            return edges.astype(np.float64), np.arange(len(edges) - 1)
        # One of no width stands where its cell ends, which is where another cell begins.
        low = np.where(np.diff(edges) > 0, self.coordinates(edges[:-1]), 1.0)
        by_place = np.argsort(low, kind="stable")
        return np.append(low[by_place], 1.0), np.argsort(by_place)

    def _shift(self, u: Float32Array) -> FloatArray:
        moved_to = np.empty(len(self.order))
        moved_to[self.order] = self.edges[:-1]
        cells = self._feature.cells_of(u)
        shift: FloatArray = moved_to[cells] - self._low[cells]
        return shift
