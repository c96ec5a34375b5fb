"""A population of patients whose every prevalence and correlation is known exactly.

A patient has an age, a sex and is frail or not; together these are the patient's *cell*. Given the
cell, latent disease clusters are present or not, independently; given cell and cluster, the codes
of the cluster are present or not, independently, but that a code of the other sex never is and a
child needs its parent. Cells are few, so that all expectations are sums over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.errors import ConfigError

FloatArray = npt.NDArray[np.float64]

AGES = np.arange(18, 92)
FEMALE_SHARE = 0.53
RACES = ("WHITE", "BLACK", "ASIAN", "HISPANIC", "UNKNOWN", "OTHER")
RACE_SHARES = (0.66, 0.13, 0.05, 0.06, 0.05, 0.05)
MIN_CODES = 10
DEATH_SHARE = 0.113
"""As published for MIMIC-IV."""


@dataclass(frozen=True)
class Codes:
    """The codes of a population, one entry per code in column order.

    Attributes:
        names: column names; ``dx_0012_1`` is a child of ``dx_0012``.
        cluster: (m,) cluster of each code.
        parent: (m,) position of the parent, -1 for none.
        sex: (m,) -1 for both sexes, 1 for women only, 0 for men only.
    """

    names: tuple[str, ...]
    cluster: npt.NDArray[np.int64]
    parent: npt.NDArray[np.int64]
    sex: npt.NDArray[np.int64]


class EhrPopulation:
    """The distribution that :func:`simulate_ehr` draws from.

    Args:
        n_codes: number of code columns, at least 10.
        seed: of the distribution's parameters; two populations of the same two numbers are equal.

    Attributes:
        codes: names, clusters, parents and sexes of the codes.
        cell_age, cell_female, cell_frail, cell_share: (c,) the cells and their probabilities.
        cluster_share: (c, K) probability of each cluster given the cell.
        code_share: (c, 2, m) probability of each code given the cell and whether its cluster is
            absent (0) or present (1); of a child: given its parent too.
    """

    def __init__(self, n_codes: int, seed: int = 0) -> None:
        if n_codes < MIN_CODES:
            raise ConfigError(f"a simulated cohort needs {MIN_CODES} codes or more, got {n_codes}")
        rng = np.random.default_rng(np.random.SeedSequence([seed, n_codes]))
        self._make_cells()
        n_clusters = int(np.clip(n_codes // 30, 4, 48))
        self.codes = _make_codes(n_codes, n_clusters, rng)
        logits = (
            _logit(rng.uniform(0.04, 0.3, n_clusters))
            + np.outer(self._age, rng.normal(0.5, 0.4, n_clusters))
            + np.outer(self.cell_female, rng.normal(0, 0.3, n_clusters))
            + np.outer(self.cell_frail, rng.uniform(0.3, 1.3, n_clusters))
        )
        self.cluster_share = _sigmoid(logits)
        self.code_share = self._make_code_shares(rng)
        self.cluster_deadliness = np.zeros(n_clusters)
        prevalence = self.cell_share @ self.cluster_share
        deadly = np.argsort(prevalence)[: int(np.clip(n_clusters // 4, 2, 5))]
        risk = rng.uniform(0.25, 0.6, len(deadly))
        risk *= min(1.0, 0.7 * DEATH_SHARE / float(prevalence[deadly] @ risk))
        self.cluster_deadliness[deadly] = risk
        self.base_death = self._base_death()
        self.vitals_missing = _sigmoid(
            np.stack([-0.6 - 0.5 * self._age, -0.9 - 0.5 * self._age], axis=1)
        )

    @property
    def constraints(self) -> tuple[str, ...]:
        """Expressions that every patient satisfies (missing measurements aside)."""
        names = self.codes.names
        rules = ["DIASTOLIC < SYSTOLIC"]
        for position, sex in enumerate(self.codes.sex):
            if sex >= 0:
                rules.append(f"GENDER == '{'F' if sex else 'M'}' or {names[position]} == 0")
        for position, parent in enumerate(self.codes.parent):
            if parent >= 0:
                rules.append(f"{names[position]} <= {names[parent]}")
        return tuple(rules)

    @cached_property
    def prevalences(self) -> pd.Series:
        """Exact share of patients with each code, and of deaths (``DIE_1y``)."""
        shares = self.cell_share @ self._code_means
        dead = self.cell_share @ (1 - self._alive)
        return pd.Series([*shares, dead], index=[*self.codes.names, "DIE_1y"])

    def correlations(self) -> pd.DataFrame:
        """Return exact Pearson correlations (m + 3, m + 3) of the codes, DIE_1y, AGE and GENDER.

        GENDER counts as 1 for "F". The codes' part is a sum over pairs of codes of one cluster on
        top of what the cells explain.
        """
        share, means = self.cell_share, self._code_means
        joint = means.T @ (share[:, None] * means)
        for cluster in range(self.cluster_share.shape[1]):
            inside = np.flatnonzero(self.codes.cluster == cluster)
            present = self.cluster_share[:, cluster]
            both: FloatArray = np.zeros((len(inside), len(inside)))
            for z, weight in enumerate((1 - present, present)):
                joint_z = self._joint_given(z, inside)
                both += np.einsum("c,cij->ij", share * weight, joint_z)
            joint[np.ix_(inside, inside)] = both
        extra = np.stack([1 - self._alive, self.cell_age.astype(float), self.cell_female], axis=1)
        with_extra = means.T @ (share[:, None] * extra)
        with_extra[:, 0] = self.prevalences.to_numpy()[:-1] - share @ self._code_and_alive
        extra_joint = extra.T @ (share[:, None] * extra)
        extra_joint[0, 0] = self.prevalences["DIE_1y"]
        second = np.block([[joint, with_extra], [with_extra.T, extra_joint]])
        first = np.concatenate([share @ means, share @ extra])
        covariance = second - np.outer(first, first)
        deviation = np.sqrt(np.diag(covariance))
        names = [*self.codes.names, "DIE_1y", "AGE", "GENDER"]
        return pd.DataFrame(covariance / np.outer(deviation, deviation), index=names, columns=names)

    def missing_shares(self) -> pd.Series:
        """Return the exact share of missing values of BMI, SYSTOLIC and DIASTOLIC."""
        bmi, pressure = self.cell_share @ self.vitals_missing
        return pd.Series([bmi, pressure, pressure], index=["BMI", "SYSTOLIC", "DIASTOLIC"])

    def _make_cells(self) -> None:
        years = (AGES - 17) / (AGES[-1] - 16)
        age_share = 0.3 + years * (1 - years) ** 0.7
        age_share /= age_share.sum()
        frail_share = _sigmoid(-1.6 + 1.1 * (AGES - 55) / 20)
        grid = np.meshgrid(np.arange(len(AGES)), [0, 1], [0, 1], indexing="ij")
        age, female, frail = (axis.ravel() for axis in grid)
        self.cell_age = AGES[age]
        self.cell_female = female.astype(float)
        self.cell_frail = frail.astype(float)
        self.cell_share = (
            age_share[age]
            * np.where(female == 1, FEMALE_SHARE, 1 - FEMALE_SHARE)
            * np.where(frail == 1, frail_share[age], 1 - frail_share[age])
        )
        self._age = (self.cell_age - 55) / 20

    def _make_code_shares(self, rng: np.random.Generator) -> FloatArray:
        codes, n = self.codes, len(self.codes.names)
        effect = (
            np.outer(self._age, rng.normal(0.3, 0.3, n))
            + np.outer(self.cell_female, rng.normal(0, 0.2, n))
            + np.outer(self.cell_frail, rng.uniform(0, 0.6, n))
        )
        logits = np.stack([effect, effect + rng.uniform(1.0, 3.5, n)], axis=1)
        allowed = np.ones((len(self.cell_share), n))
        allowed[:, codes.sex == 1] = self.cell_female[:, None]
        allowed[:, codes.sex == 0] = 1 - self.cell_female[:, None]
        present = self.cluster_share[:, codes.cluster]
        weight = np.stack([1 - present, present], axis=1) * (
            self.cell_share[:, None, None] * allowed[:, None, :]
        )
        root = codes.parent < 0
        targets = np.empty(n)
        ranks = rng.permutation(int(root.sum()))
        targets[root] = 0.4 / (1 + ranks / 8) * np.exp(-3.3 * ranks / len(ranks))
        targets[~root] = rng.uniform(0.1, 0.6, int((~root).sum()))  # given the parent
        low, high = np.full(n, -30.0), np.full(n, 10.0)
        reach = np.where(root, 1.0, weight.sum(axis=(0, 1)))
        for _ in range(50):  # the intercepts that give the codes these prevalences
            middle = (low + high) / 2
            below = (weight * _sigmoid(logits + middle)).sum(axis=(0, 1)) < targets * reach
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        shares: FloatArray = _sigmoid(logits + high) * allowed[:, None, :]
        return shares

    def _base_death(self) -> FloatArray:
        """(c,) probability of death by none of the clusters, so that DEATH_SHARE die in all."""
        survive = (1 - self.cluster_share * self.cluster_deadliness).prod(axis=1)
        low, high = -20.0, 5.0
        for _ in range(60):
            middle = (low + high) / 2
            base = _sigmoid(middle + 0.8 * self._age + 0.9 * self.cell_frail)
            died = 1 - float(self.cell_share @ ((1 - base) * survive))
            low, high = (middle, high) if died < DEATH_SHARE else (low, middle)
        return base

    @cached_property
    def _marginal_share(self) -> FloatArray:
        """(c, 2, m) probability of each code given cell and cluster; a child's with its parent."""
        shares = self.code_share.copy()
        child = np.flatnonzero(self.codes.parent >= 0)
        shares[:, :, child] *= self.code_share[:, :, self.codes.parent[child]]
        return shares

    @cached_property
    def _code_means(self) -> FloatArray:
        present = self.cluster_share[:, self.codes.cluster]
        absent_part = (1 - present) * self._marginal_share[:, 0]
        return np.asarray(absent_part + present * self._marginal_share[:, 1])

    @cached_property
    def _alive(self) -> FloatArray:
        survive = 1 - self.cluster_share * self.cluster_deadliness
        return np.asarray((1 - self.base_death) * survive.prod(axis=1))

    @cached_property
    def _code_and_alive(self) -> FloatArray:
        """(c, m) probability of having a code and living, given the cell."""
        survive = 1 - self.cluster_share * self.cluster_deadliness
        others = (self._alive[:, None] / survive)[:, self.codes.cluster]
        present = self.cluster_share[:, self.codes.cluster]
        deadly = self.cluster_deadliness[self.codes.cluster]
        with_cluster = present * self._marginal_share[:, 1] * (1 - deadly)
        return np.asarray(others * ((1 - present) * self._marginal_share[:, 0] + with_cluster))

    def _joint_given(self, z: int, inside: npt.NDArray[np.int64]) -> FloatArray:
        """(c, k, k) probability of having two codes of one cluster, given cell and cluster."""
        shares = self._marginal_share[:, z][:, inside]
        joint = shares[:, :, None] * shares[:, None, :]
        parent = self.codes.parent[inside]
        where = {int(code): index for index, code in enumerate(inside)}
        for i, code in enumerate(inside):
            joint[:, i, i] = shares[:, i]
            if parent[i] < 0:
                continue
            above = where[int(parent[i])]
            joint[:, i, above] = joint[:, above, i] = shares[:, i]
            for j in np.flatnonzero(parent == parent[i]):
                if j != i:  # siblings are independent given their parent, not given the cluster
                    joint[:, i, j] = shares[:, j] * self.code_share[:, z, code]
        return np.asarray(joint)


def _make_codes(n: int, n_clusters: int, rng: np.random.Generator) -> Codes:
    """Clusters are runs of columns; a fifth of the codes are children, a twentieth has a sex."""
    n_children = n // 5
    n_roots = n - n_children
    root_cluster = np.sort(rng.integers(0, n_clusters, n_roots))
    root_sex = np.full(n_roots, -1)
    special = rng.permutation(n_roots)[: max(2, n_roots // 20)]
    root_sex[special] = np.arange(len(special)) % 2
    children = np.bincount(rng.integers(0, n_roots, n_children), minlength=n_roots)
    names: list[str] = []
    cluster, parent, sex = [], [], []
    for root in range(n_roots):
        position = len(names)
        for child in range(children[root] + 1):
            names.append(f"dx_{root + 1:04d}" + (f"_{child}" if child else ""))
            cluster.append(root_cluster[root])
            parent.append(position if child else -1)
            sex.append(root_sex[root])
    return Codes(tuple(names), np.array(cluster), np.array(parent), np.array(sex))


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _logit(p: FloatArray) -> FloatArray:
    return np.asarray(np.log(p / (1 - p)))
