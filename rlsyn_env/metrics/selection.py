"""One number to choose between snapshots of a generator, which copying cannot improve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.fidelity import c2st
from rlsyn_env.metrics.preparation import FeatureTable, independent_marginals
from rlsyn_env.metrics.privacy import membership_inference
from rlsyn_env.metrics.rows import JudgedRows, judged_rows
from rlsyn_env.tables.constraints import schema_constraints
from rlsyn_env.tables.schema import TableSchema

_DRAWS = 3  # tables of independent marginals that the membership excess is measured against
_PENALTY_WEIGHT = 2.0  # of membership and of broken constraints, which C2ST's noise would drown


@dataclass(frozen=True)
class SelectionScore:
    """How good a synthetic table looks on validation rows.

    Attributes:
        c2st: AUC of a forest telling synthetic from validation rows, 0.5 is ideal.
        membership_excess: membership AUC, train against validation rows, minus that of independent
            marginals; 0 is ideal.
        violations: share of synthetic rows that break a constraint of the schema, minus that of
            validation rows.
    """

    c2st: float
    membership_excess: float
    violations: float = 0.0

    @property
    def total(self) -> float:
        """The lower the better; copying and broken records cost twice what they can gain."""
        penalty = max(0.0, self.membership_excess) + max(0.0, self.violations)
        return abs(self.c2st - 0.5) + _PENALTY_WEIGHT * penalty


def selection_score(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema,
    *,
    seed: int = 0,
) -> SelectionScore:
    """Score a synthetic table; never give it test rows.

    Args:
        train: rows the generator was trained on.
        validation: rows it never saw, at least 10.
        synthetic: what it generated, at least 10 rows.
        schema: of the tables.
        seed: of the subsamples, folds and forests: the same for all snapshots.

    Raises:
        TableError: for tables of fewer than 10 rows or without a column.
    """
    rows, _ = judged_rows(train, validation, synthetic, schema, group=schema.group, seed=seed)
    rng = np.random.default_rng(seed)
    members = rows.cut(rows.train, rows.membership_size, "members")
    others = rows.cut(rows.test, rows.membership_size, "non-members")
    design = DesignMatrix(rows.features, members, (rows.train, others, rows.synthetic))
    inside, outside = design.transform(members), design.transform(others)
    attack = membership_inference(inside, outside, design.transform(rows.synthetic)).auc
    base = [
        membership_inference(inside, outside, design.transform(table)).auc
        for table in _independent(rows, rng)
    ]
    test = c2st(outside, design.transform(rows.synthetic), rng, real_groups=others.groups)
    constraints = schema_constraints(schema)
    broken = [float(np.mean(constraints.violations(t) > 0)) for t in (synthetic, validation)]
    excess = attack - float(np.mean(base))
    return SelectionScore(float(test.auc), excess, broken[0] - broken[1])


def _independent(rows: JudgedRows, rng: np.random.Generator) -> Iterator[FeatureTable]:
    for _ in range(_DRAWS):
        yield independent_marginals(rows.train, rows.synthetic.n_rows, rng)
