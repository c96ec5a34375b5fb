"""Membership inference on the low-density tenth: outliers are whom it hurts."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from rlsyn_env.metrics.bootstrap import percentile_interval, weighted_auc
from rlsyn_env.metrics.full_suite.attack_rows import AttackRows, over_halves
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.privacy import membership_inference
from rlsyn_env.metrics.report import Metric

SHARE = 0.1
N_NEIGHBOURS = 5
MIN_OUTLIERS = 5


def low_density(rows: np.ndarray, share: float = SHARE) -> np.ndarray:
    """Bool ``(n,)``: the ``share`` of ``rows (n, k)`` farthest from their 5th nearest other row."""
    n_neighbours = min(N_NEIGHBOURS, len(rows) - 1)
    distances, _ = NearestNeighbors(n_neighbors=n_neighbours).fit(rows).kneighbors()
    n_outliers = max(1, round(share * len(rows)))
    outliers = np.zeros(len(rows), dtype=bool)
    outliers[np.argsort(-distances[:, -1], kind="stable")[:n_outliers]] = True
    return outliers


def judge_membership_outliers(context: Context, attacked: AttackRows) -> Findings:
    """Return ``membership_auc_outliers``."""
    inside, outside = attacked.inside, attacked.outside
    outliers = low_density(np.concatenate([inside, outside]))
    is_member = attacked.is_member
    kinds = (int((outliers & is_member).sum()), int((outliers & ~is_member).sum()))
    if min(kinds) < MIN_OUTLIERS:
        return Findings(
            {},
            notices=(
                f"the low-density tenth holds {kinds[0]} training and {kinds[1]} test rows: too "
                "few to attack apart",
            ),
        )
    ones = outliers[None, :].astype(np.float64)
    runs = {
        name: membership_inference(inside, outside, attacked.release(name))
        for name in attacked.released
    }
    values = {k: float(weighted_auc(run.scores, is_member, ones)[0]) for k, run in runs.items()}

    def real(first: np.ndarray, second: np.ndarray) -> float:
        run = membership_inference(inside, outside[second], outside[first])
        kept = np.concatenate([outliers[is_member], outliers[~is_member][second]])
        weights = kept[None, :].astype(np.float64)
        return float(weighted_auc(run.scores, run.is_member, weights)[0])

    counts = attacked.counts(context, "membership") * outliers
    low, high = percentile_interval(weighted_auc(runs["value"].scores, is_member, counts))
    return Findings(
        {
            "membership_auc_outliers": Metric(
                family="privacy",
                value=values["value"],
                low=low,
                high=high,
                ideal=0.5,
                direction="nearest to 0.5",
                reference={
                    "real": over_halves(context, attacked.others, real),
                    "independent": values["independent"],
                    "copy": values["copy"],
                },
                description=(
                    "Membership inference by distance on the tenth of the records that lie "
                    f"farthest from others ({kinds[0]} training, {kinds[1]} test rows): 0.5 is "
                    "guessing."
                ),
            )
        }
    )
