"""The column to predict as a forest of rows tells it, where a mixture fitted to them knows less.

A mixture of Gaussians gives the column to predict a smooth dependence on the others. Where what a
forest of the rows has learnt of it holds on rows that were left out, and the mixture knows less of
it, records drawn from the mixture alone teach a policy too little of what models of its table will
look for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold

from agents.callbacks.smoothed_records import SmoothedRecords
from rlsyn_env.tables.encoder import RecordEncoder

_FOLDS = 5
_FEWEST_ROWS = 50  # or groups; fewer are too few to tell
_MOST_ROWS = 2_000  # that are compared; of a forest at most five times as many
_TREES = 100
_COPIES = 2  # of each row, with the places inside its cells drawn again
_SMALLEST_LEAF = 2  # rows
_LEAST = 0.01  # probability, so that one row cannot decide
_PLACES = 5  # inside the cells of the features before: a mixture's answer is their mean


class TargetForest:
    """How likely each level of the column to predict is, given the features emitted before it.

    Args:
        encoder: of the rows.
        train: rows to fit to; at most 10,000 of them are taken.
        position: of the column; its feature has levels only, and is not the first.
        rng: of the choice, the encoding and the fit.
    """

    def __init__(
        self,
        encoder: RecordEncoder,
        train: pd.DataFrame,
        position: int,
        rng: np.random.Generator,
    ) -> None:
        self.position = position
        self._feature = encoder.features[position]
        rows = train.iloc[rng.permutation(len(train))[: 5 * _MOST_ROWS]]
        encoded = np.concatenate([encoder.encode(rows, rng) for _ in range(_COPIES)])
        self._forest = RandomForestClassifier(
            _TREES,
            min_samples_leaf=_SMALLEST_LEAF * _COPIES,
            random_state=int(rng.integers(2**31)),
        ).fit(encoded[:, :position], self._feature.cells_of(encoded[:, position]))

    def level_shares(self, records: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the shares ``(n, levels)`` of records ``(n, d)``, which sum to 1."""
        shares = np.zeros((len(records), self._feature.n_cells))
        shares[:, self._forest.classes_] = self._forest.predict_proba(records[:, : self.position])
        return shares

    def shares(
        self, records: npt.NDArray[np.float32], edges: npt.NDArray[np.float32]
    ) -> torch.Tensor:
        """Return the shares ``(n, K)`` float32 of bins with ascending edges ``(K + 1,)``."""
        cells, bins = np.asarray(self._feature.edges, dtype=np.float64), edges.astype(np.float64)
        common = np.minimum(cells[1:, None], bins[1:]) - np.maximum(cells[:-1, None], bins[:-1])
        parts = common.clip(0) / np.diff(cells)[:, None].clip(1e-12)
        shares = self.level_shares(records) @ parts
        shares /= shares.sum(axis=1, keepdims=True)
        return torch.as_tensor(shares, dtype=torch.float32)


def fit_target_forest(
    encoder: RecordEncoder, train: pd.DataFrame, components: int, rng: np.random.Generator
) -> TargetForest | None:
    """Return a forest of the column to predict, None where a mixture of the rows knows no less.

    Left-out rows decide: whether their levels are likelier under forests of the other rows or
    under mixtures of them. None also where the schema names no column to predict, where it is none
    of levels, comes first, or has fewer than 50 rows (or groups).

    Args:
        encoder: of the rows.
        train: rows; those of a group are left out together. At most 2,000 are compared.
        components: of the mixture (:class:`~agents.callbacks.smoothed_records.SmoothedRecords`).
        rng: of the folds, the encodings and the fits.
    """
    target = encoder.schema.target
    if target is None or target not in encoder.feature_names:
        return None
    (position,) = encoder.positions([target])
    if position == 0 or not encoder.features[position].is_atom.all():
        return None
    compared = train.iloc[rng.permutation(len(train))[:_MOST_ROWS]]
    groups = _groups(compared, encoder.schema.group)
    if len(np.unique(groups)) < _FEWEST_ROWS:
        return None
    gain = 0.0
    for fit, left_out in GroupKFold(_FOLDS).split(groups, groups=groups):
        asked, known = compared.iloc[left_out], compared.iloc[fit]
        forest = TargetForest(encoder, known, position, rng)
        mixture = SmoothedRecords(encoder, known, components, rng)
        by_forest, by_mixture = (
            np.mean(list(shares), axis=0)
            for shares in zip(*_answers(encoder, asked, forest, mixture, rng), strict=True)
        )
        levels = encoder.features[position].cells_of(encoder.encode(asked, rng)[:, position])
        rows = np.arange(len(levels))
        gain += float(np.log(by_forest[rows, levels].clip(_LEAST)).sum())
        gain -= float(np.log(by_mixture[rows, levels].clip(_LEAST)).sum())
    return TargetForest(encoder, train, position, rng) if gain > 0 else None


def _groups(rows: pd.DataFrame, group: str | None) -> npt.NDArray[np.intp]:
    """Return a number for every row, the same for rows of a group."""
    if group is None or group not in rows.columns:
        return np.arange(len(rows))
    return pd.factorize(rows[group], use_na_sentinel=False)[0]


def _answers(
    encoder: RecordEncoder,
    asked: pd.DataFrame,
    forest: TargetForest,
    mixture: SmoothedRecords,
    rng: np.random.Generator,
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Yield the shares ``(n, levels)`` that forest and mixture give, for places drawn again."""
    edges = np.asarray(encoder.features[forest.position].edges, dtype=np.float32)
    of_all = np.tile(edges, (encoder.n_features, 1))
    for _ in range(_PLACES):
        records = encoder.encode(asked, rng)
        by_mixture = mixture.shares(records, of_all)[:, forest.position].numpy()
        yield forest.level_shares(records), by_mixture
