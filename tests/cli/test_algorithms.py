"""Every algorithm runs from the command line and writes a table like the one it was given."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from agents.registry import ALGORITHMS, get_algorithm
from rlsyn_env.tables.reader import read_table


def small(algo: str) -> list[str]:
    """Options that make one run a matter of seconds."""
    kind = get_algorithm(algo).kind
    options = ["--n-envs", "16", "--total-records", "64", "--no-progress"]
    if kind == "off-policy":
        options += ["--hyperparam", "gradient_steps=1", "batch_size=32"]
    elif kind == "search":
        options += ["--hyperparam", "n_delta=1", "n_eval_episodes=16"]
    return options


def check_like(synthetic: pd.DataFrame, table: pd.DataFrame) -> None:
    """Same columns, dtypes and levels; numbers within the range of the table."""
    assert list(synthetic.columns) == list(table.columns)
    assert synthetic.dtypes.map(str).to_dict() == table.dtypes.map(str).to_dict()
    for name in table.columns:
        real, made = table[name].dropna(), synthetic[name].dropna()
        ordered = pd.api.types.is_numeric_dtype(real) and not pd.api.types.is_bool_dtype(real)
        if ordered or pd.api.types.is_datetime64_any_dtype(real):
            assert made.empty or (made.min() >= real.min() and made.max() <= real.max()), name
        else:
            assert set(made) <= set(real), name
        if table[name].notna().all():
            assert synthetic[name].notna().all(), name


@pytest.mark.slow
@pytest.mark.parametrize("algo", ALGORITHMS)
def test_on_the_embedded_table(algo: str, cli, work: Path) -> None:
    code, out, err = cli(
        "train", "--algo", algo.lower(), "--test-size", "0", "--n-synthetic", "50", *small(algo)
    )
    assert code == 0, err
    run = work / "runs" / f"{algo.lower()}-breast_cancer-0"
    assert "nothing is judged" in out
    synthetic = pd.read_csv(run / "synthetic.csv")
    from sklearn.datasets import load_breast_cancer

    check_like(synthetic, load_breast_cancer(as_frame=True).frame)
    assert len(synthetic) == 50
    assert synthetic.drop_duplicates().shape[0] > 25


@pytest.mark.slow
@pytest.mark.parametrize("algo", ALGORITHMS)
def test_on_a_mixed_table_with_missing_values(algo: str, cli, work, mixed_table, tmp_path) -> None:
    path = tmp_path / "mixed.parquet"
    mixed_table.to_parquet(path)
    code, _, err = cli(
        "train", "--algo", algo, "--data", path, "--target", "died", "--out", "runs/mine",
        "--test-size", "0", *small(algo),
    )  # fmt: skip
    assert code == 0, err
    assert "patient_id" in err
    synthetic = read_table(work / "runs/mine/synthetic.parquet")
    table = read_table(path).drop(columns="patient_id")
    check_like(synthetic, table)
    assert synthetic["note"].isna().all()
    assert synthetic["systolic"].isna().any()
