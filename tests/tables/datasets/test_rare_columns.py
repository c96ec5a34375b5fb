"""Rare 0/1 columns go by the training rows alone; bytes stay bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.adversary import Adversary
from rlsyn_env.datasets import Cohort
from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.rare_columns import drop_rare
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.training_data import prepare_schema


def make_table(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rare = np.zeros(n, dtype=np.uint8)
    rare[[0, n - 1]] = 1
    return pd.DataFrame(
        {
            "person": np.arange(n) // 4,
            "age": rng.normal(60, 9, n),
            "common": rng.integers(0, 2, n).astype(np.uint8),
            "rare": rare,
            "rare_flag": rare == 1,
            "rare_word": np.where(rare == 1, "yes", "no"),
            "rare_target": rare,
        }
    )


def make_cohort(min_prevalence: float = 0.02) -> Cohort:
    return Cohort(
        "made_up", make_table(), target="rare_target", group="person", min_prevalence=min_prevalence
    )


def test_only_rare_flags_among_the_training_rows_go() -> None:
    cohort = make_cohort()
    schema = prepare_schema(cohort)
    assert (schema.group, schema.min_prevalence) == ("person", 0.02)
    assert set(schema.feature_names) >= {"rare", "rare_flag"}
    kept = drop_rare(schema, cohort.table)
    assert kept.dropped == ("rare", "rare_flag")
    assert kept.feature_names == ("age", "common", "rare_word", "rare_target")
    assert drop_rare(schema, cohort.table.iloc[:40]).dropped == ()  # 1 of 40 is no longer rare
    assert drop_rare(prepare_schema(make_cohort(0.0)), cohort.table).dropped == ()


def test_an_adversary_of_a_cohort_has_no_rare_columns() -> None:
    adversary = Adversary.from_dataset(make_cohort())
    assert adversary.encoder.feature_names == ("age", "common", "rare_word", "rare_target")


def test_bytes_survive_the_encoder() -> None:
    table = make_table().drop(columns=["person"])
    encoder = RecordEncoder.fit(table, infer_schema(table))
    rng = np.random.default_rng(0)
    back = encoder.decode(encoder.encode(table, rng))
    assert back["common"].dtype == np.uint8
    assert (back["common"] == table["common"]).all()


def test_min_prevalence_in_the_schema_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    schema = prepare_schema(make_cohort(5e-5))
    schema.save(path)
    assert TableSchema.load(path) == schema
    path.write_text("min_prevalence: often\ncolumns: {a: binary}\n")
    with pytest.raises(SchemaError, match="min_prevalence is 'often', expected a share"):
        TableSchema.load(path)


def test_many_dropped_columns_are_one_notice() -> None:
    table = pd.DataFrame(
        np.eye(40, dtype=np.uint8), columns=[f"code_{i}" for i in range(40)]
    ).assign(y=np.arange(40) % 2)
    schema = drop_rare(prepare_schema(Cohort("eye", table, target="y", min_prevalence=0.1)), table)
    assert schema.notices() == ["40 columns are dropped ('code_0', 'code_1', 'code_2', ...)"]
