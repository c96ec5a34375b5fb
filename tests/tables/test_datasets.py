"""Datasets by name, path and DataFrame."""

import pandas as pd
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets import describe_datasets, load_dataset


def test_embedded_datasets():
    found = {info.name: (info.rows, info.columns, info.target) for info in describe_datasets()}
    assert found == {"breast_cancer": (569, 31, "target"), "diabetes": (442, 11, "target")}
    assert load_dataset("diabetes").table["age"].max() > 70  # years, not scaled
    assert all(info.description for info in describe_datasets())


def test_path_and_frame(tmp_path):
    table = pd.DataFrame({"a": [1, 2]})
    table.to_csv(tmp_path / "my.table.csv", index=False)
    data = load_dataset(tmp_path / "my.table.csv")
    assert data.name == "my"
    assert data.source_path == tmp_path / "my.table.csv"
    assert data.table.equals(table)
    assert load_dataset(table).table is table


def test_unknown_name():
    with pytest.raises(TableError, match=r"did you mean 'diabetes'.*breast_cancer, diabetes.*path"):
        load_dataset("diabets")
    with pytest.raises(TableError, match="no dataset 'xyz'; embedded datasets are"):
        load_dataset("xyz")
    with pytest.raises(TableError, match=r"nowhere\.csv does not exist"):
        load_dataset("nowhere.csv")
