"""The full suite, concept by concept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rlsyn_env.metrics.full_suite.anonymeter_attacks import judge_anonymeter
from rlsyn_env.metrics.full_suite.attack_rows import AttackRows, attack_rows
from rlsyn_env.metrics.full_suite.attribute_inference import judge_attribute_inference
from rlsyn_env.metrics.full_suite.augmentation import judge_augmentation
from rlsyn_env.metrics.full_suite.clusters import judge_clusters
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.full_suite.correlations import judge_correlations
from rlsyn_env.metrics.full_suite.domias import judge_domias
from rlsyn_env.metrics.full_suite.effects import judge_effects
from rlsyn_env.metrics.full_suite.global_utility import judge_global_utility
from rlsyn_env.metrics.full_suite.importance import judge_importance
from rlsyn_env.metrics.full_suite.logistic_two_sample import judge_logistic_two_sample
from rlsyn_env.metrics.full_suite.membership_outliers import judge_membership_outliers
from rlsyn_env.metrics.full_suite.mutual_information import judge_mutual_information
from rlsyn_env.metrics.full_suite.near_copies import judge_near_copies
from rlsyn_env.metrics.full_suite.overfitting import judge_overfitting
from rlsyn_env.metrics.full_suite.precision_recall import judge_precision_recall
from rlsyn_env.metrics.full_suite.predictive_models import judge_predictive_models
from rlsyn_env.metrics.full_suite.prevalence import judge_prevalence
from rlsyn_env.metrics.full_suite.quasi_identifiers import judge_quasi_identifiers
from rlsyn_env.metrics.full_suite.real_to_synthetic import judge_real_to_synthetic
from rlsyn_env.metrics.full_suite.subgroups import judge_subgroups
from rlsyn_env.metrics.full_suite.wasserstein import judge_wasserstein
from rlsyn_env.metrics.report import Metric

FIDELITY: tuple[tuple[str, Callable[[Context], Findings]], ...] = (
    ("Wasserstein distances", judge_wasserstein),
    ("mutual information", judge_mutual_information),
    ("correlations", judge_correlations),
    ("prevalences", judge_prevalence),
    ("clusters", judge_clusters),
    ("logistic two-sample test", judge_logistic_two_sample),
    ("precision and recall", judge_precision_recall),
)
UTILITY: tuple[tuple[str, Callable[[Context], Findings]], ...] = (
    ("more models", judge_predictive_models),
    ("models on synthetic rows", judge_real_to_synthetic),
    ("augmentation", judge_augmentation),
    ("importances", judge_importance),
    ("global utility", judge_global_utility),
    ("effects", judge_effects),
    ("subgroups", judge_subgroups),
)
PRIVACY = (
    ("membership of outliers", judge_membership_outliers),
    ("DOMIAS", judge_domias),
    ("attribute inference", judge_attribute_inference),
    ("near copies", judge_near_copies),
    ("quasi-identifiers", judge_quasi_identifiers),
    ("anonymeter", judge_anonymeter),
    ("overfitting check", judge_overfitting),
)


def judge_full(
    context: Context, progress: Callable[[str, float], None]
) -> tuple[dict[str, Metric], dict[str, Any], list[str]]:
    """Return all further figures, their details and notices; see :func:`judge_figures`."""
    return judge_figures(context, (*FIDELITY, *UTILITY), PRIVACY, progress)


def judge_figures(
    context: Context,
    figures: Sequence[tuple[str, Callable[[Context], Findings]]],
    attacks: Sequence[tuple[str, Callable[[Context, AttackRows], Findings]]],
    progress: Callable[[str, float], None],
) -> tuple[dict[str, Metric], dict[str, Any], list[str]]:
    """Return the metrics, details and notices of the given concepts, each by its name.

    ``progress`` is called with each concept's name and the share of them that is done.
    """
    metrics: dict[str, Metric] = {}
    details: dict[str, Any] = {}
    notices: list[str] = []

    def add(findings: Findings) -> None:
        metrics.update(findings.metrics)
        details.update(findings.details)
        notices.extend(findings.notices)

    n_steps = len(figures) + len(attacks)
    done = 0
    for name, judge in figures:
        progress(name, done / n_steps)
        add(judge(context))
        done += 1
    attacked = attack_rows(context)
    for name, attack in attacks:
        progress(name, done / n_steps)
        add(attack(context, attacked))
        done += 1
    return metrics, details, notices
