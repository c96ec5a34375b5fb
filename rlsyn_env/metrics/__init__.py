"""Judging a synthetic table on held-out rows: fidelity, utility, and attacks on the training rows.

:func:`evaluate` gives the whole report; :func:`column_shapes` and :func:`pair_trends` are the fast
figures to watch during training.
"""

from rlsyn_env.metrics.column_shapes import column_shape_table, column_shapes
from rlsyn_env.metrics.evaluation import evaluate
from rlsyn_env.metrics.full_suite import compared_dimension_wise_distances
from rlsyn_env.metrics.pair_trends import pair_trend_table, pair_trends
from rlsyn_env.metrics.report import Metric, Report
from rlsyn_env.tables.phecode_constraints import phecode_constraints

__all__ = [
    "Metric",
    "Report",
    "column_shape_table",
    "column_shapes",
    "compared_dimension_wise_distances",
    "evaluate",
    "pair_trend_table",
    "pair_trends",
    "phecode_constraints",
]
