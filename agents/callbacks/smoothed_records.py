"""Smoothed records to imitate: a mixture of Gaussians in normal scores, fitted to training rows.

A few hundred rows are soon known by heart, however they are blurred. A mixture of a few Gaussians
with one covariance knows the marginals (the encoder's) and the dependences in d (d + 1) / 2 numbers
and a few centres, and no row; unlimited records drawn from it show a policy sharp relations that
rows under dropout cannot, and copying them copies nobody.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri
from sklearn.mixture import GaussianMixture

from rlsyn_env.tables.encoder import RecordEncoder

_MOST_ENCODED = 20_000  # encodings that the mixture is fitted to
_COPIES = 8  # of each row, with the places inside its cells drawn again, where rows are few
_FLOOR = 0.005  # added variance: no relation is sharper than a correlation of 0.995
_MOST_FEATURES = 200  # a covariance of more is slow to fit, and rarely told by the rows there are
_LEAST_CONTINUOUS = 0.5
_CLIP = 1e-4  # normal scores stay within +-3.7
_LARGEST = np.float32(1 - 2.0**-23)


def continuous_share(encoder: RecordEncoder) -> float:
    """Mean over features of the share of rows that lie in no atom, in [0, 1].

    A Gaussian knows how numbers go together. A level, a repeated value or missing is an interval of
    the scores to it, which blurs what depends on it.
    """
    return float(np.mean([np.diff(f.edges)[~f.is_atom].sum() for f in encoder.features]))


def can_be_smoothed(encoder: RecordEncoder) -> bool:
    """Whether a table is mostly numbers, and not too wide."""
    narrow = encoder.n_features <= _MOST_FEATURES
    return narrow and continuous_share(encoder) > _LEAST_CONTINUOUS


class SmoothedRecords:
    """Draws records from a Gaussian mixture copula.

    Args:
        encoder: d features; gives the marginals.
        train: rows to fit to.
        components: of the mixture; 1 is a Gaussian copula. At most one for every ten rows.
        rng: of the encoding and the fit.
    """

    def __init__(
        self,
        encoder: RecordEncoder,
        train: pd.DataFrame,
        components: int,
        rng: np.random.Generator,
    ) -> None:
        n = min(len(train), _MOST_ENCODED)
        rows = train.iloc[rng.choice(len(train), n, replace=False)]
        copies = max(1, min(_COPIES, _MOST_ENCODED // n))
        encoded = [encoder.encode(rows, rng).astype(np.float64) for _ in range(copies)]
        scores = ndtri(np.concatenate(encoded).clip(_CLIP, 1 - _CLIP))
        mixture = GaussianMixture(
            max(1, min(components, n // 10)),
            covariance_type="tied",
            reg_covar=_FLOOR,
            random_state=int(rng.integers(2**31)),
        ).fit(scores)
        self._shares = mixture.weights_ / mixture.weights_.sum()
        self._centres = mixture.means_
        self._root = np.linalg.cholesky(mixture.covariances_)

    def draw(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Return n records ``(n, d)`` float32 in [0, 1)."""
        centres = self._centres[rng.choice(len(self._shares), n, p=self._shares)]
        scores = centres + rng.standard_normal(centres.shape) @ self._root.T
        records: npt.NDArray[np.float32] = ndtr(scores).astype(np.float32)
        return np.minimum(records, _LARGEST)
