"""The axes on which a Gaussian sees records: one for each feature, or several.

On one axis a feature's levels go up together with another's, or down, and values that are missing
are its lowest or its highest. Where that says too little (sites that each leave out other tests),
missing values and levels are told one after the other: whether the value is missing, if not whether
it is the most frequent level, and so on. What was not reached could have been anything, as of
somebody who was not asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agents.callbacks.latent_axis import LatentAxis
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.feature_maps import FeatureMap, Float32Array, FloatArray, IntArray

_ROWS_OF_AN_AXIS = 30  # of a level, to learn what it alone goes with


class LatentAxes:
    """The axes, A of them, of d features; those of a feature follow each other as they are asked.

    Args:
        axes: of every feature, at least one.
        missing_with: ``(d,)`` the first feature that is missing in the same rows, its own index
            where there is none before it. Of those whose first axis begins with what is missing, it
            is asked once: those axes lie on one coordinate.

    Attributes:
        feature_of: ``(A,)`` the feature of each.
        n_coordinates: L.
        coordinate_of: ``(A,)`` at which of the L <= A coordinates each lies.
        is_repeated: ``(A,)`` whether an earlier one lies at the same coordinate.
    """

    def __init__(
        self, axes: Sequence[Sequence[LatentAxis]], missing_with: Sequence[int] | None = None
    ) -> None:
        self._axes = [axis for of_one in axes for axis in of_one]
        self.feature_of: IntArray = np.repeat(np.arange(len(axes)), [len(one) for one in axes])
        first = np.searchsorted(self.feature_of, np.arange(len(axes)))
        same: IntArray = np.arange(len(self._axes))
        asks_for: dict[int, int] = {}
        for j, together in enumerate(missing_with or range(len(axes))):
            if axes[j][0].asks_whether_missing:
                same[first[j]] = first[asks_for.setdefault(together, j)]
        self.is_repeated: npt.NDArray[np.bool_] = same != np.arange(len(same))
        self.coordinate_of: IntArray = (np.cumsum(~self.is_repeated) - 1)[same]
        self.n_coordinates = int((~self.is_repeated).sum())

    def coordinates(self, records: Float32Array) -> FloatArray:
        """Return where encoded records ``(n, d)`` lie, ``(n, L)`` in [0, 1)."""
        return np.column_stack([axis.coordinates(u) for axis, u in self._with(records)])

    def intervals(self, records: Float32Array) -> tuple[FloatArray, FloatArray]:
        """Return between which coordinates ``(n, L)`` they may lie: the same where it is known."""
        low, high = zip(*(axis.intervals(u) for axis, u in self._with(records)), strict=True)
        return np.column_stack(low), np.column_stack(high)

    def reached(self, coordinates: FloatArray) -> npt.NDArray[np.bool_]:
        """Return which axes ``(n, A)`` are asked: those whose feature no earlier one has told."""
        reached = np.ones((len(coordinates), len(self._axes)), dtype=bool)
        for k in np.flatnonzero(np.diff(self.feature_of) == 0):
            told = self._axes[k].tells(coordinates[:, self.coordinate_of[k]])
            reached[:, k + 1] = reached[:, k] & ~told
        return reached

    def records(self, coordinates: FloatArray) -> Float32Array:
        """Return the encoded records ``(n, d)`` that lie there, float32 in [0, 1)."""
        records = np.empty((len(coordinates), self.feature_of[-1] + 1), dtype=np.float32)
        reached = self.reached(coordinates)
        for k, axis in enumerate(self._axes):  # the last one that was asked has the last word
            places = axis.places(coordinates[:, self.coordinate_of[k]])
            np.copyto(records[:, self.feature_of[k]], places, where=reached[:, k])
        return records

    def bins(self, edges: Float32Array) -> tuple[FloatArray, IntArray]:
        """Return bins in the order of each axis, and at which place of it each of them is.

        Args:
            edges: ``(d, K + 1)`` of bins that lie in one cell each, or have no width.

        Returns:
            Edges ``(A, K + 1)`` and places ``(A, K)``, as :meth:`LatentAxis.bins` has them.
        """
        bins = [axis.bins(edges[j]) for axis, j in zip(self._axes, self.feature_of, strict=True)]
        return np.array([latent for latent, _ in bins]), np.array([places for _, places in bins])

    def _with(self, records: Float32Array) -> list[tuple[LatentAxis, Float32Array]]:
        told = zip(self._axes, records.T[self.feature_of], self.is_repeated, strict=True)
        return [(axis, u) for axis, u, repeated in told if not repeated]


def missing_together(encoder: RecordEncoder, records: Float32Array) -> list[int]:
    """Return of each feature the first that is missing in the same of the records ``(n, d)``."""
    first: dict[bytes, int] = {}
    found = []
    for j, feature in enumerate(encoder.features):
        missing = feature.cells_of(records[:, j]) == feature.missing_cell
        found.append(first.setdefault(missing.tobytes(), j) if missing.any() else j)
    return found


def one_after_the_other(feature: FeatureMap, order: IntArray, rows: int) -> list[LatentAxis]:
    """Return axes that tell missing values and the levels of thirty rows and more from all others.

    Args:
        feature: the map of the feature.
        order: ``(m,)`` its cells, as they lie on the axis that what is left shares.
        rows: number of independent training rows.
    """
    asked = [] if feature.missing_cell is None else [feature.missing_cell]
    if not feature.ordered:
        of_cell = np.rint(np.diff(feature.edges.astype(np.float64)) * rows)
        frequent = [cell for cell in order if of_cell[cell] >= _ROWS_OF_AN_AXIS]
        present = [cell for cell in frequent if cell != feature.missing_cell]
        asked += sorted(present, key=lambda cell: -of_cell[cell])
    left = [cell for cell in order if cell not in asked]
    while asked and (not left or (len(left) == 1 and feature.is_atom[left[0]])):
        # Two levels share an axis: either is what the other is not.
        left.insert(len(left) if asked[-1] != feature.missing_cell else 0, asked.pop())
    axes = []
    for k, cell in enumerate(asked):
        later = np.array([*asked[k + 1 :], *left])
        axes.append(LatentAxis(feature, np.array([cell]), later))
    return [*axes, LatentAxis(feature, np.array(left))]
