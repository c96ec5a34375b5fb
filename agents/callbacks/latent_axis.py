"""An axis on which a Gaussian sees cells of a feature.

A Gaussian knows of a feature what goes up or down with it, so it matters in which order levels
lie, and at which end the missing values: "10-14" is not before "5-9". The encoder's coordinates are
in the order of the schema; here they are moved to another one, and back.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlsyn_env.tables.feature_maps import FeatureMap, Float32Array, FloatArray, IntArray

_NONE: IntArray = np.array([], dtype=np.int64)
_EARLIER = -1


class LatentAxis:
    """The unit interval, cut into m cells of a feature in an order of their own.

    Further cells may share a last segment: which of them it is, a later axis tells. Of cells that
    an earlier axis has told, this one says nothing: they may lie anywhere. Segments are as wide as
    the rows in them are many among those that no earlier axis has told.

    Args:
        feature: the map of the feature.
        order: ``(m,)`` cells as they follow each other; None: all, as they are.
        later: ``(l,)`` cells of the last segment.

    Attributes:
        order: the same.
        edges: ``(s + 1,)`` between the s segments, from 0 to 1; s is m, or m + 1 with ``later``.
        is_atom: ``(s,)``, whether rows that lie in a segment may lie anywhere in it.
        asks_whether_missing: whether the first of two segments is what is missing.
    """

    def __init__(
        self, feature: FeatureMap, order: IntArray | None = None, later: IntArray = _NONE
    ) -> None:
        self._feature = feature
        self.order: IntArray = np.arange(feature.n_cells) if order is None else order
        here = np.concatenate([self.order, later])
        self._is_as_encoded = np.array_equal(self.order, np.arange(feature.n_cells))
        width = np.diff(feature.edges.astype(np.float64))
        ends = np.concatenate([[0.0], np.cumsum(width[here])])
        self._total = ends[-1]
        ends /= self._total
        m, beyond = len(self.order), [1.0] * bool(len(later))
        self.edges: FloatArray = np.concatenate([ends[: m + 1], beyond])
        self.is_atom: npt.NDArray[np.bool_] = np.append(
            np.asarray(feature.is_atom)[self.order], np.ones(len(beyond), dtype=bool)
        )
        self.asks_whether_missing = bool(
            len(self.edges) == 3 and self.order[0] == feature.missing_cell
        )
        self._low = feature.edges[:-1].astype(np.float64)
        self._start, self._scale = np.zeros(feature.n_cells), 1 / width
        self._start[here], self._scale[here] = ends[:-1], 1 / self._total
        self._segment = np.full(feature.n_cells, _EARLIER)
        self._segment[here] = np.minimum(np.arange(len(here)), m)

    def coordinates(self, u: Float32Array) -> FloatArray:
        """Return where the feature's coordinates ``(n,)`` in [0, 1) lie on this axis."""
        cells = self._feature.cells_of(u)
        at: FloatArray = self._start[cells] + (u - self._low[cells]) * self._scale[cells]
        return at

    def intervals(self, u: Float32Array) -> tuple[FloatArray, FloatArray]:
        """Return between which coordinates each of ``(n,)`` may lie: the same where it is known."""
        segments = self._segment[self._feature.cells_of(u)]
        known = (segments != _EARLIER) & ~self.is_atom[segments]
        coordinates = self.coordinates(u)
        low = np.where(segments == _EARLIER, 0.0, self.edges[segments])
        high = np.where(segments == _EARLIER, 1.0, self.edges[segments + 1])
        return np.where(known, coordinates, low), np.where(known, coordinates, high)

    def middles(self, u: Float32Array) -> FloatArray:
        """Return the middles of :meth:`intervals`: ranks of the values, where all are here."""
        low, high = self.intervals(u)
        middles: FloatArray = (low + high) / 2
        return middles

    def segments_of(self, coordinates: FloatArray) -> IntArray:
        """Return which segment each coordinate ``(n,)`` lies in."""
        return np.searchsorted(self.edges[1:-1], coordinates, side="right").astype(np.int64)

    def tells(self, coordinates: FloatArray) -> npt.NDArray[np.bool_]:
        """Return whether each coordinate ``(n,)`` tells the cell: it lies in one of the first m."""
        return self.segments_of(coordinates) < len(self.order)

    def places(self, coordinates: FloatArray) -> Float32Array:
        """Undo :meth:`coordinates` where they tell the cell: float32, in the cell they lie in."""
        if self._is_as_encoded:
            return coordinates.astype(np.float32)
        at = np.minimum(self.segments_of(coordinates), len(self.order) - 1)
        cells, edges = self.order[at], self._feature.edges
        u = (self._low[cells] + (coordinates - self.edges[at]) * self._total).astype(np.float32)
        return u.clip(edges[cells], np.nextafter(edges[cells + 1], np.float32(0)))

    def bins(self, edges: Float32Array) -> tuple[FloatArray, IntArray]:
        """Return bins in this order, and at which place of it each of them is.

        Args:
            edges: ``(K + 1,)`` of bins that lie in one cell each, or have no width.

        Returns:
            Edges ``(K + 1,)`` and places ``(K,)``. Bins of cells that this axis does not tell have
            no width.
        """
        end = self.edges[len(self.order)]
        segments = self._segment[self._feature.cells_of(edges[:-1])]
        told = (np.diff(edges) > 0) & (segments != _EARLIER) & (segments < len(self.order))
        low = np.where(told, self.coordinates(edges[:-1]), end)
        by_place = np.argsort(low, kind="stable")
        return np.append(low[by_place], end), np.argsort(by_place)
