"""R2S: do synthetic rows follow the rule a model learned from real ones?"""

from __future__ import annotations

import numpy as np

from rlsyn_env.metrics.bootstrap import percentile_interval, resample_counts
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.predictive_task import missing_targets
from rlsyn_env.metrics.report import Metric


def judge_real_to_synthetic(context: Context) -> Findings:
    """Return ``r2s``: models of real training rows, scored on synthetic rows."""
    task = context.task
    if task is None:
        return Findings({})
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
        scores = task.score("train", scored_on=table, n_jobs=context.n_jobs)
        values[key] = float(scores.score()[0])
        if key == "value":
            counts = resample_counts(
                context.stream("r2s resamples"),
                context.n_bootstrap,
                len(known),
                strata=known if task.classes else None,
            )
            low, high = percentile_interval(scores.score(counts))
    metric = Metric(
        family="utility",
        value=values["value"],
        low=low,
        high=high,
        ideal=values["real"],
        direction="nearest to real rows",
        reference={key: values[key] for key in ("real", "independent", "copy")},
        description=(
            f"Mean {'AUROC' if task.classes else 'R2'} on synthetic rows of models trained on "
            "real training rows. Near the figure on held-out real rows is good; above it the "
            "synthetic rows are easier to predict than real ones. The copy scores models on "
            "rows they were trained on."
        ),
        note=note,
    )
    return Findings({"r2s": metric})
