from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from rlsyn_env.metrics.utility import (
    classification_utility,
    regression_utility,
    utility_ratio,
)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    train, scored = rng.normal(size=(90, 3)), rng.normal(size=(60, 3))
    return train, scored, rng.normal(size=90), rng.normal(size=60)


def test_binary_target_is_the_mean_of_two_scikit_learn_models(rows):
    train, scored, noise, noise_scored = rows
    y, truth = (train[:, 0] + noise > 0).astype(int), (scored[:, 0] + noise_scored > 0).astype(int)
    result = classification_utility(train, y, scored, truth, seed=3)
    scaler = StandardScaler().fit(train)
    linear = LogisticRegression(max_iter=1000).fit(scaler.transform(train), y)
    forest = RandomForestClassifier(200, min_samples_leaf=2, random_state=3).fit(train, y)
    expected = [
        roc_auc_score(truth, linear.predict_proba(scaler.transform(scored))[:, 1]),
        roc_auc_score(truth, forest.predict_proba(scored)[:, 1]),
    ]
    assert [v[0] for v in result.by_model().values()] == pytest.approx(expected)
    assert result.score()[0] == pytest.approx(np.mean(expected))


def test_several_classes_are_macro_one_vs_rest(rows):
    train, scored, noise, noise_scored = rows
    cut = [-0.5, 0.5]
    y = np.digitize(train[:, 0] + 0.3 * noise, cut)
    truth = np.digitize(scored[:, 0] + 0.3 * noise_scored, cut)
    result = classification_utility(train, y, scored, truth, seed=0)
    for name, probabilities in result.predictions.items():
        expected = roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
        assert result.by_model()[name][0] == pytest.approx(expected)


def test_class_that_the_training_rows_lack_counts_one_half(rows):
    train, scored, _, _ = rows
    truth = np.digitize(scored[:, 0], [-0.5, 0.5])
    y = (train[:, 0] > 0).astype(int) * 2  # classes 0 and 2 only
    result = classification_utility(train, y, scored, truth, seed=0)
    assert "1 class(es)" in result.note
    linear = result.predictions["logistic"]
    ends = [roc_auc_score(truth == c, linear[:, c]) for c in (0, 2)]
    assert result.by_model()["logistic"][0] == pytest.approx((sum(ends) + 0.5) / 3)


@pytest.mark.parametrize(("classes", "word"), [(1, "one class"), (-1, "no value")])
def test_single_class_and_all_missing_targets_score_one_half(rows, classes, word):
    train, scored, _, _ = rows
    truth = (scored[:, 0] > 0).astype(int)
    result = classification_utility(train, np.full(90, classes), scored, truth, seed=0)
    assert result.score()[0] == 0.5
    assert word in result.note


def test_continuous_target_is_r2(rows):
    train, scored, noise, noise_scored = rows
    y, truth = 1e3 + 5 * train[:, 0] + noise, 1e3 + 5 * scored[:, 0] + noise_scored
    y[:4] = np.nan
    result = regression_utility(train, y, scored, truth, seed=0)
    scaler = StandardScaler().fit(train[4:])
    ridge = Ridge().fit(scaler.transform(train[4:]), y[4:])
    expected = r2_score(truth, ridge.predict(scaler.transform(scored)))
    assert result.by_model()["ridge"][0] == pytest.approx(expected)
    assert result.score()[0] > 0.8
    empty = regression_utility(train, np.full(90, np.nan), scored, truth, seed=0)
    assert empty.score()[0] == pytest.approx(0.0)
    assert "no values" in empty.note


def test_ratio():
    ratios = utility_ratio(np.array([0.8, 0.4]), np.array([0.9, 0.8]), is_r2=False)
    np.testing.assert_allclose(ratios, [0.8 / 0.9, 0.5])
    ratios = utility_ratio(np.array([-3.0, 0.2, 0.2]), np.array([0.5, 0.4, 0.01]), is_r2=True)
    np.testing.assert_allclose(ratios, [0.0, 0.5, np.nan])
