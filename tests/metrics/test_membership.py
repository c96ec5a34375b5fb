from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from rlsyn_env.metrics.preparation import encode_tables
from rlsyn_env.metrics.privacy import is_copy, membership_inference, nearest_distances
from rlsyn_env.tables.schema import ColumnKind


def test_distances_are_brute_force():
    rng = np.random.default_rng(0)
    rows, references = rng.normal(size=(30, 5)), rng.normal(size=(40, 5))
    expected = cdist(rows, references).min(axis=1)
    np.testing.assert_allclose(nearest_distances(rows, references), expected)


def test_exact_copies_are_at_distance_zero_far_from_the_origin():
    rows = 1e4 + np.random.default_rng(0).normal(size=(50, 31))
    assert (nearest_distances(rows, rows[::-1]) == 0.0).all()


def test_attack_by_hand():
    members, others = np.array([[0.0], [2.0]]), np.array([[1.0], [9.0]])
    attack = membership_inference(members, others, np.array([[0.1], [8.0]]))
    # Distances: members 0.1, 1.9; others 0.9, 1.0. Member 0 beats both, member 1 none.
    np.testing.assert_allclose(attack.scores, [-0.1, -1.9, -0.9, -1.0])
    assert attack.auc == 0.5
    assert attack.tpr_at(0.01) == 0.5
    fpr, tpr = attack.roc()
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0.0, 0.0, 1.0, 1.0)


def test_members_that_were_copied_are_found():
    rng = np.random.default_rng(0)
    members, others = rng.normal(size=(60, 4)), rng.normal(size=(40, 4))
    attack = membership_inference(members, others, members)
    assert attack.auc == 1.0
    assert attack.tpr_at(0.01) == 1.0
    half = membership_inference(members, others, members[:30])
    assert half.tpr_at(0.01) >= 0.5


def test_all_distances_equal_is_guessing():
    attack = membership_inference(np.zeros((5, 2)), np.zeros((5, 2)), np.zeros((3, 2)))
    assert attack.auc == 0.5
    assert attack.tpr_at(0.10) == 0.0  # one tie: calling any row a member calls all of them


def test_copies_need_every_column_and_missing_equals_missing(make_schema):
    schema = make_schema({"c": ("a", "b")}, x=ColumnKind.CONTINUOUS, c=ColumnKind.BINARY)
    train = pd.DataFrame({"x": [1.5, np.nan, 0.0], "c": ["a", "b", None]})
    synthetic = pd.DataFrame(
        {"c": ["a", "b", "b", None, None], "x": [1.5, np.nan, 1.5, -0.0, np.nan]}
    )
    features, tables = encode_tables({"train": train, "synthetic": synthetic}, schema)
    copies = is_copy(tables["synthetic"], tables["train"], features)
    assert copies.tolist() == [True, True, False, True, False]
