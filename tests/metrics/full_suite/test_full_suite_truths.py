"""What the full suite must say about tables whose truth is known."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import ConfigError
from rlsyn_env.metrics import evaluate, fidelity, utility
from rlsyn_env.metrics.full_suite import (
    anonymeter_attacks,
    effects,
    global_utility,
    importance,
    predictive_models,
)
from rlsyn_env.metrics.full_suite.attack_rows import attack_rows
from rlsyn_env.metrics.full_suite.context import Context, Findings
from rlsyn_env.metrics.full_suite.domias import judge_domias
from rlsyn_env.metrics.rows import judged_rows
from rlsyn_env.metrics.verdict import ATTACKS
from rlsyn_env.tables.schema import ColumnKind

FIDELITY = {
    "w1_over_std", "dwd", "wnmi", "cwc", "apd", "cluster_nmi", "latent_cluster",
    "c2st_logistic", "alpha_precision", "beta_recall", "constraint_violations",
}  # fmt: skip
UTILITY = {
    "s2r_auprc", "r2r_auprc", "s2r_boosting", "r2r_boosting", "s2r_svm", "r2r_svm", "r2s",
    "augmentation_10", "augmentation_30", "augmentation_100", "importance_agreement",
    "global_utility", "s2r_worst_subgroup", "subgroup_gap",
}  # fmt: skip
PRIVACY = {
    "membership_auc_outliers", "domias_auc", "domias_folds_auc", "attribute_inference",
    "near_copies", "repu", "disco", "dcr_share", "nndr",
}  # fmt: skip
QUICK = {
    "column_shapes", "pair_trends", "c2st", "s2r", "r2r", "s2r_over_r2r", "membership_auc",
    "membership_excess", "exact_copies",
}  # fmt: skip
DECLARED = {
    "subgroups": ["sex"],
    "quasi_identifiers": ["age", "sex", "stage"],
    "constraints": ["not (stage == 'I' and outcome == 1)"],
}


@pytest.fixture(scope="module", autouse=True)
def small_models():
    """Small forests and no optional packages: enough for these truths, and the tests stay quick."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (fidelity, utility):
            patch.setattr(module, "N_TREES", 25)
        patch.setattr(global_utility, "N_TREES", 15)
        patch.setattr(importance, "N_REPEATS", 2)
        patch.setitem(predictive_models.BOOSTING, "max_iter", 25)
        patch.setattr(anonymeter_attacks, "import_optional", lambda name: None)
        yield


@pytest.fixture(scope="module")
def reports(cohort_schema, make_cohort):
    """Reports of a copy of train, of fresh rows of the same law, and of shuffled columns."""
    train, test = make_cohort(140, 10), make_cohort(140, 11)
    rng = np.random.default_rng(0)
    tables = {
        "copy": train,
        "fresh": make_cohort(140, 12),
        "shuffled": pd.DataFrame({name: rng.permutation(train[name]) for name in train}),
    }
    return {
        name: evaluate(
            train, test, table, schema=cohort_schema, suite="full", n_bootstrap=80, **DECLARED
        )
        for name, table in tables.items()
    }


def test_names_families_and_references(reports):
    report = reports["fresh"]
    names = FIDELITY | UTILITY | PRIVACY | QUICK
    assert names <= set(report.metrics) <= names | {"effect_bias", "effect_overlap"}
    assert report.metrics["dcr_share"].family == "overfitting check"
    families = [metric.family for metric in report.metrics.values()]
    assert list(dict.fromkeys(families)) == ["fidelity", "utility", "privacy", "overfitting check"]
    for name, metric in report.metrics.items():
        assert metric.value is not None, name
        assert metric.description.endswith(".")
        if metric.low is not None:
            assert metric.low - 1e-9 <= metric.value <= metric.high + 1e-9, name
        if not name.startswith("r2r") and name != "augmentation_100":
            assert None not in metric.reference.values(), name
    assert any("anonymeter is not installed" in notice for notice in report.notices)
    assert report.settings["suite"] == "full"
    report.to_json()


def test_a_copy_is_found_by_every_attack(reports):
    report = reports["copy"]
    metrics = report.metrics
    assert metrics["membership_auc"].value > 0.95
    assert metrics["membership_auc_outliers"].value > 0.95
    assert metrics["domias_folds_auc"].low > metrics["domias_auc"].low > 0.5
    assert metrics["attribute_inference"].low > 0.2
    assert metrics["near_copies"].value == 1.0
    assert metrics["nndr"].value < 0.05
    assert metrics["dcr_share"].value > 0.95
    assert metrics["c2st"].extra["against_train"] < 0.5
    for name in ("membership_auc_outliers", "near_copies", "nndr", "repu", "disco"):
        assert metrics[name].value == pytest.approx(metrics[name].reference["copy"]), name
    line = report.verdict()["privacy"]
    assert "Whole interval above guessing: membership inference on outliers, DOMIAS" in line
    # Fidelity and utility cannot see it.
    for name in FIDELITY - {"constraint_violations"}:
        assert metrics[name].value == pytest.approx(metrics[name].reference["copy"]), name
    for name in ("s2r_boosting", "s2r_svm", "s2r_auprc"):
        assert metrics[name].value == pytest.approx(metrics[name].reference["real"]), name
    assert metrics["global_utility"].value == pytest.approx(1.0)


