"""What a peer is handed and what becomes of what it hands back."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

SHARED = Path(__file__).parents[2] / "benchmarks" / "field" / "peers" / "shared"

CSV = """\
age,weight,sex,stage,code,fixed,hollow
30,60.5,F,a,1,x,
41,,M,,2,x,5
52,71.25,F,b,1,x,
63,80.0,M,a,2,x,5
"""
KINDS = {
    "age": {"kind": "integer"},
    "weight": {"kind": "continuous", "decimals": 1},
    "sex": {"kind": "binary", "levels": ["F", "M"]},
    "stage": {"kind": "categorical", "levels": ["a", "b", "c"]},
    "code": {"kind": "binary", "levels": [1, 2]},
    "fixed": {"kind": "binary", "levels": ["x", "y"]},
    "hollow": {"kind": "integer"},
}


@pytest.fixture
def helpers(monkeypatch):
    monkeypatch.syspath_prepend(SHARED)
    import decimals
    import peer_table
    import unit_records

    yield peer_table, decimals, unit_records
    for name in ("peer_table", "decimals", "unit_records"):
        sys.modules.pop(name, None)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.csv").write_text(CSV)
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump({"target": "sex", "columns": KINDS}))
    return tmp_path


def test_missing_values_become_levels_and_indicators(helpers, folder):
    task = helpers[0].Task.from_arguments([str(folder), "3", "--fast"])
    assert (task.seed, task.target, task.options) == (3, "sex", ["--fast"])
    assert "fixed" not in task.table
    assert list(task.table["stage"]) == ["a", "(missing)", "b", "a"]
    assert list(task.table["weight"]) == [60.5, 71.25, 71.25, 80.0]
    assert list(task.table["weight (missing)"]) == ["no", "yes", "no", "no"]
    assert task.levels["code"] == ["1", "2"]
    assert task.integers == ["age", "hollow"]
    assert not task.table.isna().any().any()


def test_what_comes_back_is_cast_and_missing_again(helpers, folder):
    task = helpers[0].Task.from_arguments([str(folder), "0"])
    drawn = task.table.iloc[::-1].copy()
    drawn["age"] = [20.4, 30.6, 40.0, 50.0]
    task.write(drawn[sorted(drawn.columns)], {"epochs": 3})
    written = pd.read_csv(folder / "synthetic.csv", dtype=str)
    assert list(written.columns) == ["age", "weight", "sex", "stage", "code", "fixed", "hollow"]
    assert list(written["age"]) == ["20", "31", "40", "50"]
    assert list(written["weight"].isna()) == [False, False, True, False]
    assert list(written["stage"].fillna("")) == ["a", "b", "", "a"]
    assert list(written["fixed"]) == ["x"] * 4
    assert list(written["hollow"].fillna("")) == ["5", "", "5", ""]
    assert (folder / "notes.json").is_file()


def test_missing_values_can_be_left_to_the_peer(helpers, folder):
    task = helpers[0].Task.from_arguments([str(folder), "0"], fill_missing=False)
    assert task.table["weight"].isna().sum() == 1
    assert task.table["stage"].isna().sum() == 1
    assert "weight (missing)" not in task.table
    task.write(task.table)
    written = pd.read_csv(folder / "synthetic.csv", dtype=str).fillna("")
    original = pd.read_csv(folder / "train.csv", dtype=str).fillna("")
    pd.testing.assert_frame_equal(written.drop(columns="weight"), original.drop(columns="weight"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.head(3), "3 rows instead of 4"),
        (lambda t: t.drop(columns="age"), "columns are missing"),
        (lambda t: t.assign(sex="?"), "unknown levels"),
    ],
)
def test_what_cannot_be_written_is_refused(helpers, folder, change, message):
    task = helpers[0].Task.from_arguments([str(folder), "0"])
    with pytest.raises(ValueError, match=message):
        task.write(change(task.table))
    assert not (folder / "synthetic.csv").exists()


def test_decimals_are_those_of_the_schema(helpers, folder):
    task = helpers[0].Task.from_arguments([str(folder), "0"])
    drawn = task.table.assign(weight=[1.234, 5.678, 9.0, 2.04], age=[1.4, 2.0, 3.0, 4.0])
    result = helpers[1].rounded(task, drawn)
    assert list(result["weight"]) == [1.2, 5.7, 9.0, 2.0]
    assert list(result["age"]) == [1.4, 2.0, 3.0, 4.0]  # whole numbers are for write to round


def test_unit_records_go_there_and_back(helpers, folder):
    task = helpers[0].Task.from_arguments([str(folder), "0"])
    records = helpers[2].UnitRecords(task)
    assert records.matrix.dtype == np.float32
    assert records.matrix.min() == 0.0
    assert records.matrix.max() == 1.0
    back = records.frame(records.matrix)
    for name in task.levels:
        assert list(back[name]) == list(task.table[name]), name
    np.testing.assert_allclose(back["age"], task.table["age"], atol=1e-4)
    pushed = records.frame(records.matrix + 5.0)
    assert pushed["age"].max() == 63.0  # clipped
