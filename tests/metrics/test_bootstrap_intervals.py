from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from rlsyn_env.metrics.bootstrap import (
    distance_interval,
    percentile_interval,
    resample_counts,
    stream,
    weighted_auc,
    weighted_r2,
)


def test_auc_of_every_resample_is_scikit_learns():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 8, 60).astype(float)  # many ties
    positive = rng.random(60) < 0.4
    counts = resample_counts(rng, 20, 60)
    expected = [roc_auc_score(positive, scores, sample_weight=c) for c in counts]
    np.testing.assert_allclose(weighted_auc(scores, positive, counts), expected)


def test_auc_by_hand_with_ties():
    scores, positive = np.array([0.0, 1.0, 1.0, 2.0]), np.array([False, True, False, True])
    # Pairs (1 against 0, 1), (2 against 0, 1): 1 + 1/2 + 1 + 1 of 4.
    assert weighted_auc(scores, positive, np.ones((1, 4)))[0] == 3.5 / 4


def test_auc_is_undefined_without_one_class_and_refuses_nan():
    scores, positive = np.array([0.0, 1.0]), np.array([False, True])
    assert np.isnan(weighted_auc(scores, positive, np.array([[2.0, 0.0]]))[0])
    with pytest.raises(ValueError, match="finite"):
        weighted_auc(np.array([0.0, np.nan]), positive, np.ones((1, 2)))


def test_r2_of_every_resample_is_scikit_learns():
    rng = np.random.default_rng(0)
    truth = 1e5 + rng.normal(size=40)
    predicted = truth + rng.normal(size=40)
    counts = resample_counts(rng, 10, 40)
    expected = [r2_score(truth, predicted, sample_weight=c) for c in counts]
    np.testing.assert_allclose(weighted_r2(truth, predicted, counts), expected)
    assert np.isnan(weighted_r2(np.ones(3), np.zeros(3), np.ones((1, 3)))[0])


def test_groups_are_drawn_whole_and_strata_keep_their_size():
    groups = np.array([0, 0, 1, 2, 2, 2])
    counts = resample_counts(np.random.default_rng(0), 200, 6, groups=groups)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 3] == counts[:, 4]).all()
    assert (counts[:, 4] == counts[:, 5]).all()
    assert (counts[:, [0, 2, 3]].sum(axis=1) == 3).all()
    strata = np.array([1, 1, 0, 0, 0, 0])
    counts = resample_counts(np.random.default_rng(0), 200, 6, strata=strata)
    assert (counts[:, :2].sum(axis=1) == 2).all()
    assert (counts[:, 2:].sum(axis=1) == 4).all()


def test_repeated_days_of_a_patient_widen_the_interval():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=30), 20)
    by_row = resample_counts(rng, 500, 600) @ values / 600
    counts = resample_counts(rng, 500, 600, groups=np.repeat(np.arange(30), 20))
    by_group = counts @ values / 600
    assert by_group.std() > 3 * by_row.std()
    assert by_group.std() == pytest.approx(values.std() / np.sqrt(30), rel=0.15)


def test_percentile_interval():
    low, high = percentile_interval(np.linspace(0, 1, 1001))
    assert (low, high) == (pytest.approx(0.025), pytest.approx(0.975))
    assert percentile_interval(np.array([np.nan, np.nan, 1.0])) == (None, None)


def test_distance_interval_removes_the_noise_of_resampling():
    replicates = np.array([0.11, 0.12, 0.13, 0.14, 0.15])
    low, high = distance_interval(0.1, replicates)
    assert low < 0.1 < high
    assert (low + high) / 2 == pytest.approx(0.1)
    assert distance_interval(0.0, replicates)[0] == 0.0
    assert distance_interval(0.1, np.array([np.nan])) == (None, None)


def test_streams_differ_by_name_and_seed_only():
    first = stream(0, "a").random(3)
    assert (stream(0, "a").random(3) == first).all()
    assert (stream(0, "b").random(3) != first).all()
    assert (stream(1, "a").random(3) != first).all()