def test_fresh_rows_give_nothing_away(reports):
    metrics = reports["fresh"].metrics
    for name, guessing in (
        ("c2st", 0.5),
        ("membership_auc", 0.5),
        ("membership_auc_outliers", 0.5),
        ("domias_auc", 0.5),
        ("domias_folds_auc", 0.5),
        ("dcr_share", 0.5),
        ("attribute_inference", 0.0),
        ("membership_excess", 0.0),
    ):
        assert metrics[name].low < guessing < metrics[name].high, name
    # Cross-validated linear judges of equal laws fall below 0.5; only "above" would be a finding.
    assert metrics["c2st_logistic"].low < 0.5
    assert metrics["near_copies"].value < 0.15
    assert "None of these was seen to do better" in reports["fresh"].verdict()["privacy"]
    for name in ("w1_over_std", "wnmi", "cwc", "dwd"):
        assert metrics[name].value < 1.7 * metrics[name].reference["real"], name
    assert metrics["global_utility"].value > 0.85


def test_shuffled_columns_are_at_the_level_of_independent_marginals(reports):
    metrics = reports["shuffled"].metrics
    for name in ("wnmi", "cwc"):
        assert metrics[name].value == pytest.approx(
            metrics[name].reference["independent"], rel=0.25
        )
        assert metrics[name].low > metrics[name].reference["real"]
    for name in ("w1_over_std", "dwd", "apd"):
        assert metrics[name].value == pytest.approx(metrics[name].reference["copy"]), name
    assert metrics["beta_recall"].value < metrics["beta_recall"].reference["real"] - 0.1
    assert metrics["global_utility"].value < 0.4
    assert metrics["s2r_boosting"].value < metrics["r2r_boosting"].value - 0.1
    assert metrics["constraint_violations"].value > metrics["constraint_violations"].ideal + 0.05
    assert metrics["r2s"].value < 0.65


def test_promises_nothing(reports):
    for report in reports.values():
        words = " ".join(report.verdict().values()).lower()
        assert "no formal guarantee" in words
        assert "private" not in words
        assert "safe" not in words
    assert set(ATTACKS) & set(reports["fresh"].metrics)


def test_order_index_and_names_change_no_figure(reports, cohort_schema, make_cohort, make_schema):
    train, test, synthetic = (make_cohort(140, seed) for seed in (10, 11, 12))
    turned = [
        t[t.columns[::-1]].set_index(np.arange(len(t))[::-1]) for t in (train, test, synthetic)
    ]
    again = evaluate(*turned, schema=cohort_schema, suite="full", n_bootstrap=80, **DECLARED)
    assert again.to_dict()["metrics"] == reports["fresh"].to_dict()["metrics"]
    # New names keep their alphabetic order, so that streams and folds stay the same.
    new = {name: f"{name} (renamed <b>)" for name in train}
    kinds = {new[c.name]: c.kind for c in cohort_schema.columns}
    levels = {new[c.name]: c.levels for c in cohort_schema.columns if c.levels}
    renamed = evaluate(
        *(t.rename(columns=new) for t in (train, test, synthetic)),
        schema=make_schema(levels, target=new["outcome"], **kinds),
        n_bootstrap=80,
    )
    for name in QUICK:
        assert renamed.metrics[name].value == reports["fresh"].metrics[name].value, name


def test_missing_values_and_hopeless_columns_never_crash(cohort_schema, make_cohort):
    rng = np.random.default_rng(0)
    train, test, synthetic = (
        t.mask(rng.random(t.shape) < 0.1) for t in (make_cohort(n, n) for n in (60, 50, 40))
    )
    synthetic["pressure"] = np.nan
    synthetic["sex"] = None
    synthetic["stage"] = "IV"
    synthetic["outcome"] = 1
    report = evaluate(
        train, test, synthetic, schema=cohort_schema, suite="full", n_bootstrap=20, **DECLARED
    )
    assert report.metrics["s2r_boosting"].value == 0.5
    assert report.metrics["r2s"].value is None
    assert "does not vary" in report.metrics["r2s"].note
    assert "pressure" in report.metrics["w1_over_std"].note
    assert report.metrics["apd"].value > 100
    report.to_json()


