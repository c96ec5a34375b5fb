"""Near copies: synthetic rows closer to a training row than real rows hardly ever are."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from rlsyn_env.metrics.bootstrap import LEVEL, resample_counts
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


def near_copies_interval(
    near: np.ndarray, held_out: np.ndarray, counts: np.ndarray
) -> tuple[float, float]:
    """Return the interval of the share of synthetic rows within the threshold.

    Wilson's, of the counts at the ends of the threshold's own interval, which depends on which
    test rows there are and does not shrink with the number of synthetic ones.

    Args:
        near: distances ``(s,)`` of synthetic rows.
        held_out: distances ``(m,)`` of test rows.
        counts: resamples ``(B, m)`` of the latter.
    """
    order = np.argsort(held_out, kind="stable")
    reached = np.cumsum(counts[:, order], axis=1) >= QUANTILE * counts.sum(axis=1, keepdims=True)
    thresholds = held_out[order][reached.argmax(axis=1)]
    ends = np.quantile(thresholds, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    low, high = (
        binomtest(int((near <= end).sum()), len(near)).proportion_ci(LEVEL, method="wilson")
        for end in ends
    )
    return float(low.low), float(high.high)


def judge_near_copies(context: Context, attacked: AttackRows) -> Findings:
    """Return ``near_copies``."""
    inside = attacked.inside
    held_out = nearest_distances(attacked.outside, inside)
    threshold = near_copy_threshold(held_out)
    distances = {
        name: nearest_distances(attacked.release(name), inside) for name in attacked.released
    }
    near = {name: found <= threshold for name, found in distances.items()}
    hits = int(near["value"].sum())
    counts = resample_counts(
        context.stream("near copies"),
        context.n_bootstrap,
        len(held_out),
        groups=attacked.others.groups,
    )
    low, high = near_copies_interval(distances["value"], held_out, counts)

    def real(first: np.ndarray, second: np.ndarray) -> float:
        return float((held_out[first] <= near_copy_threshold(held_out[second])).mean())

    halves_share = over_halves(context, attacked.others, real)
    return Findings(
        {
            "near_copies": Metric(
                family="privacy",
                value=hits / len(near["value"]),
                low=low,
                high=high,
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
