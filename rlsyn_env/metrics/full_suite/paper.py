"""The evaluation published with RLSyn (arXiv 2512.21395), for its two cohorts and tables like them.

Beside the quick suite: APD, MCAD, DWD, W1, CWC, the two cluster figures, S2R, R2R and R2S with the
paper's classifier, and attribute inference. What is done differently here, and why:

- Only held-out rows judge. The published R2R is a cross-validation over all rows.
- MCAD compares shares of records, not counts; clusters and the two-sample test get equal sizes.
- DWD divides W1 by the training rows' standard deviation. The published form divides by the worst
  generator's and so depends on who else was compared:
  :func:`rlsyn_env.metrics.compared_dimension_wise_distances`.
- Membership inference standardises columns, and an exact copy is at distance 0.
- Attribute inference is the gain over the same attack on test rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rlsyn_env.metrics.full_suite.attribute_inference import judge_attribute_inference
from rlsyn_env.metrics.full_suite.clusters import N_CLUSTERS, N_CLUSTERS_WIDE, judge_clusters
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.full_suite.correlations import judge_correlations
from rlsyn_env.metrics.full_suite.predictive_models import MODEL_NAMES, model_scores, paper_model
from rlsyn_env.metrics.full_suite.prevalence import judge_prevalence
from rlsyn_env.metrics.full_suite.real_to_synthetic import real_to_synthetic
from rlsyn_env.metrics.full_suite.suite import judge_figures
from rlsyn_env.metrics.full_suite.wasserstein import judge_wasserstein
from rlsyn_env.metrics.judge_utility import ratio_metric
from rlsyn_env.metrics.predictive_task import predictive_task
from rlsyn_env.metrics.report import Metric

MAX_SMALL_COHORT = 10_000


@dataclass(frozen=True)
class Protocol:
    """How the paper judges one of its cohorts.

    Attributes:
        cohort: its name.
        model: classifier of S2R, R2R and R2S.
        max_rows: rows that it is trained on at most.
        n_clusters: clusters of the two cluster figures.
    """

    cohort: str
    model: str
    max_rows: int
    n_clusters: int


AI_READI = Protocol("AI-READI", "svm", 5_000, N_CLUSTERS)
MIMIC_IV = Protocol("MIMIC-IV", "boosting", 20_000, N_CLUSTERS_WIDE)


def protocol(n_train: int) -> Protocol:
    """Return the protocol of the cohort that a table of ``n_train`` training rows is like."""
    return AI_READI if n_train <= MAX_SMALL_COHORT else MIMIC_IV


def judge_paper(
    context: Context, progress: Callable[[str, float], None]
) -> tuple[dict[str, Metric], dict[str, Any], list[str]]:
    """Return the paper's figures beside the quick suite's, details and notices.

    ``progress`` is called with each concept's name and the share of these figures that is done.
    """
    chosen = protocol(context.rows.train.n_rows)
    metrics, details, notices = judge_figures(
        context,
        (
            ("prevalences", judge_prevalence),
            ("Wasserstein distances", judge_wasserstein),
            ("correlations", judge_correlations),
            ("clusters", partial(judge_clusters, n_clusters=chosen.n_clusters)),
            (MODEL_NAMES[chosen.model], partial(judge_paper_model, chosen=chosen)),
        ),
        (("attribute inference", judge_attribute_inference),),
        progress,
    )
    bound = "up to" if chosen is AI_READI else "more than"
    notices.insert(
        0,
        f"{bound} {MAX_SMALL_COHORT:,} training rows: judged as the paper judges {chosen.cohort}, "
        f"with {MODEL_NAMES[chosen.model]} trained on at most {chosen.max_rows:,} rows and "
        f"{chosen.n_clusters} clusters",
    )
    return metrics, details, notices


class _FittedOnce:
    """A model that is fitted by the first ``fit``, and returned as it is by later ones."""

    def __init__(self, model: Any):
        self._model = model
        self._fitted = False

    def fit(self, x: np.ndarray, y: np.ndarray) -> Any:
        """Return the model, fitted on ``x (n, k)`` and ``y (n,)`` unless it already was."""
        if not self._fitted:
            self._model.fit(x, y)
            self._fitted = True
        return self._model


def judge_paper_model(context: Context, chosen: Protocol) -> Findings:
    """Return s2r, r2r, s2r_over_r2r and r2s of the protocol's model, its name behind each."""
    if context.target is None:
        return Findings({})
    task, _ = predictive_task(
        context.rows,
        context.target,
        classes=context.classes,
        n_bootstrap=context.n_bootstrap,
        max_rows=chosen.max_rows,
    )
    if task is None:
        return Findings({})
    name = chosen.model
    on_train = {name: _FittedOnce(paper_model(name, task))}
    found = {
        "s2r": task.score("synthetic", models={name: paper_model(name, task)}),
        "r2r": task.score("train", models=on_train),
        "independent": task.score("independent", models={name: paper_model(name, task)}),
    }
    metrics = model_scores(task, name, found)
    metrics[f"s2r_over_r2r_{name}"] = ratio_metric(
        found["s2r"], found["r2r"], found["independent"], task.counts, is_r2=not task.classes
    )
    metrics[f"r2s_{name}"] = real_to_synthetic(context, task, on_train, MODEL_NAMES[name])
    return Findings(metrics)
