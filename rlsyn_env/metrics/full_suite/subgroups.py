"""S2R by declared subgroups: does the synthetic table serve everybody as well?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from rlsyn_env.metrics.bootstrap import percentile_interval
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.preparation import FeatureTable
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.utility import UtilityScores

MIN_SUBGROUP_ROWS = 20
N_BANDS = 3


def subgroup_rows(
    context: Context, column: str, table: FeatureTable
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every subgroup of ``column`` by its label, with bool ``(n,)``: who belongs to it.

    Levels are subgroups; numbers fall into three bands at the tertiles of the training rows.
    """
    feature = next(f for f in context.features if f.name == column)
    values = table.columns[column]
    if not feature.numeric:
        levels = [str(level) for level in context.schema.column(column).levels]
        for code in range(feature.n_known):
            label = levels[code] if code < len(levels) else f"level {code + 1}"
            yield f"{column} = {label}", values == code
        return
    train = context.rows.train.columns[column]
    inner = np.quantile(train[~np.isnan(train)], np.linspace(0, 1, N_BANDS + 1)[1:-1])
    edges = [-np.inf, *np.unique(inner).tolist(), np.inf]
    for low, high in pairwise(edges):
        if np.isinf(low):
            label = f"{column} < {high:g}"
        elif np.isinf(high):
            label = f"{column} >= {low:g}"
        else:
            label = f"{low:g} <= {column} < {high:g}"
        yield label, (values >= low) & (values < high)


def judge_subgroups(context: Context) -> Findings:
    """Return ``s2r_worst_subgroup`` and ``subgroup_gap``, and every subgroup in the details."""
    task = context.task
    if task is None or not context.subgroups:
        return Findings({})
    found = {
        name: task.score(name, n_jobs=context.n_jobs)
        for name in ("synthetic", "train", "independent")
    }
    details: list[dict[str, Any]] = []
    skipped = []
    for column in context.subgroups:
        for label, members in subgroup_rows(context, column, task.tables["test"]):
            truth = task.targets["test"][members]
            if members.sum() < MIN_SUBGROUP_ROWS or len(np.unique(truth)) < 2:
                skipped.append(f"{label} ({int(members.sum())} test rows)")
                continue
            scores = {
                name: UtilityScores(truth, {k: p[members] for k, p in s.predictions.items()})
                for name, s in found.items()
            }
            drawn = scores["synthetic"].score(task.counts[:, members])
            gap = scores["train"].score(task.counts[:, members]) - drawn
            low, high = percentile_interval(drawn)
            gap_low, gap_high = percentile_interval(gap)
            details.append(
                {
                    "subgroup": label,
                    "rows": int(members.sum()),
                    "value": float(scores["synthetic"].score()[0]),
                    "low": low,
                    "high": high,
                    "real": float(scores["train"].score()[0]),
                    "independent": float(scores["independent"].score()[0]),
                    "gap_low": gap_low,
                    "gap_high": gap_high,
                }
            )
    notices: tuple[str, ...] = ()
    if skipped:
        notices = (
            f"subgroups with fewer than {MIN_SUBGROUP_ROWS} test rows, or one class, are not "
            f"scored: {', '.join(skipped)}",
        )
    if not details:
        return Findings({}, notices=notices)
    details.sort(key=lambda row: row["value"])
    worst = details[0]
    widest = max(details, key=lambda row: row["real"] - row["value"])
    score = "AUROC" if task.classes else "R2"
    metrics = {
        "s2r_worst_subgroup": Metric(
            family="utility",
            value=worst["value"],
            low=worst["low"],
            high=worst["high"],
            ideal=1.0,
            direction="higher",
            reference={
                "real": worst["real"],
                "independent": worst["independent"],
                "copy": worst["real"],
            },
            description=(
                f"Lowest {score} of S2R over the declared subgroups: {worst['subgroup']}. The "
                "lowest of several is low by chance alone: compare it with the real rows'."
            ),
        ),
        "subgroup_gap": Metric(
            family="utility",
            value=widest["real"] - widest["value"],
            low=widest["gap_low"],
            high=widest["gap_high"],
            ideal=0.0,
            direction="lower",
            reference={
                "real": 0.0,
                "independent": widest["real"] - widest["independent"],
                "copy": 0.0,
            },
            description=(
                f"Largest loss of {score} over the declared subgroups when synthetic rows replace "
                f"real ones in training: {widest['subgroup']}."
            ),
        ),
    }
    return Findings(metrics, {"subgroups": details}, notices)
