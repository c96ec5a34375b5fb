"""One judge for everybody: training rows, held-out rows and ``synthetic.csv`` in, figures out.

The figures are those of :func:`rlsyn_env.metrics.evaluate`, computed by the same functions on the
same rows with the same seeds. What does not depend on the synthetic table (real rows,
independent marginals) is computed once per table and seed, see :mod:`benchmarks.field.references`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.field.code_figures import (
    code_matrix,
    correlation_difference,
    forest_two_sample_auc,
)
from rlsyn_env.errors import TableError
from rlsyn_env.metrics import Metric, column_shapes, pair_trends
from rlsyn_env.metrics.bootstrap import stream
from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.fidelity import c2st
from rlsyn_env.metrics.full_suite.attack_rows import attack_rows
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.full_suite.domias import judge_domias
from rlsyn_env.metrics.judge_privacy import judge_privacy
from rlsyn_env.metrics.predictive_task import predictive_task
from rlsyn_env.metrics.rows import MAX_C2ST_ROWS, JudgedRows, judged_rows
from rlsyn_env.metrics.utility import utility_ratio
from rlsyn_env.tables.inference import complete_schema
from rlsyn_env.tables.reader import read_table
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.splits import is_class_target

N_BOOTSTRAP = 100

Figure = dict[str, float | None]
"""``value``, its interval ``low`` and ``high`` where there is one, and references beside it."""
Figures = dict[str, Figure]


def read_real(
    train: Path, test: Path, schema: TableSchema
) -> tuple[pd.DataFrame, pd.DataFrame, TableSchema]:
    """Return training and test rows from CSV, and the schema completed from the training rows."""
    rows = read_table(train, schema=schema)
    return rows, read_table(test, schema=schema), complete_schema(schema, rows)


def read_synthetic(path: Path, schema: TableSchema, n_rows: int) -> pd.DataFrame:
    """Return a generator's table, read like the real ones.

    Raises:
        TableError: it lacks a column, has another number of rows than ``n_rows``, or holds values
            that do not fit its columns.
    """
    given = read_table(path)
    absent = [name for name in schema.names if name not in given.columns]
    if absent:
        raise TableError(f"synthetic.csv lacks the columns {', '.join(absent[:5])}")
    if len(given) != n_rows:
        raise TableError(f"synthetic.csv has {len(given)} rows, the training table {n_rows}")
    return read_table(path, schema=schema)


def judge(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema,
    seed: int,
    references: Figures,
) -> Figures:
    """Return figures by name, each with the references of its table and seed.

    Besides those of the quick suite: ``domias_auc``; ``c2st_codes``, a forest's two-sample test
    against held-out rows on numeric codes; ``corr``, the mean absolute difference of the
    correlation matrix from that of the **training** rows.

    Args:
        train: training rows.
        test: held-out rows.
        synthetic: as many rows as ``train``.
        schema: complete, with the target.
        seed: of the split; also of folds and forests.
        references: what :func:`benchmarks.field.references.references` gave for the same rows.
    """
    rows, _ = judged_rows(train, test, synthetic, schema, group=None, seed=seed)
    figures: Figures = {
        "column_shapes": {"value": column_shapes(test, synthetic, schema)},
        "pair_trends": {"value": pair_trends(test, synthetic, schema)},
        "c2st": _c2st(rows),
    }
    context = context_of(rows, schema, train)
    figures |= utility(context, references["r2r"]["value"])
    privacy = judge_privacy(rows, n_bootstrap=N_BOOTSTRAP)
    privacy |= judge_domias(context, attack_rows(context)).metrics
    figures |= {name: figure_of(metric) for name, metric in privacy.items()}
    real, released = code_matrix(rows.train), code_matrix(rows.synthetic)
    figures["c2st_codes"] = {"value": forest_two_sample_auc(code_matrix(rows.test), released, seed)}
    figures["corr"] = {"value": correlation_difference(real, released)}
    return {
        name: rounded({**_beside(references.get(name, {})), **figure})
        for name, figure in figures.items()
    }


def figure_of(metric: Metric) -> Figure:
    """Return the plain numbers of a metric."""
    figure: Figure = {"value": metric.value, "low": metric.low, "high": metric.high}
    figure |= {name: metric.reference.get(name) for name in ("real", "independent")}
    return figure


def rounded(figure: Mapping[str, float | None]) -> Figure:
    """Return a figure with five decimals, undefined numbers as None."""
    return {
        name: None if value is None or not np.isfinite(value) else round(float(value), 5)
        for name, value in figure.items()
    }


def _beside(reference: Figure) -> Figure:
    return {name: reference.get(name) for name in ("real", "independent")}


def context_of(rows: JudgedRows, schema: TableSchema, train: pd.DataFrame) -> Context:
    """Return rows and settings of an evaluation whose target is that of ``schema``."""
    target = schema.target
    classes = target is not None and is_class_target(train[target], schema.column(target).kind)
    return Context(rows, schema, target, classes, N_BOOTSTRAP, 1)


def _c2st(rows: JudgedRows) -> Figure:
    design = DesignMatrix(rows.features, rows.train, (rows.test, rows.synthetic, rows.train))
    scored = c2st(
        design.transform(rows.test),
        design.transform(rows.synthetic),
        stream(rows.seed, "c2st"),
        max_rows=min(rows.test.n_rows, MAX_C2ST_ROWS),
    )
    low, high = scored.interval(stream(rows.seed, "c2st resamples"), N_BOOTSTRAP)
    return {"value": scored.auc, "low": low, "high": high}


def utility(context: Context, r2r: float | None, *, all_synthetic: bool = False) -> Figures:
    """Return S2R and S2R / R2R; nothing where the target cannot be predicted.

    Models of synthetic rows learn from as many as there are training rows, or from all.
    """
    if context.target is None or r2r is None:
        return {}
    task, _ = predictive_task(
        context.rows,
        context.target,
        classes=context.classes,
        n_bootstrap=2,
        all_synthetic=all_synthetic,
    )
    if task is None:
        return {}
    s2r = float(task.score("synthetic").score()[0])
    ratio = utility_ratio(np.array([s2r]), np.array([r2r]), is_r2=not context.classes)
    return {
        "s2r": {"value": s2r},
        "r2r": {"value": r2r},
        "s2r_over_r2r": {"value": float(ratio[0])},
    }
