"""Normal scores of rows whose values are levels, counts and repeated numbers as well as numbers.

Such a value is an interval of the scores, not a point. A place drawn evenly within it knows nothing
of the other columns, and so every correlation with the column comes out too small: one of 0.8 with
the number behind a yes-or-no column becomes 0.5. Here each place is drawn given the row's
other scores, over and over, as under the Gaussian copula that they make up (Hoff 2007, "Extending
the rank likelihood for semiparametric copula estimation").
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from rlsyn_env.tables.feature_maps import FloatArray

_CLIP = 1e-4  # normal scores stay within +-3.7
_TINY = 1e-12  # of a probability


def latent_scores(
    coordinates: FloatArray,
    low: FloatArray,
    high: FloatArray,
    rng: np.random.Generator,
    *,
    floor: float,
    sweeps: int,
) -> FloatArray:
    """Return normal scores ``(n, A)`` of rows on A axes, with dependent places inside intervals.

    Args:
        coordinates: ``(n, A)`` in (0, 1), where places inside intervals are to begin.
        low, high: ``(n, A)`` ends of the intervals; the same where a place is known.
        rng: of the places.
        floor: added variance: no column is determined by the others.
        sweeps: how often each place is drawn; the sharper a relation, the more it takes.
    """
    scores = normal_scores(coordinates)
    unknown = []
    for column, is_open in enumerate((low < high).T):
        rows = np.flatnonzero(is_open)
        if len(rows):
            ends = normal_scores(low[rows, column]), normal_scores(high[rows, column])
            unknown.append((column, rows, *ends))
    for _ in range(sweeps if unknown else 0):
        mean = scores.mean(axis=0)
        covariance = np.atleast_2d(np.cov(scores, rowvar=False))
        precision = np.linalg.inv(covariance + floor * np.eye(len(mean)))
        for column, rows, lowest, highest in unknown:
            spread = precision[column, column] ** -0.5
            pull = (scores @ precision[:, column])[rows] - mean @ precision[:, column]
            given = scores[rows, column] - pull * spread**2
            below, above = ndtr((lowest - given) / spread), ndtr((highest - given) / spread)
            share = below + rng.random(len(rows)) * (above - below)
            drawn = given + spread * ndtri(share.clip(_TINY, 1 - _TINY))
            scores[rows, column] = drawn.clip(lowest, highest)
    return scores


def normal_scores(u: npt.NDArray[np.floating]) -> FloatArray:
    """Return the normal quantiles of coordinates in [0, 1], at most 3.7 from 0."""
    scores: FloatArray = ndtri(u.astype(np.float64).clip(_CLIP, 1 - _CLIP))
    return scores