def test_continuous_target_no_target_and_narrow_tables(cohort_schema, make_cohort, make_schema):
    tables = [make_cohort(60, seed) for seed in range(3)]
    report = evaluate(
        *tables, schema=cohort_schema, target="pressure", suite="full", n_bootstrap=20
    )
    assert {"s2r_rmse", "r2r_rmse", "s2r_svm"} <= set(report.metrics)
    assert "s2r_auprc" not in report.metrics
    rmse = report.metrics["r2r_rmse"]
    assert rmse.value < 0.8 * tables[1]["pressure"].std()
    assert rmse.direction == "lower"
    assert report.metrics["s2r_svm"].value > 0.4
    narrow = evaluate(
        *tables, schema=make_schema(age=ColumnKind.INTEGER), suite="full", n_bootstrap=20
    )
    assert not UTILITY & set(narrow.metrics)
    assert narrow.metrics["wnmi"].value is None


def test_effects_of_a_copy_agree(reports):
    pytest.importorskip("statsmodels.api")
    metrics = reports["copy"].metrics
    assert metrics["effect_bias"].value == pytest.approx(0.0, abs=1e-9)
    assert metrics["effect_overlap"].value == pytest.approx(1.0)
    assert 0 < metrics["effect_bias"].reference["real"] < 2
    assert metrics["effect_bias"].reference["independent"] > 0.3
    assert {"predictor", "real", "value", "overlap"} == set(reports["copy"].details["effects"][0])


def test_progress_and_a_notice_without_statsmodels(cohort_schema, make_cohort, monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    monkeypatch.setitem(sys.modules, "statsmodels.api", None)
    assert effects.import_optional("statsmodels.api") is None
    steps: list[tuple[str, float]] = []
    report = evaluate(
        *(make_cohort(40, seed) for seed in range(3)),
        schema=cohort_schema,
        suite="full",
        n_bootstrap=5,
        progress=lambda *step: steps.append(step),
    )
    assert "effect_bias" not in report.metrics
    assert any("statsmodels is not installed" in notice for notice in report.notices)
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert steps[-1] == ("done", 1.0)
    assert {"DOMIAS", "augmentation"} <= {label for label, _ in steps}


def test_groups_are_kept_whole(make_schema):
    """Patient-days: a row-wise resample of the attack would claim far too narrow an interval."""
    kinds = dict.fromkeys(["a", "b", "c"], ColumnKind.CONTINUOUS)

    def days(first: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        level = np.repeat(rng.normal(size=(15, 3)), 6, axis=0)
        values = level + 0.02 * rng.normal(size=level.shape)
        patients = np.repeat(np.arange(first, first + 15), 6)
        return pd.DataFrame(values, columns=["a", "b", "c"]).assign(patient=patients)

    train, test = days(0, 0), days(15, 1)
    synthetic = pd.DataFrame(np.random.default_rng(2).normal(size=(90, 3)), columns=["a", "b", "c"])
    schema = make_schema(**kinds)

    def found(train: pd.DataFrame, group: str | None) -> Findings:
        rows, _ = judged_rows(train, test, synthetic, schema, group=group, seed=0)
        context = Context(rows, schema, None, False, n_bootstrap=100, n_jobs=1)
        return judge_domias(context, attack_rows(context))

    by_patient, by_row = found(train, "patient").metrics, found(train, None).metrics
    for name in ("domias_auc", "domias_folds_auc"):
        width = by_row[name].high - by_row[name].low
        assert by_patient[name].high - by_patient[name].low > 1.4 * width, name
    # One patient a fold: many a resample has drawn nobody of one of them.
    few = found(train.assign(patient=train["patient"] // 3), "patient").metrics["domias_folds_auc"]
    assert few.low < few.value < few.high
    # Nobody else's training rows are left to compare those of a single patient with.
    alone = found(train.assign(patient=0), "patient")
    assert set(alone.metrics) == {"domias_auc"}
    assert alone.notices == (
        "DOMIAS from other training rows needs several groups of training rows: left out",
    )


def test_wrong_declarations_are_refused(cohort_schema, make_cohort):
    tables = [make_cohort(40, seed) for seed in range(3)]
    with pytest.raises(ConfigError, match="no suite 'fast'"):
        evaluate(*tables, schema=cohort_schema, suite="fast")
    with pytest.raises(ConfigError, match=r"subgroup 'sexx'.*did you mean 'sex'"):
        evaluate(*tables, schema=cohort_schema, suite="full", subgroups=["sexx"])
    with pytest.raises(ConfigError, match="quasi-identifier 'zip'"):
        evaluate(*tables, schema=cohort_schema, suite="full", quasi_identifiers=["zip"])
