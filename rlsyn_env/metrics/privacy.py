"""Attacks on the training rows, as far as this report goes. None of them is a guarantee."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min, roc_curve

from rlsyn_env.metrics.bootstrap import weighted_auc
from rlsyn_env.metrics.preparation import Feature, FeatureTable

_ROWS_AT_A_TIME = 5_000


@dataclass(frozen=True)
class MembershipAttack:
    """Scores of a membership inference attack.

    Attributes:
        auc: area under the ROC curve, members positive; 0.5 when the attacker learns nothing.
        scores: float64 ``(n,)``, higher means "was in the training data".
        is_member: bool ``(n,)``.
    """

    auc: float
    scores: np.ndarray
    is_member: np.ndarray

    def roc(self) -> tuple[np.ndarray, np.ndarray]:
        """Return false and true positive rates, from (0, 0) to (1, 1), ties as one step."""
        fpr, tpr, _ = roc_curve(self.is_member, self.scores, drop_intermediate=False)
        return fpr, tpr

    def tpr_at(self, fpr: float) -> float:
        """Largest true positive rate of a threshold whose false positive rate is at most ``fpr``.

        With n non-members, rates below 1/n mean "no false positive at all".
        """
        false, true = self.roc()
        return float(true[false <= fpr].max())


def nearest_distances(rows: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Distance ``(n,)`` of each of ``rows (n, k)`` to the nearest of ``references (m, k)``.

    The search uses the fast expanded form, whose rounding turns a distance of 0 into something
    tiny or (in published code) the root of a negative number; the distance to the row found is
    therefore computed again by subtraction, so an exact copy is at distance exactly 0.
    """
    return nearest_rows(rows, references)[1]


def nearest_rows(rows: np.ndarray, references: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position int64 ``(n,)`` of the nearest reference of each row, and the distance ``(n,)``."""
    nearest, _ = pairwise_distances_argmin_min(rows, references)
    distances: np.ndarray = np.sqrt(((rows - references[nearest]) ** 2).sum(axis=1))
    return nearest, distances


def membership_inference(
    members: np.ndarray, non_members: np.ndarray, synthetic: np.ndarray | Iterable[np.ndarray]
) -> MembershipAttack:
    """Distance-based membership inference: rows near a synthetic row are called members.

    Args:
        members: ``(n, k)`` rows the generator was trained on, standardised.
        non_members: ``(m, k)`` rows it never saw.
        synthetic: ``(s, k)`` what it released, or parts of it one after the other.
    """
    blocks = (synthetic,) if isinstance(synthetic, np.ndarray) else synthetic
    nearest = [
        np.concatenate([nearest_distances(members, block), nearest_distances(non_members, block)])
        for block in blocks
    ]
    scores = -np.min(nearest, axis=0)
    is_member = np.arange(len(scores)) < len(members)
    auc = float(weighted_auc(scores, is_member, np.ones((1, len(scores))))[0])
    return MembershipAttack(auc, scores, is_member)


def is_copy(rows: FeatureTable, originals: FeatureTable, features: Sequence[Feature]) -> np.ndarray:
    """Whether each row equals some row of ``originals`` in every feature (missing equals missing).

    Returns bool ``(n,)``.
    """
    known = set(_row_digests(originals, features))
    return np.array([row in known for row in _row_digests(rows, features)], dtype=bool)


def _row_digests(table: FeatureTable, features: Sequence[Feature]) -> Iterator[bytes]:
    """Yield 16 bytes for every row: wide rows are not kept, and 128 bits do not collide."""
    for start in range(0, table.n_rows, _ROWS_AT_A_TIME):
        part = slice(start, start + _ROWS_AT_A_TIME)
        values = np.column_stack([table.columns[f.name][part].astype(np.float64) for f in features])
        values[np.isnan(values)] = np.nan  # one bit pattern for every NaN
        for row in np.ascontiguousarray(values):
            yield blake2b(row.data, digest_size=16).digest()
