"""Augmentation: does adding synthetic rows to few real rows help a model?"""

from __future__ import annotations

import numpy as np

from rlsyn_env.metrics.bootstrap import percentile_interval
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.report import Metric

PERCENTS = (10, 30, 100)


def nested_parts(
    n_rows: int,
    rng: np.random.Generator,
    *,
    groups: np.ndarray | None = None,
    percents: tuple[int, ...] = PERCENTS,
) -> dict[int, np.ndarray]:
    """Draw nested random parts of ``n_rows`` rows: int64 positions by percentage.

    With ``groups (n_rows,)`` whole groups are drawn, so parts have about that size.
    """
    units = np.arange(n_rows) if groups is None else groups
    uniques, positions = np.unique(units, return_inverse=True)
    rank = np.empty(len(uniques), dtype=np.int64)
    rank[rng.permutation(len(uniques))] = np.arange(len(uniques))
    return {
        percent: np.flatnonzero(rank[positions] < max(1, round(len(uniques) * percent / 100)))
        for percent in percents
    }


def judge_augmentation(context: Context) -> Findings:
    """Return ``augmentation_10``, ``augmentation_30`` and ``augmentation_100``."""
    task = context.task
    if task is None:
        return Findings({})
    train = task.rows["train"]
    parts = nested_parts(
        len(train), context.stream("augmentation"), groups=task.tables["train"].groups
    )

    def score(*blocks: tuple[np.ndarray, np.ndarray]) -> tuple[float, np.ndarray]:
        scores = task.score_rows(
            np.concatenate([rows for rows, _ in blocks]),
            np.concatenate([targets for _, targets in blocks]),
            n_jobs=context.n_jobs,
        )
        return float(scores.score()[0]), scores.score(task.counts)

    metrics = {}
    for percent, part in parts.items():
        few = (train[part], task.targets["train"][part])
        rest = np.setdiff1d(np.arange(len(train)), part)
        added = {
            "value": (task.rows["synthetic"], task.targets["synthetic"]),
            "independent": (task.rows["independent"], task.targets["independent"]),
            "copy": (train, task.targets["train"]),
        }
        if len(rest):
            added["real"] = (train[rest], task.targets["train"][rest])
        alone, alone_replicates = score(few)
        gains = {}
        replicates = np.full(1, np.nan)
        for name, rows in added.items():
            value, drawn = score(few, rows)
            gains[name] = value - alone
            if name == "value":
                replicates = drawn - alone_replicates
        low, high = percentile_interval(replicates)
        metrics[f"augmentation_{percent}"] = Metric(
            family="utility",
            value=gains["value"],
            low=low,
            high=high,
            ideal=None,
            direction="higher",
            reference={key: gains.get(key) for key in ("real", "independent", "copy")},
            description=(
                f"Gain in {'AUROC' if task.classes else 'R2'} on held-out rows when synthetic rows "
                f"are added to {percent} % of the real training rows ({len(part):,}); above 0 they "
                "help. Real rows: the rest of the training rows is added instead."
            ),
            extra={"real_alone": alone},
        )
    return Findings(metrics)
