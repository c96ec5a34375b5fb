"""DOMIAS (van Breugel et al. 2023): where is the release denser than the population?

Score of a record: log density under the synthetic rows minus log density under reference rows
that are real and no members. Gaussian kernel densities after a PCA of synthetic and reference
rows, whitened, with Scott's bandwidth. The reference rows are half of the test rows and the other
half are the non-members, in both orders; the figure is the mean of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KernelDensity

from rlsyn_env.metrics.bootstrap import percentile_interval, weighted_auc
from rlsyn_env.metrics.full_suite.attack_rows import AttackRows, parts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.privacy import MembershipAttack
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import halves

EXPLAINED_VARIANCE = 0.9
MAX_COMPONENTS = 6
MAX_DENSITY_ROWS = 5_000


def domias(
    members: np.ndarray, non_members: np.ndarray, reference: np.ndarray, synthetic: np.ndarray
) -> MembershipAttack:
    """Attack by density ratio.

    Args:
        members: ``(n, k)`` rows the generator was trained on, standardised.
        non_members: ``(m, k)`` rows it never saw.
        reference: ``(r, k)`` real rows, disjoint from both.
        synthetic: ``(s, k)`` what was released.
    """
    pca = PCA().fit(np.concatenate([synthetic, reference]))
    usable = int((pca.explained_variance_ > 1e-9).sum())
    explained = np.cumsum(pca.explained_variance_ratio_)
    wanted = int(np.searchsorted(explained, EXPLAINED_VARIANCE)) + 1
    k = max(1, min(wanted, MAX_COMPONENTS, usable))
    axes = pca.components_[:k].T / np.sqrt(np.maximum(pca.explained_variance_[:k], 1e-9))
    attacked = (np.concatenate([members, non_members]) - pca.mean_) @ axes
    scores = _log_density((synthetic - pca.mean_) @ axes, attacked)
    scores -= _log_density((reference - pca.mean_) @ axes, attacked)
    is_member = np.arange(len(attacked)) < len(members)
    auc = float(weighted_auc(scores, is_member, np.ones((1, len(scores))))[0])
    return MembershipAttack(auc, scores, is_member)


def _log_density(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    bandwidth = len(rows) ** (-1.0 / (rows.shape[1] + 4))  # Scott's rule in whitened space
    density: np.ndarray = KernelDensity(bandwidth=bandwidth).fit(rows).score_samples(points)
    return density


@dataclass(frozen=True)
class DomiasRun:
    """One order of the halves: the attack and the positions of its non-members."""

    attack: MembershipAttack
    non_members: np.ndarray


def domias_runs(context: Context, attacked: AttackRows, release: str) -> list[DomiasRun]:
    """Attack a released table with both orders of the halves of the test rows.

    Empty when the test rows are a single group.
    """
    inside, outside = attacked.inside, attacked.outside
    synthetic = attacked.release(release)
    chosen = subsample(len(synthetic), MAX_DENSITY_ROWS, context.stream("domias rows"))
    first, second = halves(attacked.others, context.stream("domias halves"))
    if not len(first) or not len(second):
        return []
    return [
        DomiasRun(domias(inside, outside[kept], outside[given], synthetic[chosen]), kept)
        for given, kept in ((first, second), (second, first))
    ]


def judge_domias(context: Context, attacked: AttackRows) -> Findings:
    """Return ``domias_auc``."""
    runs = {name: domias_runs(context, attacked, name) for name in attacked.released}
    if not runs["value"]:
        return Findings({}, notices=("DOMIAS needs several groups of test rows: left out",))
    values = {k: float(np.mean([run.attack.auc for run in both])) for k, both in runs.items()}
    thirds = parts(attacked.others, 3, context.stream("domias thirds"))
    inside, outside = attacked.inside, attacked.outside
    real = None
    if all(len(third) for third in thirds):
        real = float(
            np.mean(
                [
                    domias(
                        inside,
                        outside[thirds[k - 1]],
                        outside[thirds[k - 2]],
                        outside[thirds[k]],
                    ).auc
                    for k in range(3)
                ]
            )
        )
    counts = attacked.counts(context, "domias")
    n_members = len(inside)
    replicates = [
        weighted_auc(
            run.attack.scores,
            run.attack.is_member,
            np.hstack([counts[:, :n_members], counts[:, n_members + run.non_members]]),
        )
        for run in runs["value"]
    ]
    low, high = percentile_interval(np.mean(replicates, axis=0))
    notices: tuple[str, ...] = ()
    if attacked.released["value"].n_rows > MAX_DENSITY_ROWS:
        notices = (f"DOMIAS estimates densities from {MAX_DENSITY_ROWS:,} synthetic rows",)
    metric = Metric(
        family="privacy",
        value=values["value"],
        low=low,
        high=high,
        ideal=0.5,
        direction="nearest to 0.5",
        reference={"real": real, "independent": values["independent"], "copy": values["copy"]},
        description=(
            "AUC of DOMIAS, an attacker who has other real rows too and calls a record a training "
            "record where the release is denser than the population: 0.5 is guessing."
        ),
        extra={
            "tpr_at_10pct_fpr": float(np.mean([run.attack.tpr_at(0.1) for run in runs["value"]]))
        },
    )
    return Findings({"domias_auc": metric}, notices=notices)
