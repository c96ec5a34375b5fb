"""Normal scores of rows whose values are levels, counts and repeated numbers as well as numbers.

Such a value is an interval of the scores, not a point. A place drawn evenly within it knows nothing
of the other columns, and so every correlation with the column comes out too small: one of 0.8 with
the number behind a yes-or-no column becomes 0.5. Here each place is drawn given the row's
other scores, over and over, as under the Gaussian copula that they make up (Hoff 2007, "Extending
the rank likelihood for semiparametric copula estimation").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from agents.callbacks.latent_cells import LatentCells
from rlsyn_env.tables.feature_maps import FloatArray, IntArray

_SWEEPS = 20
_CLIP = 1e-4  # normal scores stay within +-3.7
_TINY = 1e-12  # of a probability


def latent_scores(
    cells: Sequence[LatentCells], coordinates: FloatArray, rng: np.random.Generator, floor: float
) -> FloatArray:
    """Return normal scores ``(n, d)`` of encoded rows, with dependent places inside atoms.

    Args:
        cells: of the d features.
        coordinates: ``(n, d)`` in (0, 1), in the order of those cells.
        rng: of the places.
        floor: added variance: no column is determined by the others.
    """
    scores = normal_scores(coordinates)
    atoms = [
        (column, *_intervals(one, coordinates[:, column]))
        for column, one in enumerate(cells)
        if one.is_atom.any()
    ]
    for _ in range(_SWEEPS if atoms else 0):
        mean = scores.mean(axis=0)
        covariance = np.atleast_2d(np.cov(scores, rowvar=False))
        precision = np.linalg.inv(covariance + floor * np.eye(len(mean)))
        for column, rows, low, high in atoms:
            spread = precision[column, column] ** -0.5
            pull = (scores @ precision[:, column])[rows] - mean @ precision[:, column]
            given = scores[rows, column] - pull * spread**2
            below, above = ndtr((low - given) / spread), ndtr((high - given) / spread)
            share = below + rng.random(len(rows)) * (above - below)
            drawn = given + spread * ndtri(share.clip(_TINY, 1 - _TINY))
            scores[rows, column] = drawn.clip(low, high)
    return scores


def normal_scores(u: npt.NDArray[np.floating]) -> FloatArray:
    """Return the normal quantiles of coordinates in [0, 1], at most 3.7 from 0."""
    scores: FloatArray = ndtri(u.astype(np.float64).clip(_CLIP, 1 - _CLIP))
    return scores


def _intervals(
    cells: LatentCells, coordinates: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return the rows that lie in atoms, and between which scores each does."""
    at = cells.cells_of(coordinates)
    rows = np.flatnonzero(cells.is_atom[at])
    edges = normal_scores(cells.edges)
    return rows, edges[at[rows]], edges[at[rows] + 1]
