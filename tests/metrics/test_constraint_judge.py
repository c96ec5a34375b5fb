"""The judge's figure of constraints on tables whose share is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from rlsyn_env.errors import SchemaError
from rlsyn_env.metrics import evaluate, fidelity, utility
from rlsyn_env.metrics.html_report.details import detail_table
from rlsyn_env.metrics.judge_constraints import judge_constraints
from rlsyn_env.tables.inference import infer_schema

RULES = ("low < high", "sex == 'F' or prostate == 0", "low < 1000")


def make_table(n: int, seed: int, swapped: int = 0, wrong: int = 0) -> pd.DataFrame:
    """Rows that keep the rules, but for ``swapped`` that break the first, ``wrong`` the second."""
    rng = np.random.default_rng(seed)
    low = rng.integers(40, 90, n)
    sex = np.array(["F", "M"])[np.arange(n) % 2]
    table = pd.DataFrame(
        {
            "low": low,
            "high": low + rng.integers(1, 60, n),
            "sex": sex,
            "prostate": np.where(sex == "F", rng.integers(0, 2, n), 0),
        }
    )
    first = table.index[:swapped]
    table.loc[first, ["low", "high"]] = table.loc[first, ["high", "low"]].to_numpy()
    men = table.index[table["sex"] == "M"][-wrong or n :]
    table.loc[men, "prostate"] = 1
    return table


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {
        "train": make_table(200, 0),
        "test": make_table(100, 1, swapped=2),
        "synthetic": make_table(400, 2, swapped=20, wrong=60),
    }


def judged(tables, rules=RULES, schema=None, **changes):
    tables = {**tables, **changes}
    schema = schema or infer_schema(tables["train"])
    return judge_constraints(**tables, schema=schema, rules=rules, seed=0)


def test_the_share_is_the_known_one(tables) -> None:
    metrics, details, notices = judged(tables)
    metric = metrics["constraint_violations"]
    assert metric.value == pytest.approx(80 / 400)
    assert metric.ideal == pytest.approx(0.02)
    assert (metric.reference["real"], metric.reference["copy"]) == (0.0, 0.0)
    wilson = binomtest(80, 400).proportion_ci(0.95, method="wilson")
    assert (metric.low, metric.high) == pytest.approx((wilson.low, wilson.high))
    assert (metric.family, metric.direction) == ("fidelity", "nearest to real rows")
    # men among rows of their own column x presence among rows of its own, or the pressures crossed
    train = tables["train"]
    crossed = (train["low"].to_numpy()[:, None] >= train["high"].to_numpy()).mean()
    wrong = 0.5 * train["prostate"].mean()
    expected = 1 - (1 - crossed) * (1 - wrong)
    assert metric.reference["independent"] == pytest.approx(expected, abs=0.1)
    rows = details["constraint_violations"]
    assert [row["constraint"] for row in rows] == [RULES[1], RULES[0], RULES[2]]
    assert [row["value"] for row in rows] == pytest.approx([0.15, 0.05, 0.0])
    assert [row["real"] for row in rows] == pytest.approx([0.0, 0.02, 0.0])
    assert notices == []


def test_no_rules_no_figure(tables) -> None:
    assert judged(tables, rules=()) == ({}, {}, [])


def test_rules_whose_columns_a_table_lacks_are_left_out(tables) -> None:
    fewer = tables["synthetic"].drop(columns="prostate")
    metrics, _, notices = judged(tables, synthetic=fewer)
    assert metrics["constraint_violations"].value == pytest.approx(0.05)
    assert notices == ["1 constraint(s) are not judged: a table lacks 'prostate'"]
    none = judged(tables, rules=RULES[1:2], synthetic=fewer)
    assert none[0] == {}
    assert len(none[2]) == 1


def test_open_levels_of_a_schema_are_those_of_the_training_rows(tables) -> None:
    schema = infer_schema(tables["train"])
    opened = dataclasses.replace(
        schema, columns=tuple(dataclasses.replace(c, levels=()) for c in schema.columns)
    )
    assert judged(tables, schema=opened) == judged(tables)


def test_the_quick_suite_has_it(tables, monkeypatch) -> None:
    for module in (fidelity, utility):
        monkeypatch.setattr(module, "N_TREES", 10)
    schema = dataclasses.replace(infer_schema(tables["train"]), constraints=RULES)
    report = evaluate(**tables, schema=schema, n_bootstrap=5)
    assert report.metrics["constraint_violations"].value == pytest.approx(0.2)
    assert report.settings["constraints"] == list(RULES)
    assert "constraint_violations" in report.text()
    html = detail_table(report.details, "constraint_violations")
    assert "low &lt; high" in html
    given = evaluate(**tables, schema=schema, constraints=RULES[:1], n_bootstrap=5)
    assert given.metrics["constraint_violations"].value == pytest.approx(0.05)
    assert (
        "constraint_violations"
        not in evaluate(**tables, schema=schema, constraints=(), n_bootstrap=5).metrics
    )
    with pytest.raises(SchemaError, match="the constraints: constraint 'lov < 1': no column 'lov'"):
        evaluate(**tables, schema=schema, constraints=["lov < 1"])
