"""Constraints: the share of records that break at least one rule.

Real records may break some too, so the figure is read against theirs: ideal is the share of
held-out rows that do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from rlsyn_env.metrics.bootstrap import stream
from rlsyn_env.metrics.judge_fidelity import fidelity_reference
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.rows import MAX_FIDELITY_ROWS
from rlsyn_env.tables.constraints import Constraints
from rlsyn_env.tables.constraints.columns import BoolArray, Table
from rlsyn_env.tables.schema import TableSchema

NAME = "constraint_violations"


def judge_constraints(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema,
    rules: Sequence[str],
    *,
    seed: int,
) -> tuple[dict[str, Metric], dict[str, Any], list[str]]:
    """Return ``constraint_violations``, the share per rule (the most broken first), and notices.

    All rows of every table are looked at. Rules whose columns are not in all three tables are left
    out, with a notice; without any rule there is no figure.

    Args:
        train: rows the generator was trained on.
        test: held-out rows.
        synthetic: the table to judge.
        schema: tells what the columns hold.
        rules: expressions over columns, see :class:`rlsyn_env.tables.constraints.Constraints`.
        seed: of the independent columns.

    Raises:
        SchemaError: a rule cannot be evaluated.
    """
    constraints = Constraints(rules, schema, "the constraints", table=train)
    tables = (train, test, synthetic)
    absent = {n for n in constraints.names if any(n not in table.columns for table in tables)}
    notices = []
    if absent:
        constraints = constraints.without(absent)
        notices.append(
            f"{len(rules) - len(constraints.rules)} constraint(s) are not judged: a table lacks "
            f"{', '.join(repr(name) for name in sorted(absent)[:5])}"
        )
    if not constraints.rules:
        return {}, {}, notices
    shares = {
        "test": _shares(constraints, test),
        "value": _shares(constraints, synthetic),
        "real": _shares(constraints, train),
        "independent": _shares(constraints, _independent(constraints, train, seed)),
    }
    values: dict[str, float | None] = {
        k: float(any_rule.mean()) for k, (any_rule, _) in shares.items()
    }
    records = shares["value"][0]
    interval = binomtest(int(records.sum()), len(records)).proportion_ci(0.95, method="wilson")
    metric = Metric(
        family="fidelity",
        value=values["value"],
        low=float(interval.low),
        high=float(interval.high),
        ideal=values["test"],
        direction="nearest to real rows",
        reference=fidelity_reference(values),
        description=(
            f"Share of synthetic records that break at least one of {len(constraints.rules)} "
            "constraints; ideal is the share of held-out records that do."
        ),
    )
    by_rule = {name: share for name, (_, share) in shares.items()}
    order = np.argsort(-by_rule["value"], kind="stable").tolist()
    details = [
        {
            "constraint": constraints.rules[k],
            "value": float(by_rule["value"][k]),
            "real": float(by_rule["test"][k]),
            "independent": float(by_rule["independent"][k]),
        }
        for k in order
    ]
    return {NAME: metric}, {NAME: details}, notices


def _shares(constraints: Constraints, table: Table) -> tuple[BoolArray, np.ndarray]:
    """Return which rows ``(n,)`` break any rule, and the share of rows per rule ``(m,)``."""
    shares = []
    broken_any: BoolArray | None = None
    for broken in constraints.broken_by_rule(table):
        shares.append(broken.mean())
        broken_any = broken if broken_any is None else broken_any | broken
    assert broken_any is not None  # there is a rule; for the type checker
    return broken_any, np.array(shares)


def _independent(constraints: Constraints, train: pd.DataFrame, seed: int) -> dict[str, pd.Series]:
    """Draw every named column by itself from the training rows."""
    rng = stream(seed, "constraints of independent columns")
    n = min(len(train), MAX_FIDELITY_ROWS)
    return {name: train[name].take(rng.integers(len(train), size=n)) for name in constraints.names}
