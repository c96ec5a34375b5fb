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
import torch
from scipy.linalg import solve_triangular
from scipy.special import ndtr, ndtri
from sklearn.mixture import GaussianMixture

from agents.callbacks.cell_order import ordered_axes
from agents.callbacks.latent_axes import LatentAxes, missing_together, one_after_the_other
from agents.callbacks.latent_axis import LatentAxis
from agents.callbacks.latent_scores import latent_scores, normal_scores
from agents.callbacks.missed_correlations import missed_correlations
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.splits import first_of_groups, group_codes

_MOST_ENCODED = 20_000  # encodings that the mixture is fitted to
_COPIES = 8  # of each row, with the places inside its cells drawn again, where rows are few
_FLOOR = 0.005  # added variance: no relation is sharper than a correlation of 0.995
_MOST_FEATURES = 200  # a covariance of more is slow to fit, and rarely told by the rows there are
_SWEEPS = 20
_SWEEPS_ONE_BY_ONE = 60  # what is missing together has the sharpest relation there is
_LEAST_CONTINUOUS = 0.5
_FEWEST_ROWS = 5  # for every axis where features have several, and groups for every feature
_MOST_MISSED = 4.0  # times chance; heart-4centers at 4 to 6 had a C2ST higher by 0.03 to 0.04
# Many axes miss little of the rows that they are fitted to, whatever the truth is: where one axis a
# feature misses less than this, or several miss more than this share of it, they know less of it.
_MISSED_BY_ONE_AXIS = 2.0
_MISSED_BY_SEVERAL = 0.5  # at 0.7, 400 rows of adult had S2R / R2R lower by 0.02
_DRAWN_TO_COMPARE = 20_000
_LARGEST = np.float32(1 - 2.0**-23)


def continuous_share(encoder: RecordEncoder) -> float:
    """Mean over features of the share of rows that lie in no atom, in [0, 1]."""
    return float(np.mean([np.diff(f.edges)[~f.is_atom].sum() for f in encoder.features]))


def fit_smoothed_records(
    encoder: RecordEncoder,
    train: pd.DataFrame,
    components: int,
    rng: np.random.Generator,
) -> tuple[SmoothedRecords, float] | None:
    """Return smoothed records and how far a table trusts them, None where it does not.

    Tables of at most 200 features that are mostly numbers do, wholly. So do others (with groups of
    rows if those are five times as many as features) whose correlations, those of single levels
    and of missing values among them, smoothed records miss by no more than the rows do by chance.
    What is missed beyond that is their own error, and the more it is the less they are worth
    imitating: one over the misses in units of chance, as when an estimate with an error of its own
    is weighed against a noisy one without. Those that miss more than four times as much are left
    alone. The fewer rows there are the more they miss by chance, and the sooner imitating them
    knows them by heart, so the more are smoothed.

    No correlation tells of numbers that depend on each other in curves, which no Gaussian knows.
    Those with how far numbers lie from their middle do: where they are missed by more than four
    times chance beyond what other correlations are, records are trusted as much less.

    Where values are missing together, or levels go with each other in no order, one axis a feature
    misses much. Where it misses twice as much as chance and more, a second mixture tells missing
    values and levels one after the other, if rows are five times as many as its axes, and takes the
    place of the first if it misses less than half as much.

    Args:
        encoder, train, components, rng: as for :class:`SmoothedRecords`.

    Returns:
        The records, and a share in (0, 1].
    """
    numbers = continuous_share(encoder) > _LEAST_CONTINUOUS
    if encoder.n_features > _MOST_FEATURES or not (numbers or _enough_groups(encoder, train)):
        return None
    smoothed = SmoothedRecords(encoder, train, components, rng)
    missed, curves = _missed(smoothed, encoder, train, rng)
    if missed > _MISSED_BY_ONE_AXIS and _has_several_axes(encoder, train):
        others = SmoothedRecords(encoder, train, components, rng, one_by_one=True)
        by_others, curves_by_others = _missed(others, encoder, train, rng)
        if by_others < _MISSED_BY_SEVERAL * missed:
            smoothed, missed, curves = others, by_others, curves_by_others
    if not numbers and missed > _MOST_MISSED:
        return None
    share = 1.0 if numbers else 1 / max(missed, 1.0)
    return smoothed, share * _MOST_MISSED / max(curves - missed, _MOST_MISSED)


