"""R2S: do synthetic rows follow the rule a model learned from real ones?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlsyn_env.metrics.bootstrap import percentile_interval, resample_counts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.predictive_task import PredictiveTask, missing_targets
from rlsyn_env.metrics.report import Metric


def judge_real_to_synthetic(context: Context) -> Findings:
    """Return ``r2s``: models of real training rows, scored on synthetic rows."""
    task = context.task
    return Findings({} if task is None else {"r2s": real_to_synthetic(context, task)})


def real_to_synthetic(
    context: Context,
    task: PredictiveTask,
    models: Mapping[str, Any] | None = None,
    model: str | None = None,
) -> Metric:
    """Return R2S of the quick suite's models, or of others by name.

    Args:
        context: gives resamples and threads.
        task: the prediction task.
        models: scikit-learn models by name in place of the quick suite's.
        model: what the description calls a single model; None where the mean of several is told.
    """
    scored = {"value": "synthetic", "real": "test", "independent": "independent", "copy": "train"}
    values: dict[str, float] = {}
    low = high = None
    note = ""
    for key, table in scored.items():
        known = task.targets[table][~missing_targets(task.targets[table])]
        if len(np.unique(known)) < 2:
            values[key] = float("nan")
            if key == "value":
                note = "the target does not vary among the synthetic rows"
            continue
        scores = task.score("train", scored_on=table, n_jobs=context.n_jobs, models=models)
        values[key] = float(scores.score()[0])
        if key == "value":
            counts = resample_counts(
                context.stream("r2s resamples"),
                context.n_bootstrap,
                len(known),
                strata=known if task.classes else None,
            )
            low, high = percentile_interval(scores.score(counts))
    return Metric(
        family="utility",
        value=values["value"],
        low=low,
        high=high,
        ideal=values["real"],
        direction="nearest to real rows",
        reference={key: values[key] for key in ("real", "independent", "copy")},
        description=(
            f"{'' if model else 'Mean '}{'AUROC' if task.classes else 'R2'} on synthetic rows of "
            f"{model or 'models'} trained on real training rows. Near the figure on held-out real "
            "rows is good; above it the synthetic rows are easier to predict than real ones. The "
            "copy scores models on rows they were trained on."
        ),
        note=note,
    )
