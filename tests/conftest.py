"""Shared by every test: one torch thread, and small real tables."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pandas as pd
import pytest
import torch

torch.set_num_threads(1)


def make_mixed_table(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """Every kind of column, with dependence and missing values; rows are made up."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], n)
    age = rng.integers(20, 90, n)
    systolic = (90 + 0.6 * age + rng.normal(0, 9, n)).round(1)
    stage = np.where(systolic > 135, "high", np.where(systolic > 120, "raised", "normal"))
    lab = np.where(rng.random(n) < 0.3, 0.0, rng.lognormal(1, 0.7, n).round(2))
    table = pd.DataFrame(
        {
            "patient_id": [f"p{i:04d}" for i in range(n)],
            "sex": sex,
            "age": age,
            "systolic": np.where(rng.random(n) < 0.12, np.nan, systolic),
            "stage": pd.Series(stage).where(rng.random(n) > 0.08),
            "lab": lab,
            "smoker": rng.random(n) < 0.3,
            "visit": pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 700, n), "D"),
            "site": "north",
            "note": np.nan,
            "died": (rng.random(n) < 1 / (1 + np.exp(-(age - 70) / 8))).astype(int),
        }
    )
    return table


@pytest.fixture(scope="session")
def mixed_table() -> pd.DataFrame:
    return make_mixed_table()


@pytest.fixture(scope="session", autouse=True)
def _sb3_logs_are_kept_with_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    # SB3 makes a folder in the system's temporary one for every learn() without a logger.
    os.environ["SB3_LOGDIR"] = str(tmp_path_factory.mktemp("sb3"))


@pytest.fixture
def mixed_csv(tmp_path, mixed_table):
    path = tmp_path / "mixed.csv"
    mixed_table.to_csv(path, index=False)
    return path
