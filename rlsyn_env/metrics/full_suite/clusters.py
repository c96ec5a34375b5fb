"""Are real and synthetic rows mixed evenly among clusters? NMI and the latent cluster figure.

StandardScaler and PCA to 80 % of the variance, fitted on training rows; k-means on held-out and
synthetic rows together, as many of each (the figures mean nothing for unequal sizes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from rlsyn_env.metrics.bootstrap import distance_interval, resample_counts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.judge_fidelity import fidelity_reference
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.report import Metric

EXPLAINED_VARIANCE = 0.8
N_CLUSTERS = 3
N_CLUSTERS_WIDE = 8
WIDE = 100
MAX_COLUMNS_FOR_SVD = 500
MIN_SQUARED_IMBALANCE = 1e-6
"""Floor of the squared imbalance: perfect balance has a logarithm of -19.9, not of -infinity."""


@dataclass(frozen=True)
class Clustering:
    """Cluster ``(n,)`` of every row, whether it is real, bool ``(n,)``, and its group, if any."""

    clusters: np.ndarray
    is_real: np.ndarray
    groups: np.ndarray | None = None

    def real_and_all(self, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Weight of real rows, and of all rows, per cluster: two arrays ``(B, K)``."""
        weights = np.ones((1, len(self.clusters))) if counts is None else counts
        member = (self.clusters[:, None] == np.unique(self.clusters)).astype(np.float64)
        return weights @ (member * self.is_real[:, None]), weights @ member

    def nmi(self, counts: np.ndarray | None = None) -> np.ndarray:
        """Normalised mutual information ``(B,)`` of cluster and is-real, in [0, 1]."""
        real, every = self.real_and_all(counts)
        total = every.sum(axis=1, keepdims=True)
        joint = np.concatenate([real, every - real], axis=1) / total
        origin = np.stack([real.sum(axis=1), (every - real).sum(axis=1)], axis=1) / total
        h_joint, h_cluster, h_origin = (_entropy(p) for p in (joint, every / total, origin))
        mean = 0.5 * (h_cluster + h_origin)
        shared = np.maximum(h_cluster + h_origin - h_joint, 0.0)
        return np.divide(shared, mean, out=np.zeros_like(mean), where=mean > 1e-12)

    def latent_cluster(self, counts: np.ndarray | None = None) -> np.ndarray:
        """log2 ``(B,)`` of the mean over clusters of (real share - 0.5)^2."""
        real, every = self.real_and_all(counts)
        share = np.divide(real, every, out=np.full_like(real, 0.5), where=every > 0)
        return np.log2(np.maximum(((share - 0.5) ** 2).mean(axis=1), MIN_SQUARED_IMBALANCE))


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy: np.ndarray = -(probabilities * logs).sum(axis=1)
    return entropy


@dataclass(frozen=True)
class Projection:
    """The leading principal components ``(k, c)`` of rows with the given mean ``(k,)``."""

    mean: np.ndarray
    components: np.ndarray


def principal_components(train: np.ndarray) -> Projection:
    """Return as many components of ``train (n, k)`` as explain 80 % of its variance."""
    # The singular values of 10,000 x 1,500 rows take minutes, their covariance seconds.
    solver = "covariance_eigh" if train.shape[1] > MAX_COLUMNS_FOR_SVD else "auto"
    pca = PCA(svd_solver=solver).fit(train)
    enough = np.searchsorted(np.cumsum(pca.explained_variance_ratio_), EXPLAINED_VARIANCE) + 1
    components = pca.components_[: min(int(enough), len(pca.components_))].T
    return Projection(pca.mean_, components)


def cluster_rows(
    projection: Projection,
    real: np.ndarray,
    synthetic: np.ndarray,
    rng: np.random.Generator,
    *,
    real_groups: np.ndarray | None = None,
    n_clusters: int = N_CLUSTERS,
) -> Clustering:
    """Cluster equal numbers of real and synthetic rows ``(n, k)`` after the projection.

    ``real_groups`` is int ``(n,)`` or None; synthetic rows are groups of their own.
    """
    size = min(len(real), len(synthetic))
    real_rows, synthetic_rows = (subsample(len(m), size, rng) for m in (real, synthetic))
    chosen = np.concatenate([real[real_rows], synthetic[synthetic_rows]])
    rows = (chosen - projection.mean) @ projection.components
    seed = int(rng.integers(2**31))
    kmeans = KMeans(min(n_clusters, len(rows)), n_init=10, random_state=seed).fit(rows)
    groups = None
    if real_groups is not None:
        own = int(real_groups.max()) + 1 + np.arange(size)
        groups = np.concatenate([real_groups[real_rows], own])
    return Clustering(kmeans.labels_, np.arange(2 * size) < size, groups)


def judge_clusters(context: Context, n_clusters: int | None = None) -> Findings:
    """Return ``cluster_nmi`` and ``latent_cluster``.

    There are 3 clusters, 8 above 100 columns, unless ``n_clusters`` is given.
    """
    transform = context.design.transform
    projection = principal_components(transform(context.tables["real"]))
    test = transform(context.test)
    k = n_clusters or (N_CLUSTERS_WIDE if len(context.features) > WIDE else N_CLUSTERS)
    found = {
        name: cluster_rows(
            projection,
            test,
            transform(table),
            context.stream("clusters"),
            real_groups=context.test.groups,
            n_clusters=k,
        )
        for name, table in context.tables.items()
    }
    scored = found["value"]
    counts = resample_counts(
        context.stream("cluster resamples"),
        context.n_bootstrap,
        len(scored.clusters),
        groups=scored.groups,
        strata=scored.is_real,
    )
    nmi = {name: float(clustering.nmi()[0]) for name, clustering in found.items()}
    latent = {name: float(clustering.latent_cluster()[0]) for name, clustering in found.items()}
    nmi_low, nmi_high = distance_interval(nmi["value"], scored.nmi(counts))
    # Resampling unmixes clusters a little, as it moves distances: the same shift back.
    latent_low, latent_high = distance_interval(
        latent["value"], scored.latent_cluster(counts), lower=-np.inf, upper=-2.0
    )
    how = f"k-means (k = {k}) on principal components of held-out and synthetic rows, equal sizes"
    return Findings(
        {
            "cluster_nmi": Metric(
                family="fidelity",
                value=nmi["value"],
                low=nmi_low,
                high=nmi_high,
                ideal=0.0,
                direction="lower",
                reference=fidelity_reference(nmi),
                description=f"Does the cluster tell a synthetic from a real row? {how}: 0 is no.",
            ),
            "latent_cluster": Metric(
                family="fidelity",
                value=latent["value"],
                low=latent_low,
                high=latent_high,
                ideal=None,
                direction="lower",
                reference=fidelity_reference(latent),
                description=(
                    f"log2 of how uneven the clusters mix; {how}: -2 is no mixing at all, the "
                    "lower the better."
                ),
            ),
        }
    )
