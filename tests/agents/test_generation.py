from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from agents.generation import BATCH, generate, load_generator
from agents.runs.outcome import export_model, write_synthetic
from rlsyn_env.errors import ConfigError, RLSynError
from rlsyn_env.tables.reader import read_table


@pytest.fixture
def mixed_generator(new_run, mixed_csv):
    run, folder = new_run(dataset=None, data=str(mixed_csv), target="died")
    export_model(run, folder)
    return load_generator(folder)


def rows(generator, n: int, **options) -> pd.DataFrame:
    return pd.concat(list(generate(generator, n, **options)), ignore_index=True)


@pytest.mark.parametrize("algo", ["ppo", "recurrentppo", "maskableppo", "dqn", "td3", "ars"])
def test_the_same_seed_gives_the_same_rows(algo: str, new_run) -> None:
    run, folder = new_run(algo=algo)
    export_model(run, folder)
    first = rows(load_generator(folder), 60, seed=4, batch=32)
    np.random.rand(3)  # noqa: NPY002
    torch.rand(3)
    assert rows(load_generator(folder), 60, seed=4, batch=32).equals(first)
    assert not rows(load_generator(folder), 60, seed=5, batch=32).equals(first)
    assert first.drop_duplicates().shape[0] > 30


def test_the_first_rows_do_not_depend_on_n(mixed_generator) -> None:
    long = rows(mixed_generator, 100, seed=1, batch=32)
    assert rows(mixed_generator, 40, seed=1, batch=32).equals(long.head(40))


def test_global_random_states_are_left_alone(mixed_generator) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    rows(mixed_generator, 10)
    assert torch.equal(torch.rand(3), expected)


def test_rows_look_like_the_table(mixed_generator, mixed_csv) -> None:
    table = read_table(mixed_csv).drop(columns="patient_id")
    synthetic = rows(mixed_generator, 500)
    assert list(synthetic.columns) == list(table.columns)
    assert synthetic.dtypes.map(str).to_dict() == table.dtypes.map(str).to_dict()
    assert set(synthetic["sex"]) == {"F", "M"}
    assert set(synthetic["site"]) == {"north"}
    assert synthetic["note"].isna().all()
    assert 0 < synthetic["stage"].isna().mean() < 0.3
    assert synthetic["age"].between(table["age"].min(), table["age"].max()).all()


def test_fixed_values_are_in_every_row(mixed_generator) -> None:
    fixed = {"sex": "F", "age": 61}
    synthetic = rows(mixed_generator, 300, fixed=fixed, batch=128)
    assert (synthetic["sex"] == "F").all()
    assert (synthetic["age"] == 61).all()
    assert synthetic["systolic"].nunique() > 50


def test_a_warning_tells_pins_from_conditions(mixed_generator) -> None:
    first, second, *_ = mixed_generator.encoder.feature_names
    assert (first, second) == ("sex", "age")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows(mixed_generator, 5, fixed={"sex": "F"})
    with pytest.warns(UserWarning, match="not conditional"):
        rows(mixed_generator, 5, fixed={"age": 61})


@pytest.mark.parametrize("fixed", [{"nothing": 1}, {"sex": "X"}, {"age": 1000}])
def test_values_that_cannot_be_fixed_are_refused(fixed, mixed_generator) -> None:
    with pytest.raises(RLSynError):
        rows(mixed_generator, 10, fixed=fixed)


def test_nothing_to_generate(mixed_generator, tmp_path) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        generate(mixed_generator, 0)
    with pytest.raises(ConfigError, match="does not exist"):
        load_generator(tmp_path / "none")


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.parquet"])
def test_files_hold_the_same_rows_in_every_format(name: str, mixed_generator, tmp_path) -> None:
    seen = []
    n = 8 * BATCH + 10
    write_synthetic(mixed_generator, tmp_path / name, n, seed=2, progress=seen.append)
    assert seen == [8 * BATCH, 10]
    assert len(read_table(tmp_path / name)) == n
    pd.testing.assert_frame_equal(
        read_table(tmp_path / name), rows(mixed_generator, n, seed=2), check_dtype=False
    )


def test_a_failure_leaves_the_old_file(mixed_generator, tmp_path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("old")

    def fail(rows: int) -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        write_synthetic(mixed_generator, path, 10, seed=0, progress=fail)
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".*s.csv")) == []
