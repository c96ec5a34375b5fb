"""The peers written from papers: a few iterations on a small mixed table with missing values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.tables.inference import infer_schema

PROJECT = Path(__file__).resolve().parents[2]
PEERS = PROJECT / "benchmarks" / "field" / "peers"
OPTIONS = {
    "emr_wgan": ("--steps", "6"),
    "ehrdiff": ("--steps", "6"),
    "oneshot_published": ("--iterations", "2"),
}
ROWS = 90


@pytest.fixture(scope="module")
def mixed_table() -> pd.DataFrame:
    """Numbers, integers, two and more levels, missing values in each.

    ``country`` is constant but for the last row, which is not for training.
    """
    rng = np.random.default_rng(0)
    age = rng.normal(60, 12, ROWS)
    table = pd.DataFrame(
        {
            "age": age.round(1),
            "visits": rng.poisson(4, ROWS).astype(float),
            "ward": rng.choice(["day", "general", "intensive"], ROWS, p=[0.5, 0.4, 0.1]),
            "smoker": rng.choice(["no", "yes"], ROWS),
            "dead": (age > 65).astype(int),
            "country": ["NL"] * (ROWS - 1) + ["BE"],
        }
    )
    table.loc[::7, "age"] = np.nan
    table.loc[::9, "visits"] = np.nan
    table.loc[::8, "ward"] = None
    table.loc[::6, "smoker"] = None
    return table


def run_peer(name: str, table: pd.DataFrame, folder: Path, seed: int = 3) -> pd.DataFrame:
    """Run a peer's program on all rows but the last, as the field does; return its table."""
    folder.mkdir()
    table[:-1].to_csv(folder / "train.csv", index=False)
    infer_schema(table, target="dead").save(folder / "schema.yaml")
    path = os.pathsep.join([str(PEERS / "shared"), str(PROJECT)])
    done = subprocess.run(
        [sys.executable, str(PEERS / name / "run.py"), str(folder), str(seed), *OPTIONS[name]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pd.read_csv(folder / "synthetic.csv", keep_default_na=False, na_values=[""])


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_peer_writes_a_table_like_the_training_table(
    name: str, mixed_table: pd.DataFrame, tmp_path: Path
) -> None:
    train = mixed_table[:-1]
    synthetic = run_peer(name, mixed_table, tmp_path / "one")
    assert list(synthetic.columns) == list(mixed_table.columns)
    assert len(synthetic) == len(train)
    for column in ("ward", "smoker", "dead", "country"):
        assert set(synthetic[column].dropna()) <= set(train[column].dropna())
    for column in ("age", "visits"):
        values, real = synthetic[column].dropna(), train[column].dropna()
        assert values.between(real.min(), real.max()).all()
    assert (synthetic["visits"].dropna() % 1 == 0).all()
    assert not synthetic[["dead", "country"]].isna().any(axis=None)
    notes = json.loads((tmp_path / "one" / "notes.json").read_text(encoding="utf-8"))
    assert str(notes.get("steps", notes.get("iterations"))) == OPTIONS[name][1]
    again = run_peer(name, mixed_table, tmp_path / "two")
    pd.testing.assert_frame_equal(again, synthetic)
