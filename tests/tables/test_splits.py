"""Which rows a seed means."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets import load_dataset
from rlsyn_env.tables.schema import ColumnKind
from rlsyn_env.tables.splits import split_rows


def assert_partition(split, n):
    rows = np.concatenate([split.train, split.validation, split.test])
    assert np.array_equal(np.sort(rows), np.arange(n))
    assert all(part.dtype == np.int64 for part in (split.train, split.validation, split.test))


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_test_rows_are_those_of_scikit_learn(seed):
    data = load_dataset("breast_cancer")
    split = split_rows(data.table, seed=seed, target="target")
    _, expected = train_test_split(
        np.arange(569), test_size=0.3, random_state=seed, stratify=data.table["target"]
    )
    assert np.array_equal(split.test, expected)
    assert_partition(split, 569)
    assert len(split.validation) == np.ceil(0.15 * (569 - len(expected)))


def test_order_of_appearance_of_classes_does_not_matter():
    y = pd.Series(["no", "yes", "maybe"] * 40).sample(frac=1, random_state=0, ignore_index=True)
    _, expected = train_test_split(np.arange(120), test_size=0.3, random_state=4, stratify=y)
    for column in (y, y.astype("category"), y.astype(pd.CategoricalDtype(["yes", "no", "maybe"]))):
        split = split_rows(pd.DataFrame({"y": column}), seed=4, target="y")
        assert np.array_equal(split.test, expected)


def test_continuous_target_is_not_stratified():
    data = load_dataset("diabetes")
    split = split_rows(data.table, seed=3, target="target")
    _, expected = train_test_split(np.arange(442), test_size=0.3, random_state=3)
    assert np.array_equal(split.test, expected)


def test_rare_classes_are_pooled():
    y = ["a"] * 60 + ["b"] * 30 + ["c"] * 3 + ["d"] * 4
    pooled = ["a"] * 60 + ["b"] * 30 + ["0 rare"] * 7
    split = split_rows(pd.DataFrame({"y": y}), seed=5, target="y")
    _, expected = train_test_split(np.arange(97), test_size=0.3, random_state=5, stratify=pooled)
    assert np.array_equal(np.sort(split.test), np.sort(expected))


@given(
    st.lists(st.sampled_from("aaaaaaaaabbbbbcd"), min_size=30, max_size=90),
    st.floats(0, 0.6),
    st.integers(0, 100),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_every_row_has_one_role_and_validation_is_never_empty(classes, test_size, seed):
    table = pd.DataFrame({"y": classes})
    split = split_rows(table, test_size=test_size, seed=seed, target="y")
    assert_partition(split, len(table))
    assert len(split.validation) > 0
    assert (len(split.test) == 0) == (test_size == 0)


def test_groups_are_never_split():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 60, 500)
    table = pd.DataFrame({"g": group, "y": group % 3 == 0})
    split = split_rows(table, seed=1, target="y", group="g")
    assert_partition(split, 500)
    parts = [set(group[part]) for part in (split.train, split.validation, split.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert all(parts)
    share = [np.mean([g % 3 == 0 for g in part]) for part in parts]
    assert share == pytest.approx([1 / 3] * 3, abs=0.1)


def test_rows_without_group_stand_alone():
    table = pd.DataFrame({"g": ["a", "a", "b", "b", None, None] * 10, "x": range(60)})
    assert_partition(split_rows(table, group="g"), 60)


def test_no_test_rows():
    split = split_rows(load_dataset("diabetes").table, test_size=0)
    assert len(split.test) == 0
    assert_partition(split, 442)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_size": 1.0}, "outside"),
        ({"validation_size": -0.1}, "outside"),
        ({"target": "targte"}, "did you mean 'target'"),
        ({"group": "nobody"}, "group 'nobody' does not exist"),
        ({"group": "one"}, "at least 3"),
    ],
)
def test_wrong_options(options, message):
    table = load_dataset("diabetes").table.assign(one=1)
    with pytest.raises(TableError, match=message):
        split_rows(table, **options)


def test_a_schema_says_that_many_numbers_are_classes():
    table = pd.DataFrame({"site": np.repeat(np.arange(13), 20)})
    plain = split_rows(table, target="site")
    stratified = split_rows(table, target="site", target_kind=ColumnKind.CATEGORICAL)
    assert table["site"].iloc[plain.test].value_counts().nunique() > 1
    assert set(table["site"].iloc[stratified.test].value_counts()) == {6}


def test_a_share_that_leaves_no_row_is_refused():
    table = pd.DataFrame({"x": np.arange(120.0)})
    with pytest.raises(TableError, match="leaves none of 120 rows; hold out fewer"):
        split_rows(table, test_size=0.999)