def _missed(
    smoothed: SmoothedRecords,
    encoder: RecordEncoder,
    train: pd.DataFrame,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return the misses of correlations and of curves."""
    drawn = smoothed.draw(_DRAWN_TO_COMPARE, rng)
    most = min(len(train), _MOST_ENCODED)
    rows = train if most == len(train) else train.sample(most, random_state=rng)
    return missed_correlations(
        encoder, encoder.encode(rows, rng), drawn, independent=_independent_rows(encoder, rows)
    )


def _has_several_axes(encoder: RecordEncoder, train: pd.DataFrame) -> bool:
    """Whether something can be told one by one, on 200 axes and a fifth of the rows at most."""
    n = _independent_rows(encoder, train)
    rows = encoder.encode(train[:_MOST_ENCODED], np.random.default_rng(0))
    of_each = [one_after_the_other(f, np.arange(f.n_cells), n) for f in encoder.features]
    axes = LatentAxes(of_each, missing_together(encoder, rows)).n_coordinates
    several = any(len(of_one) > 1 for of_one in of_each)
    return several and axes <= _MOST_FEATURES and n >= _FEWEST_ROWS * axes


def _enough_groups(encoder: RecordEncoder, train: pd.DataFrame) -> bool:
    if encoder.schema.group is None:
        return True
    return _independent_rows(encoder, train) >= _FEWEST_ROWS * encoder.n_features


def _independent_rows(encoder: RecordEncoder, train: pd.DataFrame) -> int:
    return int(first_of_groups(train, encoder.schema.group).sum())


class SmoothedRecords:
    """Draws records from a Gaussian mixture copula.

    Levels lie in the order in which they say most of other columns, and places in them are drawn
    given those. Where rows are of few groups, both are left to the encoder and to chance: that
    makes correlations smaller, and what few groups say of them is mostly who they are.

    Args:
        encoder: d features; gives the marginals.
        train: rows to fit to.
        components: of the mixture; 1 is a Gaussian copula. At most one for every ten rows.
        rng: of the encoding and the fit.
        one_by_one: whether missing values and frequent levels are told one after the other
            (:func:`~agents.callbacks.latent_axes.one_after_the_other`), unless rows are of few
            groups.
    """

    def __init__(
        self,
        encoder: RecordEncoder,
        train: pd.DataFrame,
        components: int,
        rng: np.random.Generator,
        *,
        one_by_one: bool = False,
    ) -> None:
        n = min(len(train), _MOST_ENCODED)
        rows = train.iloc[rng.choice(len(train), n, replace=False)]
        copies = max(1, min(_COPIES, _MOST_ENCODED // n))
        encoded = np.concatenate([encoder.encode(rows, rng) for _ in range(copies)])
        if _enough_groups(encoder, train):
            group = encoder.schema.group
            groups = None if group is None else group_codes(rows[group])
            ordered = ordered_axes(encoder, encoded[:n], groups)
            axes = [[axis] for axis in ordered]
            if one_by_one:
                independent = _independent_rows(encoder, train)
                axes = [
                    one_after_the_other(feature, axis.order, independent)
                    for feature, axis in zip(encoder.features, ordered, strict=True)
                ]
            self._axes = LatentAxes(axes, missing_together(encoder, encoded))
            low, high = self._axes.intervals(encoded)
            begin = self._axes.coordinates(encoded)
            sweeps = _SWEEPS_ONE_BY_ONE if one_by_one else _SWEEPS
            scores = latent_scores(begin, low, high, rng, floor=_FLOOR, sweeps=sweeps)
        else:
            self._axes = LatentAxes([[LatentAxis(feature)] for feature in encoder.features])
            scores = normal_scores(encoded)
        mixture = GaussianMixture(
            max(1, min(components, n // 10)),
            covariance_type="tied",
            reg_covar=_FLOOR,
            random_state=int(rng.integers(2**31)),
        ).fit(scores)
        self._shares = mixture.weights_ / mixture.weights_.sum()
        self._centres = mixture.means_
        self._root = np.linalg.cholesky(mixture.covariances_)
        self._white_centres = self._whiten(self._centres)
        self._last_bins: tuple[npt.NDArray[np.float32], torch.Tensor, torch.Tensor] | None = None

    def draw(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Return n records ``(n, d)`` float32 in [0, 1)."""
        return self._records(ndtr(self._draw_scores(n, rng)))

    def draw_with_shares(
        self, n: int, rng: np.random.Generator, edges: npt.NDArray[np.float32]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return n records, and how likely every bin of each feature was given those before it.

        To imitate all that a feature could have been takes fewer records than to imitate what it
        was: a gradient of the same mean, without the noise of the draw.

        Args:
            n: records.
            rng: of the draw.
            edges: ``(d, K + 1)`` of the bins in [0, 1], ascending.

        Returns:
            Records ``(n, d)`` and shares ``(n, d, K)``, float32. Shares of a feature sum to 1, or,
            where several axes tell it, to 1 on average: those of an axis are 0 for a record that
            earlier ones have told.
        """
        scores = self._draw_scores(n, rng)
        # The covariance's root is triangular: the t-th number that it takes to whiten a record is
        # how far, in its conditional deviations, axis t is from its mean given those before it.
        white = self._whiten(scores)[:, None] - self._white_centres
        squares = np.square(white)
        of_component = np.log(self._shares)[:, None] - (squares.cumsum(axis=2) - squares) / 2
        weight = torch.as_tensor(of_component, dtype=torch.float32).softmax(dim=1)
        spread = self._root.diagonal()
        mean = torch.as_tensor(scores[:, None] / spread - white, dtype=torch.float32)
        limits, places = self._bins(edges)
        at, again = self._axes.coordinate_of, self._axes.is_repeated
        below = torch.special.ndtr(limits - mean[..., at, None])
        below = (weight[..., at, None] * below).sum(dim=1)
        # What an earlier axis has told leaves no choice.
        scaled = torch.as_tensor(scores / spread, dtype=torch.float32)[:, at[again], None]
        below[:, again] = (limits[again] > scaled).float()
        of_axis = below.diff(dim=-1)
        of_axis = of_axis.gather(2, places.expand_as(of_axis))
        coordinates = ndtr(scores)
        of_axis *= torch.as_tensor(self._axes.reached(coordinates))[..., None]
        shares = torch.zeros(n, len(edges), of_axis.shape[2])
        shares.index_add_(1, torch.as_tensor(self._axes.feature_of), of_axis)
        return torch.as_tensor(self._records(coordinates)), shares

    def _bins(self, edges: npt.NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return bins in latent order: edges ``(A, K + 1)`` in deviations, places ``(A, K)``."""
        if self._last_bins is None or not np.array_equal(self._last_bins[0], edges):
            latent, places = self._axes.bins(edges)
            spread = self._root.diagonal()[self._axes.coordinate_of]
            limits = torch.as_tensor(ndtri(latent) / spread[:, None])
            self._last_bins = edges.copy(), limits.float(), torch.as_tensor(places)
        return self._last_bins[1:]

    def _draw_scores(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        centres = self._centres[rng.choice(len(self._shares), n, p=self._shares)]
        scores: npt.NDArray[np.float64] = (
            centres + rng.standard_normal(centres.shape) @ self._root.T
        )
        return scores

    def _whiten(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        white: npt.NDArray[np.float64] = solve_triangular(self._root, scores.T, lower=True).T
        return white

    def _records(self, coordinates: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        return np.minimum(self._axes.records(coordinates), _LARGEST)
