"""What the whole evaluation must say about tables whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.metrics import evaluate, fidelity, utility
from rlsyn_env.metrics.judge_privacy import judge_privacy
from rlsyn_env.metrics.rows import judged_rows
from rlsyn_env.tables.schema import ColumnKind

NAMES = {
    "column_shapes",
    "pair_trends",
    "c2st",
    "s2r",
    "r2r",
    "s2r_over_r2r",
    "membership_auc",
    "membership_excess",
    "exact_copies",
}


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forests of 40 trees: enough for these truths, and the tests stay quick."""
    monkeypatch.setattr(fidelity, "N_TREES", 40)
    monkeypatch.setattr(utility, "N_TREES", 40)


def with_missing(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return table.mask(rng.random(table.shape) < 0.1)


def test_copy_of_train_is_found_out(cohort_schema, make_cohort):
    train, test = make_cohort(140, 0), make_cohort(100, 1)
    report = evaluate(train, test, train, schema=cohort_schema, seed=0)
    assert set(report.metrics) == NAMES
    membership = report.metrics["membership_auc"]
    assert membership.value > 0.95
    assert membership.value == membership.reference["copy"]
    assert membership.extra["tpr_at_1pct_fpr"] > 0.95
    assert report.metrics["membership_excess"].low > 0.2
    copies = report.metrics["exact_copies"]
    assert (copies.value, copies.extra["count"], copies.ideal) == (1.0, 140, 0.0)
    c2st = report.metrics["c2st"]
    assert c2st.extra["against_train"] < 0.45
    assert c2st.value == c2st.reference["real"] == c2st.reference["copy"]
    assert report.metrics["column_shapes"].extra["against_train"] == pytest.approx(0.0, abs=1e-12)
    ratio = report.metrics["s2r_over_r2r"]
    assert ratio.value == pytest.approx(1.0)
    assert (ratio.low, ratio.high) == (pytest.approx(1.0), pytest.approx(1.0))
    assert "did better than" in report.verdict()["privacy"]


def test_every_copied_member_of_a_large_table_is_found(cohort_schema, make_cohort):
    """Work is saved on the number of records attacked, never by hiding synthetic rows."""
    train, test = make_cohort(40_000, 0), make_cohort(4_000, 1)
    rows, notices = judged_rows(train, test, train, cohort_schema, group=None, seed=0)
    assert any("at most 3,750 training" in notice for notice in notices)
    metrics = judge_privacy(rows, n_bootstrap=20)
    assert metrics["membership_auc"].value > 0.99
    assert metrics["exact_copies"].value == 1.0


def test_fresh_rows_of_the_same_law_give_nothing_away(cohort_schema, make_cohort):
    train, test, fresh = make_cohort(140, 10), make_cohort(140, 11), make_cohort(140, 12)
    report = evaluate(train, test, fresh, schema=cohort_schema, seed=0)
    for name in ("c2st", "membership_auc"):
        metric = report.metrics[name]
        assert metric.low < 0.5 < metric.high, name
    excess = report.metrics["membership_excess"]
    assert excess.low < 0.0 < excess.high
    assert report.metrics["exact_copies"].value == 0.0
    shapes = report.metrics["column_shapes"]
    assert shapes.value < 1.5 * shapes.reference["real"]
    for metric in report.metrics.values():
        assert metric.low <= metric.value <= metric.high


def test_shuffled_columns_are_at_the_level_of_independent_marginals(cohort_schema, make_cohort):
    train, test = make_cohort(200, 20), make_cohort(120, 21)
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({name: rng.permutation(train[name]) for name in train})
    report = evaluate(train, test, shuffled, schema=cohort_schema, seed=0)
    trends = report.metrics["pair_trends"]
    assert trends.value == pytest.approx(trends.reference["independent"], rel=0.15)
    assert trends.value > 1.8 * trends.reference["real"]
    shapes = report.metrics["column_shapes"]
    assert shapes.value == pytest.approx(shapes.reference["copy"], abs=1e-12)
    assert report.metrics["c2st"].value > 0.65
    assert report.details["pair_trends"][0]["value"] >= report.details["pair_trends"][-1]["value"]


def test_column_order_index_and_global_generator_do_not_matter(cohort_schema, make_cohort):
    train, test, synthetic = make_cohort(60, 0), make_cohort(50, 1), make_cohort(300, 2)
    synthetic = with_missing(synthetic, 0)
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    steps = []
    first = evaluate(
        train, test, synthetic, schema=cohort_schema, seed=3, progress=lambda *s: steps.append(s)
    )
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert [share for _, share in steps] == sorted(share for _, share in steps)
    assert steps[-1] == ("done", 1.0)

    np.random.seed(2)  # noqa: NPY002
    moved = synthetic[synthetic.columns[::-1]].set_index(np.arange(300)[::-1])
    turned = [t[t.columns[::-1]].set_index(np.arange(len(t)) + 7) for t in (train, test)]
    second = evaluate(*turned, moved.assign(more=0), schema=cohort_schema, seed=3)
    assert second.to_dict()["metrics"] == first.to_dict()["metrics"]
    assert any("more" in notice for notice in second.notices)
    assert any("60 of 300" in notice for notice in first.notices)


def test_missing_values_and_hopeless_columns_never_crash(cohort_schema, make_cohort):
    train = with_missing(make_cohort(60, 0), 1)
    test = with_missing(make_cohort(50, 1), 2)
    synthetic = with_missing(make_cohort(40, 2), 3)
    synthetic["pressure"] = np.nan
    synthetic["sex"] = None
    synthetic["stage"] = "IV"
    synthetic["outcome"] = 1
    report = evaluate(train, test, synthetic, schema=cohort_schema, seed=0, n_bootstrap=50)
    assert report.metrics["s2r"].value == 0.5
    assert "one class" in report.metrics["s2r"].note
    by_column = {row["column"]: row["value"] for row in report.details["column_shapes"]}
    # Distance 1 but for the values that were missing anyway.
    assert by_column["pressure"] == pytest.approx(1 - test["pressure"].isna().mean())
    assert by_column["stage"] == 1.0
    assert report.metrics["c2st"].value > 0.95
    for metric in report.metrics.values():
        assert metric.value is not None
    assert any("without a target" in notice for notice in report.notices)
    report.to_json()


def test_continuous_target_is_judged_by_r2(cohort_schema, make_cohort):
    train, test, synthetic = make_cohort(100, 0), make_cohort(80, 1), make_cohort(100, 2)
    report = evaluate(train, test, synthetic, schema=cohort_schema, target="pressure")
    assert set(report.metrics["s2r"].extra) == {"ridge", "forest"}
    assert report.metrics["r2r"].value > 0.5
    assert 0.8 < report.metrics["s2r_over_r2r"].value < 1.2


def test_few_whole_numbers_are_classes(cohort_schema, make_cohort, make_schema):
    tables = []
    for seed in range(3):
        table = make_cohort(80, seed)
        tables.append(table.assign(grade=table["stage"].map({"I": 0, "II": 1, "III": 4})))
    tables[2]["grade"] = tables[2]["grade"] + 0.2  # a generator that was not told
    schema = make_schema(
        target="grade",
        age=ColumnKind.INTEGER,
        pressure=ColumnKind.CONTINUOUS,
        grade=ColumnKind.INTEGER,
    )
    report = evaluate(*tables, schema=schema, n_bootstrap=50)
    assert set(report.metrics["s2r"].extra) == {"logistic", "forest"}
    assert report.metrics["s2r_over_r2r"].value > 0.85


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_levels_of_a_schema_are_classes_however_many_numbers(make_schema, scale):
    rng = np.random.default_rng(0)

    def rows(n: int) -> pd.DataFrame:
        site = rng.integers(0, 13, n)
        return pd.DataFrame({"site": site * scale, "x": site + rng.normal(size=n)})

    schema = make_schema(target="site", site=ColumnKind.CATEGORICAL, x=ColumnKind.CONTINUOUS)
    report = evaluate(rows(200), rows(150), rows(200), schema=schema, n_bootstrap=20)
    assert set(report.metrics["s2r"].extra) == {"logistic", "forest"}
    assert report.metrics["s2r"].value > 0.8


def test_no_target_leaves_utility_out(make_schema, make_cohort):
    schema = make_schema(age=ColumnKind.INTEGER, marker=ColumnKind.CONTINUOUS)
    report = evaluate(
        make_cohort(40, 0), make_cohort(40, 1), make_cohort(40, 2), schema=schema, n_bootstrap=20
    )
    assert set(report.metrics) == NAMES - {"s2r", "r2r", "s2r_over_r2r"}
    assert any("no target" in notice for notice in report.notices)
    assert set(report.verdict()) == {"fidelity", "privacy"}


def test_schema_is_inferred_from_train(make_cohort):
    train, test, synthetic = make_cohort(60, 0), make_cohort(40, 1), make_cohort(60, 2)
    report = evaluate(train, test, synthetic, target="outcome", n_bootstrap=20)
    assert set(report.metrics) == NAMES
    assert report.settings["features"] == sorted(train.columns)
    assert report.rows == {"train": 60, "test": 40, "synthetic": 60}


def patient_days(first: int, n_patients: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(first, first + n_patients), 8)
    level = np.repeat(rng.normal(size=(n_patients, 3)), 8, axis=0)
    values = level + 0.02 * rng.normal(size=level.shape)
    return pd.DataFrame(values, columns=["a", "b", "c"]).assign(patient=patients)


def test_days_of_a_patient_stay_together(make_schema):
    kinds = dict.fromkeys(["a", "b", "c"], ColumnKind.CONTINUOUS)
    schema = make_schema(patient=ColumnKind.INTEGER, **kinds)
    train, test = patient_days(0, 12, 0), patient_days(12, 12, 1)
    synthetic = pd.DataFrame(np.random.default_rng(2).normal(size=(96, 3)), columns=["a", "b", "c"])
    grouped = evaluate(train, test, synthetic, schema=schema, group="patient", n_bootstrap=100)
    rowwise = evaluate(
        train.drop(columns="patient"),
        test.drop(columns="patient"),
        synthetic,
        schema=make_schema(**kinds),
        n_bootstrap=100,
    )
    assert rowwise.metrics["c2st"].value > 0.9
    assert grouped.metrics["c2st"].value < rowwise.metrics["c2st"].value - 0.1
    widths = [
        r.metrics["membership_auc"].high - r.metrics["membership_auc"].low
        for r in (grouped, rowwise)
    ]
    assert widths[0] > 1.5 * widths[1]

    leaking = evaluate(
        train,
        pd.concat([test, train[:8]]),
        synthetic,
        schema=schema,
        group="patient",
        n_bootstrap=20,
    )
    assert any("occur in train and in test" in notice for notice in leaking.notices)


def test_user_errors(cohort_schema, make_cohort):
    train, test = make_cohort(40, 0), make_cohort(40, 1)
    with pytest.raises(TableError, match="at least 10"):
        evaluate(train, test, train[:5], schema=cohort_schema)
    with pytest.raises(TableError, match="target 'nobody'"):
        evaluate(train, test, train, schema=cohort_schema, target="nobody")
    with pytest.raises(TableError, match="no group column 'patient'"):
        evaluate(train, test, train, schema=cohort_schema, group="patient")
    with pytest.raises(TableError, match="single group"):
        evaluate(train.assign(p=1), test.assign(p=2), train, schema=cohort_schema, group="p")
    with pytest.raises(ValueError, match="n_bootstrap"):
        evaluate(train, test, train, schema=cohort_schema, n_bootstrap=1)
