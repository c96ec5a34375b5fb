"""Privacy figures of an evaluation, with intervals and references."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest

from rlsyn_env.metrics.bootstrap import percentile_interval, resample_counts, stream, weighted_auc
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.preparation import independent_marginals
from rlsyn_env.metrics.privacy import MembershipAttack, is_copy, membership_inference
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import MAX_ATTACKED_ROWS, JudgedRows, halves

N_INDEPENDENT_DRAWS = 5
"""Tables of independent marginals that the membership base line is averaged over.

A single draw moves the base line by some hundredths on a few hundred rows, and the excess with it;
above 5,000 synthetic rows one draw is steady enough.
"""
MAX_ROWS_FOR_SEVERAL_DRAWS = 5_000


def judge_privacy(rows: JudgedRows, *, n_bootstrap: int) -> dict[str, Metric]:
    """Return membership_auc, membership_excess and exact_copies."""
    auc, excess = _membership(rows, n_bootstrap)
    return {
        "membership_auc": auc,
        "membership_excess": excess,
        "exact_copies": _exact_copies(rows),
    }


def _membership(rows: JudgedRows, n_bootstrap: int) -> tuple[Metric, Metric]:
    members = rows.cut(rows.train, rows.membership_size, "members")
    others = rows.cut(rows.test, rows.membership_size, "non-members")
    synthetic = rows.cut(rows.synthetic, MAX_ATTACKED_ROWS, "attacked")
    design = DesignMatrix(rows.features, members, (rows.train, others, synthetic))
    inside, outside = design.transform(members), design.transform(others)
    attack = membership_inference(inside, outside, design.transform_blocks(synthetic))
    copy = membership_inference(inside, outside, inside)
    rng = stream(rows.seed, "membership marginals")
    several = synthetic.n_rows <= MAX_ROWS_FOR_SEVERAL_DRAWS
    independent = [
        membership_inference(
            inside,
            outside,
            design.transform_blocks(independent_marginals(rows.train, synthetic.n_rows, rng)),
        )
        for _ in range(N_INDEPENDENT_DRAWS if several else 1)
    ]
    base = float(np.mean([draw.auc for draw in independent]))
    real = None
    first, second = halves(others, stream(rows.seed, "halves of test"))
    if len(first) and len(second):  # a single group cannot be halved
        real = 0.5 * (
            membership_inference(inside, outside[second], outside[first]).auc
            + membership_inference(inside, outside[first], outside[second]).auc
        )

    is_member = attack.is_member
    groups = None
    if members.groups is not None and others.groups is not None:
        groups = np.concatenate([members.groups, others.groups])
    rng = stream(rows.seed, "membership resamples")
    counts = resample_counts(rng, n_bootstrap, len(is_member), groups=groups, strata=is_member)
    replicates = weighted_auc(attack.scores, is_member, counts)
    base_replicates = np.mean(
        [weighted_auc(draw.scores, is_member, counts) for draw in independent], axis=0
    )
    low, high = percentile_interval(replicates)
    attack_metric = Metric(
        family="privacy",
        value=attack.auc,
        low=low,
        high=high,
        ideal=0.5,
        direction="nearest to 0.5",
        reference={"real": real, "independent": base, "copy": copy.auc},
        description=(
            "AUC of an attacker who calls a record a training record when a synthetic one is near: "
            "0.5 is guessing, 1.0 always right."
        ),
        extra=_true_positive_rates(attack, independent),
    )
    low, high = percentile_interval(replicates - base_replicates)
    excess_metric = Metric(
        family="privacy",
        value=attack.auc - base,
        low=low,
        high=high,
        ideal=0.0,
        direction="lower",
        reference={
            "real": None if real is None else real - base,
            "independent": 0.0,
            "copy": copy.auc - base,
        },
        description=(
            "Membership AUC minus that of independent marginals on the same split (a split is "
            "never exactly fair): above 0 the synthetic rows lie nearer to the training rows. The "
            "marginals are made of training values and give a little away themselves where columns "
            "are few (an AUC of 0.55 with 2 columns, 0.52 with 5, of 140 rows)."
        ),
    )
    return attack_metric, excess_metric


def _true_positive_rates(
    attack: MembershipAttack, independent: Sequence[MembershipAttack]
) -> dict[str, float | None]:
    rates: dict[str, float | None] = {}
    for percent in (1, 10):
        fpr = percent / 100
        rates[f"tpr_at_{percent}pct_fpr"] = attack.tpr_at(fpr)
        rates[f"tpr_at_{percent}pct_fpr_independent"] = float(
            np.mean([draw.tpr_at(fpr) for draw in independent])
        )
    return rates


def _exact_copies(rows: JudgedRows) -> Metric:
    copies = is_copy(rows.synthetic, rows.train, rows.features)
    test_share = float(is_copy(rows.test, rows.train, rows.features).mean())
    # Wilson's interval: resamples of a share of 0 are all 0, which would claim certainty.
    interval = binomtest(int(copies.sum()), len(copies)).proportion_ci(0.95, method="wilson")
    return Metric(
        family="privacy",
        value=float(copies.mean()),
        low=float(interval.low),
        high=float(interval.high),
        ideal=test_share,
        direction="lower",
        reference={
            "real": test_share,
            "independent": float(is_copy(rows.independent, rows.train, rows.features).mean()),
            "copy": 1.0,
        },
        description=(
            "Share of synthetic rows that equal a training row in every compared column; compare "
            "with the share of test rows that do."
        ),
        extra={"count": float(copies.sum())},
    )
