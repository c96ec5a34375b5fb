"""Attacks of the full suite against hand-computed values and known truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.metrics.design_matrix import DesignMatrix
from rlsyn_env.metrics.full_suite.attack_rows import attack_rows, parts
from rlsyn_env.metrics.full_suite.attribute_inference import attribute_hits, tolerance
from rlsyn_env.metrics.full_suite.context import Context
from rlsyn_env.metrics.full_suite.domias import domias
from rlsyn_env.metrics.full_suite.membership_outliers import low_density
from rlsyn_env.metrics.full_suite.near_copies import judge_near_copies, near_copy_threshold
from rlsyn_env.metrics.full_suite.overfitting import (
    judge_overfitting,
    nearer_to_train,
    nearest_neighbour_ratio,
)
from rlsyn_env.metrics.full_suite.quasi_identifiers import (
    coarse_codes,
    combinations,
    control_population,
    disclosed,
    replicated_uniques,
)
from rlsyn_env.metrics.preparation import encode_tables
from rlsyn_env.metrics.rows import judged_rows
from rlsyn_env.tables.schema import ColumnKind


def test_low_density_rows_are_the_outliers():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    rows[[3, 17]] += 30 * np.array([[1.0, 0.0], [0.0, -1.0]])
    outliers = low_density(rows)
    assert outliers.sum() == 4
    assert outliers[[3, 17]].all()


def test_domias_finds_local_overfitting_only():
    rng = np.random.default_rng(0)
    members, others, reference = (rng.normal(size=(150, 4)) for _ in range(3))
    copies = domias(members, others, reference, members + 0.01 * rng.normal(size=(150, 4)))
    assert copies.auc > 0.65
    fresh = domias(members, others, reference, rng.normal(size=(150, 4)))
    assert abs(fresh.auc - 0.5) < 0.1
    # A release that is denser somewhere for everybody gives no member away.
    shifted = domias(members, others, reference, 0.3 * rng.normal(size=(150, 4)))
    assert abs(shifted.auc - 0.5) < 0.1
    assert np.isfinite(domias(members, others, reference, np.zeros((20, 4))).scores).all()


def test_attribute_inference_by_hand(make_schema):
    schema = make_schema(
        {"c": ("a", "b")}, x=ColumnKind.CONTINUOUS, y=ColumnKind.CONTINUOUS, c=ColumnKind.BINARY
    )
    victims = pd.DataFrame({"x": [0.0, 10.0, 20.0], "y": [1.0, 2.0, np.nan], "c": ["a", "b", "b"]})
    released = pd.DataFrame(
        {"x": [0.1, 10.1, 19.0], "y": [1.05, 5.0, np.nan], "c": ["a", "a", None]}
    )
    features, tables = encode_tables({"victims": victims, "released": released}, schema)
    by_name = {feature.name: feature for feature in features}
    design = DesignMatrix(features, tables["victims"], tables.values())

    def hits(name: str, allowed: float) -> list[bool]:
        return attribute_hits(
            design, by_name[name], tables["victims"], tables["released"], allowed
        ).tolist()

    assert hits("y", 0.1) == [True, False, True]  # missing is a value that can be guessed
    assert hits("y", 3.0) == [True, True, True]
    assert hits("c", 0.0) == [True, False, False]
    assert tolerance(by_name["c"], tables["victims"]) == 0.0
    assert tolerance(by_name["x"], tables["victims"]) == pytest.approx(0.1 * (18.0 - 2.0))


def test_distance_shares_by_hand():
    train, test = np.array([[0.0], [10.0]]), np.array([[4.0], [20.0]])
    rows = np.array([[1.0], [2.0], [3.0], [15.0], [19.0]])
    # Distances to train 1, 2, 3, 5, 9; to test 3, 2, 1, 5, 1.
    found = nearer_to_train(rows, train, test, np.random.default_rng(0))
    assert found.tolist() == [1.0, 0.5, 0.0, 0.5, 0.0]


def test_more_training_rows_do_not_win_by_their_number():
    rng = np.random.default_rng(0)
    train, test, rows = (rng.normal(size=(n, 3)) for n in (900, 100, 2000))
    assert abs(nearer_to_train(rows, train, test, rng).mean() - 0.5) < 0.08


def test_neighbour_ratio_by_hand():
    train = np.array([[0.0], [3.0], [10.0], [10.0]])
    rows = np.array([[1.0], [0.0], [10.0]])
    # 1 against 2; a copy is 0; a copy of two equal rows singles nobody out.
    assert nearest_neighbour_ratio(rows, train) == pytest.approx([0.5, 0.0, 1.0])


def test_near_copy_threshold_is_an_observed_distance():
    assert near_copy_threshold(np.arange(1.0, 101.0)) == 5.0
    assert near_copy_threshold(np.zeros(30)) == 0.0


@pytest.mark.parametrize("n_synthetic", [140, 2000])
def test_intervals_of_fresh_rows_cover_what_they_should(n_synthetic, make_schema) -> None:
    schema = make_schema(**{name: ColumnKind.CONTINUOUS for name in "abcde"})
    covered = {"dcr_share": 0, "near_copies": 0}
    rng = np.random.default_rng(0)
    for _ in range(20):
        tables = (
            pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
            for n in (140, 60, n_synthetic)
        )
        rows, _ = judged_rows(*tables, schema, group=None, seed=0)
        context = Context(rows, schema, None, False, n_bootstrap=100, n_jobs=1)
        attacked = attack_rows(context)
        metrics = {
            **judge_overfitting(context, attacked).metrics,
            **judge_near_copies(context, attacked).metrics,
        }
        for name, truth in (("dcr_share", 0.5), ("near_copies", 0.05)):
            covered[name] += metrics[name].low <= truth <= metrics[name].high
            assert metrics[name].high - metrics[name].low < 0.35
    assert min(covered.values()) >= 17


def test_replicated_uniques_and_disclosure_by_hand(make_schema):
    schema = make_schema(
        {"sex": ("F", "M"), "area": ("n", "s"), "ill": (0, 1)},
        sex=ColumnKind.BINARY,
        area=ColumnKind.BINARY,
        ill=ColumnKind.BINARY,
    )
    real = pd.DataFrame({"sex": list("FFMM"), "area": list("nsss"), "ill": [1, 0, 1, 1]})
    synthetic = pd.DataFrame({"sex": list("FFFMM"), "area": list("nssss"), "ill": [1, 0, 1, 1, 1]})
    features, tables = encode_tables({"real": real, "synthetic": synthetic}, schema)
    by_name = {feature.name: feature for feature in features}
    keys = combinations(
        [by_name["sex"], by_name["area"]], [tables["real"], tables["synthetic"]], tables["real"]
    )
    # F/n: once in both. F/s: once in real, twice in synthetic. M/s: twice in real.
    assert replicated_uniques(*keys).tolist() == [True, False, False, False]
    targets = [tables[name].columns["ill"] for name in ("real", "synthetic")]
    # F/n: ill, rightly. F/s: synthetic rows disagree. M/s: ill, rightly.
    found = disclosed(keys[0], targets[0], keys[1], targets[1])
    assert found.tolist() == [True, False, True, True]
    # A combination without a synthetic row discloses nothing.
    assert not disclosed(
        keys[0], targets[0], keys[1][:1] * 0 + keys[0].max() + 1, targets[1][:1]
    ).any()


def test_test_records_are_looked_at_in_a_population_of_the_members_size(make_cohort, cohort_schema):
    _, tables = encode_tables(
        {"train": make_cohort(50, 0), "few": make_cohort(20, 1), "many": make_cohort(70, 2)},
        cohort_schema,
    )
    rng = np.random.default_rng(0)
    mixed = control_population(tables["train"], tables["few"], rng)
    assert mixed.n_rows == 50
    np.testing.assert_array_equal(mixed.columns["marker"][:20], tables["few"].columns["marker"])
    assert np.isin(mixed.columns["marker"][20:], tables["train"].columns["marker"]).all()
    crowd = control_population(tables["train"], tables["many"], rng)
    assert crowd.n_rows == 50
    assert np.isin(crowd.columns["marker"], tables["many"].columns["marker"]).all()


def test_coarse_codes_are_deciles_of_train(make_schema):
    schema = make_schema(x=ColumnKind.CONTINUOUS)
    train = pd.DataFrame({"x": np.arange(100.0)})
    other = pd.DataFrame({"x": [-5.0, 55.0, 1e9, np.nan]})
    features, tables = encode_tables({"train": train, "other": other}, schema)
    codes = coarse_codes(features[0], tables["train"], tables["train"])
    np.testing.assert_array_equal(np.bincount(codes), 10)
    assert coarse_codes(features[0], tables["other"], tables["train"]).tolist() == [0, 5, 9, -1]


def test_parts_cover_all_rows_and_keep_groups_whole(make_schema, make_cohort, cohort_schema):
    _, tables = encode_tables({"t": make_cohort(60, 0)}, cohort_schema)
    groups = np.repeat(np.arange(12), 5)
    thirds = parts(tables["t"].with_groups(groups), 3, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(np.concatenate(thirds)), np.arange(60))
    owners = [set(groups[third]) for third in thirds]
    assert not owners[0] & owners[1]
    assert [len(third) for third in thirds] == [20, 20, 20]
