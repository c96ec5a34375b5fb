"""Which of the rules one would expect hold in every row of a release."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rlsyn_env.tables.constraints import Constraints
from rlsyn_env.tables.datasets.cohort_report import CohortReport

_MOST_NOTES = 5


def held_constraints(
    rules: Sequence[str], table: pd.DataFrame, report: CohortReport
) -> tuple[str, ...]:
    """Return the rules that every row with the values they need keeps; note the others.

    Args:
        rules: over columns of ``table``.
        table: every row of the cohort.
        report: receives a note for each of the most broken rules, and one for the rest.
    """
    constraints = Constraints(rules, table, "the cohort")
    counts = np.array([int(broken.sum()) for broken in constraints.broken_by_rule(table)])
    broken = [k for k in np.argsort(-counts, kind="stable") if counts[k]]
    for k in broken[:_MOST_NOTES]:
        report.notes.append(f"not a constraint, {counts[k]:,} rows break it: {rules[k]}")
    if len(broken) > _MOST_NOTES:
        report.notes.append(f"further rules that rows break: {len(broken) - _MOST_NOTES:,}")
    return tuple(rule for k, rule in enumerate(rules) if not counts[k])
