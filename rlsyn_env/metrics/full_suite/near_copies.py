"""Near copies: synthetic rows closer to a training row than real rows hardly ever are."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from rlsyn_env.metrics.full_suite.attack_rows import AttackRows, over_halves
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.privacy import nearest_distances
from rlsyn_env.metrics.report import Metric

QUANTILE = 0.05


def near_copy_threshold(test_distances: np.ndarray) -> float:
    """Distance to train that the nearest 5 % of the test rows do not exceed.

    An observed distance, not an interpolated one: in tables of levels many are equal.
    """
    return float(np.quantile(test_distances, QUANTILE, method="inverted_cdf"))


def judge_near_copies(context: Context, attacked: AttackRows) -> Findings:
    """Return ``near_copies``."""
    inside = attacked.inside
    held_out = nearest_distances(attacked.outside, inside)
    threshold = near_copy_threshold(held_out)
    near = {
        name: nearest_distances(attacked.release(name), inside) <= threshold
        for name in attacked.released
    }
    hits = int(near["value"].sum())
    interval = binomtest(hits, len(near["value"])).proportion_ci(0.95, method="wilson")

    def real(first: np.ndarray, second: np.ndarray) -> float:
        return float((held_out[first] <= near_copy_threshold(held_out[second])).mean())

    halves_share = over_halves(context, attacked.others, real)
    return Findings(
        {
            "near_copies": Metric(
                family="privacy",
                value=hits / len(near["value"]),
                low=float(interval.low),
                high=float(interval.high),
                ideal=float((held_out <= threshold).mean()),
                direction="lower",
                reference={
                    "real": halves_share,
                    "independent": float(near["independent"].mean()),
                    "copy": float(near["copy"].mean()),
                },
                description=(
                    "Share of synthetic rows as near to a training row as the nearest 5 % of the "
                    "test rows are. About that share is what fresh real rows show; ties raise it."
                ),
                extra={"threshold": threshold, "count": float(hits)},
            )
        }
    )
