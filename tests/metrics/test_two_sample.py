from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rlsyn_env.metrics.fidelity import c2st


def test_disjoint_tables_are_told_apart_and_sizes_are_equalised():
    rng = np.random.default_rng(0)
    real, synthetic = rng.normal(size=(60, 3)), 9 + rng.normal(size=(150, 3))
    result = c2st(real, synthetic, np.random.default_rng(0))
    assert result.auc == 1.0
    assert result.is_real.sum() == (~result.is_real).sum() == 60
    limited = c2st(real, synthetic, np.random.default_rng(0), max_rows=20)
    assert len(limited.scores) == 40


def test_auc_is_that_of_the_scores_and_repeats():
    rng = np.random.default_rng(1)
    real, synthetic = rng.normal(size=(80, 3)), 0.5 + rng.normal(size=(80, 3))
    result = c2st(real, synthetic, np.random.default_rng(7))
    assert result.auc == pytest.approx(roc_auc_score(result.is_real, result.scores))
    assert c2st(real, synthetic, np.random.default_rng(7)).auc == result.auc
    assert 0.5 < result.auc < 0.9


def test_copies_of_the_real_rows_fall_below_one_half():
    real = np.random.default_rng(2).normal(size=(80, 4))
    assert c2st(real, real[::-1].copy(), np.random.default_rng(0)).auc < 0.4


def test_days_of_one_patient_do_not_give_each_other_away():
    """Row-wise folds would recognise real rows by their patient; grouped folds cannot."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(15), 10)
    real = rng.normal(size=(15, 4))[groups] + 0.01 * rng.normal(size=(150, 4))
    fresh = rng.normal(size=(150, 4))
    leaking = c2st(real, fresh, np.random.default_rng(0)).auc
    grouped = c2st(real, fresh, np.random.default_rng(0), real_groups=groups).auc
    assert leaking > 0.95
    assert grouped < leaking - 0.15


def test_too_few_rows():
    with pytest.raises(ValueError, match="at least 2"):
        c2st(np.zeros((1, 2)), np.zeros((5, 2)), np.random.default_rng(0))
    with pytest.raises(ValueError, match="2 groups"):
        c2st(
            np.zeros((4, 2)),
            np.zeros((5, 2)),
            np.random.default_rng(0),
            real_groups=np.zeros(4, dtype=int),
        )
