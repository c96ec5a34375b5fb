"""S2R and R2R with the models of the paper, and with the second score of each task.

Histogram boosting as in the paper's MIMIC experiments (500 trees, learning rate 0.01, depth 15,
50 leaves) and an RBF support vector machine as in its AI-READI ones; AUPRC beside AUROC, RMSE
beside R2 for the quick suite's models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from rlsyn_env.metrics.bootstrap import percentile_interval, stream
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.predictive_task import PredictiveTask
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.utility import UtilityScores

BOOSTING = {"max_iter": 500, "learning_rate": 0.01, "max_depth": 15, "max_leaf_nodes": 50}
MAX_SVM_ROWS = 2000

MODEL_NAMES = {"boosting": "histogram gradient boosting", "svm": "a support vector machine (RBF)"}
_TABLES = {"s2r": "synthetic", "r2r": "train", "independent": "independent"}


def judge_predictive_models(context: Context) -> Findings:
    """Return s2r_boosting, r2r_boosting, s2r_svm, r2r_svm, and s2r/r2r by AUPRC or RMSE."""
    task = context.task
    if task is None:
        return Findings({})
    metrics: dict[str, Metric] = {}
    quick = {name: task.score(table, n_jobs=context.n_jobs) for name, table in _TABLES.items()}
    metrics |= _second_scores(task, quick)
    for name in MODEL_NAMES:
        models = {name: paper_model(name, task)}
        found = {}
        for key, table in _TABLES.items():
            rows = np.arange(len(task.rows[table]))
            if name == "svm":  # any rows, not the first ones: files are often sorted
                rows = subsample(len(rows), MAX_SVM_ROWS, stream(task.seed, "svm rows"))
            found[key] = task.score_rows(
                task.rows[table][rows], task.targets[table][rows], models=models
            )
        metrics |= model_scores(task, name, found)
    notices: tuple[str, ...] = ()
    if max(len(task.rows[table]) for table in _TABLES.values()) > MAX_SVM_ROWS:
        notices = (f"support vector machines are trained on {MAX_SVM_ROWS:,} rows",)
    return Findings(metrics, notices=notices)


def paper_model(name: str, task: PredictiveTask) -> Any:
    """Return the unfitted "boosting" or "svm" model of the paper for a task."""
    if name == "boosting":
        kind = HistGradientBoostingClassifier if task.classes else HistGradientBoostingRegressor
        return kind(random_state=task.seed, early_stopping=False, **BOOSTING)
    if task.classes:
        return make_pipeline(StandardScaler(), SVC())
    # An SVR sees targets in units of its epsilon.
    return TransformedTargetRegressor(
        make_pipeline(StandardScaler(), SVR()), transformer=StandardScaler()
    )


def model_scores(
    task: PredictiveTask, name: str, found: Mapping[str, UtilityScores]
) -> dict[str, Metric]:
    """Return ``s2r_NAME`` and ``r2r_NAME`` from scores by "s2r", "r2r" and "independent"."""
    return _both(
        task,
        name,
        {key: scores.by_model()[name] for key, scores in found.items()},
        {key: scores.by_model(task.counts)[name] for key, scores in found.items()},
        label="AUROC" if task.classes else "R2",
        models=MODEL_NAMES[name],
        notes={key: found[key].note for key in ("s2r", "r2r")},
    )


def _second_scores(task: PredictiveTask, quick: Mapping[str, UtilityScores]) -> dict[str, Metric]:
    def mean(scores: UtilityScores, counts: np.ndarray | None = None) -> np.ndarray:
        average: np.ndarray = np.mean(list(scores.second_by_model(counts).values()), axis=0)
        return average

    name = "auprc" if task.classes else "rmse"
    linear = "logistic regression" if task.classes else "ridge regression"
    return _both(
        task,
        name,
        {key: mean(scores) for key, scores in quick.items()},
        {key: mean(scores, task.counts) for key, scores in quick.items()},
        label="Area under the precision-recall curve" if task.classes else "RMSE",
        models=f"{linear} and random forest (mean)",
        notes={key: quick[key].note for key in ("s2r", "r2r")},
    )


def _both(
    task: PredictiveTask,
    name: str,
    values: Mapping[str, np.ndarray],
    replicates: Mapping[str, np.ndarray],
    *,
    label: str,
    models: str,
    notes: Mapping[str, str],
) -> dict[str, Metric]:
    value = {key: float(v[0]) for key, v in values.items()}
    rmse = name == "rmse"
    metrics = {}
    for key, rows in (("s2r", "synthetic"), ("r2r", "real training")):
        low, high = percentile_interval(replicates[key])
        synthetic = key == "s2r"
        metrics[f"{key}_{name}"] = Metric(
            family="utility",
            value=value[key],
            low=low,
            high=high,
            ideal=0.0 if rmse else 1.0,
            direction="lower" if rmse else "higher",
            reference={
                "real": value["r2r"],
                "independent": value["independent"] if synthetic else None,
                "copy": value["r2r"] if synthetic else None,
            },
            description=f"{label} on held-out real rows of {models} trained on {rows} rows.",
            note=notes[key],
        )
    return metrics
