"""Importance agreement: do models of synthetic and of real rows rely on the same columns?"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from rlsyn_env.metrics import utility
from rlsyn_env.metrics.bootstrap import percentile_interval, stream
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.predictive_task import PredictiveTask, missing_targets
from rlsyn_env.metrics.preparation import subsample
from rlsyn_env.metrics.report import Metric, finite
from rlsyn_env.metrics.utility import UtilityScores, class_scores

N_REPEATS = 5
MAX_COLUMNS = 60
MAX_ROWS = 2_000


def permutation_importances(
    task: PredictiveTask,
    trained_on: str,
    columns: list[str],
    rng: np.random.Generator,
    *,
    seed: int,
    n_jobs: int = 1,
) -> np.ndarray:
    """Loss of score on the test rows when a column is shuffled, for resamples of the test rows.

    A column's matrix columns (levels, missing flag) are shuffled together. Returns
    ``(1 + B, len(columns))``: first the figure on all rows once, then those on the task's
    resamples; None of it is refitted. All 0 when the training rows hold less than two classes.
    """
    kept = scored_rows(task)
    counts = np.vstack([np.ones((1, task.counts.shape[1])), task.counts])[:, kept]
    losses = np.zeros((len(counts), len(columns)))
    targets = task.targets[trained_on]
    known = ~missing_targets(targets)
    present = np.unique(targets[known])
    if len(present) < 2:
        return losses
    kind = RandomForestClassifier if task.classes else RandomForestRegressor
    forest = kind(
        utility.N_TREES,
        min_samples_leaf=utility.MIN_SAMPLES_LEAF,
        max_features="sqrt" if task.classes else 1 / 3,
        n_jobs=n_jobs,
        random_state=seed,
    ).fit(task.rows[trained_on][known], targets[known])
    truth = task.targets["test"][kept]

    def score(rows: np.ndarray) -> np.ndarray:
        if task.classes:
            n_classes = int(max(truth.max(), present.max())) + 1
            predicted = np.zeros((len(rows), n_classes))
            predicted[:, present] = class_scores(forest, rows)
        else:
            predicted = forest.predict(rows)
        repeats = np.split(predicted, len(rows) // len(truth))
        scores = [UtilityScores(truth, {"forest": p}).score(counts) for p in repeats]
        mean: np.ndarray = np.mean(scores, axis=0)
        return mean

    rows = task.rows["test"][kept]
    whole = score(rows)
    for k, column in enumerate(columns):
        block = task.design.columns_of(column, without=task.target)
        # All repeats in one call: most of a forest's time is spent per call and tree.
        shuffled = np.tile(rows, (N_REPEATS, 1))
        orders = [rng.permutation(len(rows)) for _ in range(N_REPEATS)]
        shuffled[:, block] = rows[np.concatenate(orders)][:, block]
        losses[:, k] = whole - score(shuffled)
    return losses


def scored_rows(task: PredictiveTask) -> np.ndarray:
    """Positions of the about 2,000 test rows at most that are scored, the same for every model.

    Every class keeps its share of them, rounded up: a rare one must not vanish.
    """
    targets = task.targets["test"]
    share = min(1.0, MAX_ROWS / len(targets))
    classes = targets if task.classes else np.zeros(len(targets), dtype=np.int64)
    rng = stream(task.seed, "importance rows")
    kept = []
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        kept.append(rows[subsample(len(rows), math.ceil(share * len(rows)), rng)])
    return np.sort(np.concatenate(kept))


def spearman_rows(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation ``(B,)`` of each row of two ``(B, d)`` arrays; NaN without spread."""
    a, b = (rankdata(m, axis=1) - (m.shape[1] + 1) / 2 for m in (first, second))
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    products = (a * b).sum(axis=1)
    return np.divide(products, scale, out=np.full(len(a), np.nan), where=scale > 0)


def judge_importance(context: Context) -> Findings:
    """Return ``importance_agreement`` and each column's importance in both models."""
    task = context.task
    if task is None:
        return Findings({})
    columns = [f.name for f in context.features if f.name != task.target]
    notices: tuple[str, ...] = ()
    if len(task.rows["test"]) > MAX_ROWS:
        notices += (f"importance agreement scores about {MAX_ROWS:,} test rows",)
    if len(columns) > MAX_COLUMNS:
        chosen = context.stream("importance columns").choice(
            len(columns), MAX_COLUMNS, replace=False
        )
        columns = [columns[k] for k in sorted(chosen.tolist())]
        notices += (f"importance agreement looks at {MAX_COLUMNS} columns chosen at random",)
    if len(columns) < 2:
        return Findings({}, notices=("importance agreement needs two columns beside the target",))
    # "again" is a second forest of the same real rows: how far two such rankings can agree.
    runs = {"real": ("train", 0), "value": ("synthetic", 0), "again": ("train", 1)}
    runs["independent"] = ("independent", 0)
    found = {
        name: permutation_importances(
            task,
            table,
            columns,
            context.stream(f"importance {name}"),
            seed=task.seed + shift,
            n_jobs=context.n_jobs,
        )
        for name, (table, shift) in runs.items()
    }
    agreement = {name: spearman_rows(found["real"], found[name]) for name in found}
    low, high = percentile_interval(agreement["value"][1:])
    ceiling = float(agreement["again"][0])
    metric = Metric(
        family="utility",
        value=float(agreement["value"][0]),
        low=low,
        high=high,
        ideal=1.0,
        direction="higher",
        reference={
            "real": ceiling,
            "independent": float(agreement["independent"][0]),
            "copy": ceiling,
        },
        description=(
            "Spearman correlation of the columns' permutation importances, model of synthetic "
            "rows against model of real rows; two models of the same real rows give the ceiling."
        ),
        note=(
            "the model of synthetic rows relies on no column"
            if not np.isfinite(agreement["value"][0])
            else ""
        ),
    )
    order = np.argsort(-found["real"][0], kind="stable")
    details = [
        {
            "column": columns[k],
            "real": finite(float(found["real"][0, k])),
            "value": finite(float(found["value"][0, k])),
        }
        for k in order
    ]
    return Findings({"importance_agreement": metric}, {"importances": details}, notices)
