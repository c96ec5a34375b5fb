"""Utility figures of the full suite against hand-computed and library values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, root_mean_squared_error

from rlsyn_env.metrics import utility
from rlsyn_env.metrics.bootstrap import weighted_average_precision, weighted_rmse
from rlsyn_env.metrics.full_suite.augmentation import nested_parts
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.full_suite.effects import Effects, fit_effects, interval_overlap
from rlsyn_env.metrics.full_suite.global_utility import column_skill
from rlsyn_env.metrics.full_suite.importance import permutation_importances, spearman_rows
from rlsyn_env.metrics.full_suite.subgroups import judge_subgroups, subgroup_rows
from rlsyn_env.metrics.rows import judged_rows


@pytest.fixture
def make_context(cohort_schema):
    """Return a function (train, test, synthetic, ...) -> context with the target "outcome"."""

    def make(train, test, synthetic, **options) -> Context:
        rows, _ = judged_rows(train, test, synthetic, cohort_schema, group=None, seed=0)
        fields = {"target": "outcome", "classes": True, "n_bootstrap": 30, "n_jobs": 1} | options
        return Context(rows, cohort_schema, **fields)

    return make


def test_average_precision_is_scikit_learns():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, size=40) / 5  # many ties
    positive = rng.random(40) < 0.4
    counts = rng.integers(0, 3, size=(4, 40)).astype(float)
    found = weighted_average_precision(scores, positive, counts)
    for row, value in zip(counts, found, strict=True):
        assert value == pytest.approx(average_precision_score(positive, scores, sample_weight=row))
    assert np.isnan(weighted_average_precision(scores, np.ones(40, dtype=bool), counts)).all()
    with pytest.raises(ValueError, match="finite"):
        weighted_average_precision(np.full(40, np.nan), positive, counts)


def test_rmse_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth, predicted = rng.normal(size=(2, 30))
    counts = rng.integers(1, 4, size=(3, 30)).astype(float)
    for row, value in zip(counts, weighted_rmse(truth, predicted, counts), strict=True):
        assert value == pytest.approx(root_mean_squared_error(truth, predicted, sample_weight=row))


def test_parts_are_nested_and_keep_groups_whole():
    parts = nested_parts(200, np.random.default_rng(0))
    assert [len(part) for part in parts.values()] == [20, 60, 200]
    assert set(parts[10]) < set(parts[30]) < set(parts[100])
    groups = np.repeat(np.arange(20), 10)
    grouped = nested_parts(200, np.random.default_rng(0), groups=groups)
    assert len(grouped[10]) == 20
    assert all(np.isin(groups[part], groups[part]).all() for part in grouped.values())
    for part in grouped.values():
        assert set(np.bincount(groups[part], minlength=20)) <= {0, 10}


def test_spearman_is_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, size=(2, 3, 12))
    for found, x, y in zip(spearman_rows(a, b), a, b, strict=True):
        assert found == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(spearman_rows(np.zeros((1, 4)), np.ones((1, 4)))).all()


def test_overlap_of_intervals_by_hand():
    # Intervals [-1, 1] and [0, 2]: half of each lies in the other; [-1, 1] and [5, 5.2]: none.
    first = Effects(np.array([0.0, 0.0, 0.0]), np.full(3, 1 / 1.96))
    second = Effects(np.array([1.0, 5.1, 0.0]), np.array([1 / 1.96, 0.1 / 1.96, 0.5 / 1.96]))
    # The third: [-0.5, 0.5] lies in [-1, 1], which it covers by half.
    assert interval_overlap(first, second) == pytest.approx([0.5, 0.0, 0.75])


def test_effects_are_those_of_the_model():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 2))
    linear = fit_effects(
        sm, x, 2 * x[:, 0] - x[:, 1] + rng.normal(size=2000), logistic=False, adjusted=True
    )
    assert linear.coefficients == pytest.approx([2.0, -1.0], abs=0.1)
    assert linear.errors == pytest.approx([1 / np.sqrt(2000)] * 2, rel=0.15)
    outcome = (rng.random(2000) < 1 / (1 + np.exp(-(1.0 * x[:, 0])))).astype(float)
    logistic = fit_effects(sm, x, outcome, logistic=True, adjusted=False)
    assert logistic.coefficients == pytest.approx([1.0, 0.0], abs=0.2)
    separated = fit_effects(sm, x, (x[:, 0] > 0).astype(float), logistic=True, adjusted=True)
    assert not separated.defined.any()
    one_class = fit_effects(sm, x, np.ones(2000), logistic=True, adjusted=True)
    assert not one_class.defined.any()


def test_importance_belongs_to_the_columns_that_matter(make_context, make_cohort, monkeypatch):
    monkeypatch.setattr(utility, "N_TREES", 30)
    train, test = make_cohort(200, 0), make_cohort(150, 1)
    for table in (train, test):
        table["outcome"] = (table["stage"] == "II").astype(int)
    task = make_context(train, test, train).task
    columns = ["marker", "sex", "stage"]
    losses = permutation_importances(task, "train", columns, np.random.default_rng(0), seed=0)
    assert losses.shape == (31, 3)
    assert losses[0, 2] > 0.2
    assert np.abs(losses[0, :2]).max() < 0.05


def test_skill_at_columns(make_context, make_cohort):
    train, test = make_cohort(200, 0), make_cohort(150, 1)
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({name: rng.permutation(train[name]) for name in train})
    context = make_context(train, test, shuffled)
    by_name = {feature.name: feature for feature in context.features}
    counts = np.ones((1, 150))

    def skill(name: str, table: str) -> float:
        return float(
            column_skill(context, by_name[name], context.test, context.tables[table], counts)[0]
        )

    assert skill("pressure", "real") > 0.6
    assert skill("stage", "real") > 0.6
    assert skill("marker", "real") < 0.1
    assert skill("pressure", "value") < 0.1


def test_subgroups_are_levels_and_bands(make_context, make_cohort, monkeypatch):
    monkeypatch.setattr(utility, "N_TREES", 30)
    train, test, synthetic = make_cohort(200, 0), make_cohort(200, 1), make_cohort(200, 2)
    # The synthetic table has the outcome of men upside down.
    men = synthetic["sex"] == "M"
    synthetic.loc[men, "outcome"] = 1 - synthetic.loc[men, "outcome"]
    context = make_context(train, test, synthetic, subgroups=("sex", "age"))
    groups = dict(subgroup_rows(context, "sex", context.test))
    assert list(groups) == ["sex = F", "sex = M"]
    np.testing.assert_array_equal(groups["sex = M"], test["sex"] == "M")
    bands = list(subgroup_rows(context, "age", context.test))
    assert len(bands) == 3
    np.testing.assert_array_equal(np.sum([members for _, members in bands], axis=0), 1)
    tertile = np.quantile(train["age"], 1 / 3)
    assert bands[0][0] == f"age < {tertile:g}"

    found = judge_subgroups(context)
    worst = found.details["subgroups"][0]
    assert worst["subgroup"] == "sex = M"
    metric = found.metrics["s2r_worst_subgroup"]
    assert metric.value == worst["value"] < 0.6
    gap = found.metrics["subgroup_gap"]
    assert gap.value == pytest.approx(worst["real"] - worst["value"])
    assert gap.low > 0.0
