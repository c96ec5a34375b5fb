"""Who is attacked, and with what: the same rows for every attack of the full suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rlsyn_env.metrics.bootstrap import resample_counts
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.preparation import FeatureTable, independent_marginals
from rlsyn_env.metrics.rows import MAX_ATTACKED_ROWS, halves


@dataclass(frozen=True)
class AttackRows:
    """Members (training rows), non-members (test rows), and what the attacker may look at.

    Attributes:
        members: rows the generator was trained on.
        others: held-out rows.
        released: tables in the place of the release: "value" (the synthetic table), "independent"
            (marginals of train) and "copy" (the training rows).
        design: the standardisation, fitted on members.
        groups: group of every member, then of every non-member, or None.
    """

    members: FeatureTable
    others: FeatureTable
    released: Mapping[str, FeatureTable]
    design: DesignMatrix
    groups: np.ndarray | None

    @cached_property
    def inside(self) -> np.ndarray:
        """Matrix ``(n, k)`` of the members."""
        return self.design.transform(self.members)

    @cached_property
    def outside(self) -> np.ndarray:
        """Matrix ``(m, k)`` of the non-members."""
        return self.design.transform(self.others)

    def release(self, name: str) -> np.ndarray:
        """Matrix ``(s, k)`` of a released table."""
        return self.design.transform(self.released[name])

    def release_blocks(self, name: str) -> Iterator[np.ndarray]:
        """Yield the rows of :meth:`release` in parts that fit into memory."""
        return self.design.transform_blocks(self.released[name])

    @property
    def is_member(self) -> np.ndarray:
        """Bool ``(n + m,)``: members first."""
        return np.arange(self.members.n_rows + self.others.n_rows) < self.members.n_rows

    def counts(self, context: Context, name: str) -> np.ndarray:
        """Resamples ``(B, n + m)`` of members and non-members, each keeping its number."""
        return resample_counts(
            context.stream(f"{name} resamples"),
            context.n_bootstrap,
            self.members.n_rows + self.others.n_rows,
            groups=self.groups,
            strata=self.is_member,
        )


def attack_rows(context: Context) -> AttackRows:
    """Choose the rows: as in the quick suite's membership attack."""
    rows = context.rows
    members = rows.cut(rows.train, rows.membership_size, "members")
    others = rows.cut(rows.test, rows.membership_size, "non-members")
    synthetic = rows.cut(rows.synthetic, MAX_ATTACKED_ROWS, "attacked")
    independent = independent_marginals(
        rows.train, synthetic.n_rows, context.stream("attack marginals")
    )
    released = {"value": synthetic, "independent": independent, "copy": members}
    design = DesignMatrix(rows.features, members, (rows.train, others, synthetic))
    groups = None
    if members.groups is not None and others.groups is not None:
        groups = np.concatenate([members.groups, others.groups])
    return AttackRows(members, others, released, design, groups)


def over_halves(
    context: Context, table: FeatureTable, figure: Callable[[np.ndarray, np.ndarray], float]
) -> float | None:
    """Mean of ``figure(first, second)`` over both orders of two halves of a table, by group.

    The reference "real rows" of an attack: one half stands in the place of the synthetic table,
    the other has to be told from the members. None when there is a single group.
    """
    first, second = halves(table, context.stream("halves of test"))
    if not len(first) or not len(second):
        return None
    return 0.5 * (figure(first, second) + figure(second, first))


def parts(table: FeatureTable, n_parts: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Split the rows at random into ``n_parts`` int64 position arrays of about equal size."""
    units = np.arange(table.n_rows) if table.groups is None else table.groups
    uniques, positions = np.unique(units, return_inverse=True)
    label = np.empty(len(uniques), dtype=np.int64)
    label[rng.permutation(len(uniques))] = np.arange(len(uniques)) % n_parts
    return [np.flatnonzero(label[positions] == k) for k in range(n_parts)]
