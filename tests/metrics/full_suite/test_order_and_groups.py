"""Figures do not depend on how a file is sorted, and groups count as one person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.metrics.full_suite import importance, predictive_models
from rlsyn_env.metrics.full_suite.attack_rows import attack_rows
from rlsyn_env.metrics.full_suite.clusters import judge_clusters
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.full_suite.overfitting import judge_overfitting
from rlsyn_env.metrics.full_suite.predictive_models import judge_predictive_models, paper_model
from rlsyn_env.metrics.full_suite.quasi_identifiers import (
    judge_quasi_identifiers,
    replicated_uniques,
)
from rlsyn_env.metrics.html_report.overview import small_cells
from rlsyn_env.metrics.rows import judged_rows


@pytest.fixture
def make_context(cohort_schema):
    """Return a function (train, test, synthetic, group=None, ...) -> context."""

    def make(train, test, synthetic, group=None, **options) -> Context:
        rows, _ = judged_rows(train, test, synthetic, cohort_schema, group=group, seed=0)
        fields = {"target": "outcome", "classes": True, "n_bootstrap": 60, "n_jobs": 1} | options
        return Context(rows, cohort_schema, **fields)

    return make


def test_a_sorted_file_trains_the_same_support_vector_machine(
    make_context, make_cohort, monkeypatch
) -> None:
    monkeypatch.setattr(predictive_models, "MAX_SVM_ROWS", 150)
    monkeypatch.setattr(predictive_models, "BOOSTING", {"max_iter": 2})
    train, test, synthetic = (make_cohort(n, seed) for seed, n in enumerate((500, 200, 500)))
    by_outcome = (t.sort_values("outcome", kind="stable") for t in (train, synthetic))
    sorted_train, sorted_synthetic = by_outcome
    metrics = judge_predictive_models(make_context(sorted_train, test, sorted_synthetic)).metrics
    assert metrics["r2r_svm"].value > 0.8
    assert metrics["s2r_svm"].value > 0.8


def test_odd_training_rows_are_noted_for_both_models(make_context, make_cohort, monkeypatch):
    monkeypatch.setattr(predictive_models, "BOOSTING", {"max_iter": 2})
    train, test, synthetic = (make_cohort(60, seed) for seed in range(3))
    context = make_context(train.assign(outcome=1), test, synthetic)
    metrics = judge_predictive_models(context).metrics
    assert "AUROC is 0.5 by rule" in metrics["r2r_boosting"].note
    assert metrics["s2r_boosting"].note == ""


def test_boosting_grows_all_its_trees_whatever_the_rows(make_context, make_cohort, monkeypatch):
    monkeypatch.setattr(predictive_models, "BOOSTING", {"max_iter": 3})
    small = make_cohort(60, 0)
    task = make_context(small, make_cohort(60, 1), make_cohort(60, 2)).task
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(10_050, 2)), np.zeros(10_050, dtype=int)
    targets[0] = 1  # a stratified validation split, as above 10,000 rows by default, would raise
    assert paper_model("boosting", task).fit(rows, targets).n_iter_ == 3


def test_importance_scores_rows_of_every_class(make_context, make_cohort, monkeypatch) -> None:
    monkeypatch.setattr(importance, "MAX_ROWS", 20)
    test = make_cohort(200, 1).assign(outcome=0)
    test.loc[[7, 8], "outcome"] = 1
    task = make_context(make_cohort(100, 0), test, make_cohort(100, 2)).task
    kept = importance.scored_rows(task)
    assert len(kept) in (20, 21)
    assert len(np.unique(kept)) == len(kept)
    assert set(task.targets["test"][kept]) == {0, 1}


def grouped(table: pd.DataFrame, prefix: str, days: int) -> pd.DataFrame:
    """Repeat every row as ``days`` days of a patient."""
    whole = table.loc[table.index.repeat(days)].reset_index(drop=True)
    return whole.assign(patient=[f"{prefix}{k // days}" for k in range(len(whole))])


def test_clusters_of_patients_are_resampled_by_patient(make_context, make_cohort) -> None:
    train, test = grouped(make_cohort(12, 0), "a", 25), grouped(make_cohort(12, 1), "b", 25)
    synthetic = make_cohort(300, 2)
    by_group = judge_clusters(make_context(train, test, synthetic, "patient")).metrics
    by_row = judge_clusters(make_context(train, test, synthetic)).metrics
    for name in ("cluster_nmi", "latent_cluster"):
        assert by_group[name].value == by_row[name].value
        widths = [m[name].high - m[name].low for m in (by_group, by_row)]
        assert widths[0] > 1.5 * widths[1]


def test_a_patient_with_many_days_can_be_the_only_one() -> None:
    real, groups = np.array([0, 0, 1, 1, 2]), np.array([5, 5, 6, 7, 7])
    synthetic = np.array([0, 0, 1, 2])
    assert replicated_uniques(real, synthetic).tolist() == [False, False, False, False, True]
    found = replicated_uniques(real, synthetic, groups)
    assert found.tolist() == [True, True, False, False, True]
    assert replicated_uniques(real, np.array([1, 2]), groups)[:2].tolist() == [False, False]


def test_copied_patients_are_seen_as_unique(make_context, make_cohort) -> None:
    train, test = grouped(make_cohort(60, 0), "a", 5), grouped(make_cohort(30, 1), "b", 5)
    copies = train.drop_duplicates("patient").drop(columns="patient")
    context = make_context(
        train, test, copies, "patient", quasi_identifiers=("age", "pressure", "sex")
    )
    metric = judge_quasi_identifiers(context, attack_rows(context)).metrics["repu"]
    assert metric.value > 0.5
    assert metric.value == metric.reference["copy"]
    assert metric.low < metric.value < metric.high
    assert metric.high - metric.low > 0.15  # 60 patients, not 300 rows
    cells = small_cells(context.rows, context.schema, 5, ("age", "pressure", "sex"))[-1]
    assert "groups of training rows" in cells
    assert int(cells.rsplit("(", 1)[1].split()[0]) <= 60


def test_rows_without_a_group_are_groups_of_their_own(make_context, make_cohort) -> None:
    train = grouped(make_cohort(20, 0), "a", 2)
    test = make_cohort(20, 1).assign(patient=np.nan)
    context = make_context(train, test, make_cohort(40, 2), "patient")
    assert len(np.unique(context.rows.test.groups)) == 20


def test_few_groups_among_as_many_rows_as_there_are_test_rows(make_context, make_cohort) -> None:
    train = grouped(make_cohort(3, 0), "a", 40)
    test = make_cohort(12, 1).assign(patient=[f"b{k}" for k in range(12)])
    context = make_context(train, test, make_cohort(40, 2), "patient")
    metric = judge_overfitting(context, attack_rows(context)).metrics["dcr_share"]
    assert 0 <= metric.low < metric.value < metric.high <= 1
