"""DOMIAS (van Breugel et al. 2023): where is the release denser than the population?

Score of a record: log density under the synthetic rows minus log density under reference rows
that are real and not among those attacked. Gaussian kernel densities after a PCA of synthetic and
reference rows, whitened, with Scott's bandwidth. There are two attackers. One has real rows of
other people: half of the test rows, and the other half are the non-members, in both orders. The
other, who finds more, has other training rows: members are attacked a fold at a time with the other
folds as reference, and all test rows are the non-members. Each figure is the mean over the attacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KernelDensity

from rlsyn_env.metrics.bootstrap import percentile_interval, weighted_auc
from rlsyn_env.metrics.full_suite.attack_rows import AttackRows, over_halves, parts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.privacy import MembershipAttack
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import halves

EXPLAINED_VARIANCE = 0.9
MAX_COMPONENTS = 6
MAX_DENSITY_ROWS = 5_000
FOLDS = 5


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
    """One choice of the reference: the attack and the positions of who is attacked."""

    attack: MembershipAttack
    members: np.ndarray
    non_members: np.ndarray


def domias_runs(context: Context, attacked: AttackRows, release: str) -> list[DomiasRun]:
    """Attack a released table with both orders of the halves of the test rows as reference.

    Empty when the test rows are a single group.
    """
    inside, outside = attacked.inside, attacked.outside
    synthetic = _synthetic(context, attacked, release)
    first, second = halves(attacked.others, context.stream("domias halves"))
    if not len(first) or not len(second):
        return []
    everybody = np.arange(len(inside))
    return [
        DomiasRun(domias(inside, outside[kept], outside[given], synthetic), everybody, kept)
        for given, kept in ((first, second), (second, first))
    ]


def domias_fold_runs(context: Context, attacked: AttackRows, release: str) -> list[DomiasRun]:
    """Attack each fold of the training rows of a released table, the others as reference.

    Empty when the training rows are a single group.
    """
    everybody = np.arange(attacked.others.n_rows)
    synthetic = _synthetic(context, attacked, release)
    return _fold_runs(context, attacked, everybody, synthetic)


def _fold_runs(
    context: Context, attacked: AttackRows, others: np.ndarray, synthetic: np.ndarray
) -> list[DomiasRun]:
    inside, outside = attacked.inside, attacked.outside[others]
    folds = parts(attacked.members, FOLDS, context.stream("domias folds"))
    folds = [fold for fold in folds if 0 < len(fold) < len(inside)]
    return [
        DomiasRun(
            domias(inside[fold], outside, np.delete(inside, fold, axis=0), synthetic), fold, others
        )
        for fold in folds
    ]


def judge_domias(context: Context, attacked: AttackRows) -> Findings:
    """Return ``domias_auc`` and ``domias_folds_auc``."""
    notices = []
    if attacked.released["value"].n_rows > MAX_DENSITY_ROWS:
        notices.append(f"DOMIAS estimates densities from {MAX_DENSITY_ROWS:,} synthetic rows")
    metrics = {}
    for name, (attack, real, knows, of_whom) in {
        "domias_auc": (domias_runs, _real_from_thirds, "other real rows", "test"),
        "domias_folds_auc": (domias_fold_runs, _real_from_folds, "other training rows", "training"),
    }.items():
        runs = {release: attack(context, attacked, release) for release in attacked.released}
        if not runs["value"]:
            notices.append(f"DOMIAS from {knows} needs several groups of {of_whom} rows: left out")
            continue
        metrics[name] = _metric(context, attacked, runs, real(context, attacked), knows)
    return Findings(metrics, notices=tuple(notices))


def _metric(
    context: Context,
    attacked: AttackRows,
    runs: Mapping[str, list[DomiasRun]],
    real: float | None,
    knows: str,
) -> Metric:
    counts = attacked.counts(context, "domias")
    n_members = len(attacked.inside)
    replicates = [
        weighted_auc(
            run.attack.scores,
            run.attack.is_member,
            np.hstack([counts[:, run.members], counts[:, n_members + run.non_members]]),
        )
        for run in runs["value"]
    ]
    low, high = percentile_interval(_mean(runs["value"], replicates))
    values = {
        release: float(_mean(of_release, [run.attack.auc for run in of_release]))
        for release, of_release in runs.items()
    }
    return Metric(
        family="privacy",
        value=values["value"],
        low=low,
        high=high,
        ideal=0.5,
        direction="nearest to 0.5",
        reference={"real": real, "independent": values["independent"], "copy": values["copy"]},
        description=(
            f"AUC of DOMIAS, an attacker who has {knows} too and calls a record a training "
            "record where the release is denser than those: 0.5 is guessing."
        ),
        extra={
            "tpr_at_10pct_fpr": float(np.mean([run.attack.tpr_at(0.1) for run in runs["value"]]))
        },
    )


def _mean(runs: Sequence[DomiasRun], figures: Sequence[np.ndarray] | Sequence[float]) -> np.ndarray:
    """Mean over runs, in which every member counts alike; NaN in one run leaves that run out.

    A resample of few groups may have drawn nobody of a fold.
    """
    known = np.ma.masked_invalid(figures)
    mean = np.ma.average(known, axis=0, weights=[len(run.members) for run in runs])
    return np.ma.filled(mean, np.nan)


def _real_from_thirds(context: Context, attacked: AttackRows) -> float | None:
    """A third of the test rows as release, one as reference, one as non-members, in turn."""
    thirds = parts(attacked.others, 3, context.stream("domias thirds"))
    if not all(len(third) for third in thirds):
        return None
    inside, outside = attacked.inside, attacked.outside
    aucs = [
        domias(inside, outside[thirds[k - 1]], outside[thirds[k - 2]], outside[thirds[k]]).auc
        for k in range(3)
    ]
    return float(np.mean(aucs))


def _real_from_folds(context: Context, attacked: AttackRows) -> float | None:
    """Half of the test rows as release, the other as non-members, and the other way round."""

    def auc(released: np.ndarray, others: np.ndarray) -> float:
        runs = _fold_runs(context, attacked, others, attacked.outside[released])
        return float(_mean(runs, [run.attack.auc for run in runs]))

    return over_halves(context, attacked.others, auc)


def _synthetic(context: Context, attacked: AttackRows, release: str) -> np.ndarray:
    rows = attacked.release(release)
    return rows[subsample(len(rows), MAX_DENSITY_ROWS, context.stream("domias rows"))]
