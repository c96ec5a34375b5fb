"""Writing tables chunk by chunk, and reading them back."""

import gc
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets import load_dataset
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.reader import read_table
from rlsyn_env.tables.writer import TableWriter, write_table

FORMATS = ["csv", "csv.gz", "parquet"]


def sample():
    return pd.DataFrame(
        {
            "text": ["NA", "a, b", None, 'q"q'],
            "whole": [1, 2, 3, 4],
            "gap": [1.0, np.nan, 3.0, 4.0],
            "weight": [12.5, 0.1, 1e-7, 123456.789],
            "flag": [True, False, True, True],
            "maybe": pd.array([True, None, False, True], dtype="boolean"),
            "day": pd.to_datetime(["2020-01-31", None, "2021-12-01", "1960-05-05"]),
            "stamp": pd.to_datetime(["2020-01-31 10:00:01"] * 4),
        }
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_written_tables_read_back_equal(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    write_table(sample(), path)
    pd.testing.assert_frame_equal(read_table(path), sample(), check_dtype=suffix == "parquet")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_csv_text_is_as_people_write_it(tmp_path):
    write_table(sample(), tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[1] == "NA,1,1.0,12.5,True,True,2020-01-31,2020-01-31 10:00:01"
    assert lines[2] == '"a, b",2,,0.1,False,,,2020-01-31 10:00:01'


def test_capital_suffixes_mean_the_same(tmp_path):
    path = tmp_path / "T.CSV.GZ"
    write_table(sample(), path)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    pd.testing.assert_frame_equal(read_table(path), sample(), check_dtype=False)


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_name_that_is_too_long_is_one_error(tmp_path):
    with pytest.raises(OSError, match="name too long"):
        TableWriter(tmp_path / f"{'x' * 300}.csv")
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_chunks_make_one_table(tmp_path, suffix):
    data = load_dataset("breast_cancer")
    encoder = RecordEncoder.fit(data.table)
    u = np.random.default_rng(0).random((300, 31), dtype=np.float32)
    path = tmp_path / f"t.{suffix}"
    with TableWriter(path, encoder) as writer:
        for start in range(0, 300, 70):
            writer.write(encoder.decode(u[start : start + 70]))
        assert not path.exists()
    assert writer.rows == 300
    pd.testing.assert_frame_equal(read_table(path), encoder.decode(u))


def test_a_chunk_without_values_does_not_fix_the_type(tmp_path):
    path = tmp_path / "t.parquet"
    with TableWriter(path) as writer:
        writer.write(pd.DataFrame({"a": pd.Series([None, None], dtype=object)}))
        writer.write(pd.DataFrame({"a": pd.Series(["x", None], dtype=object)}))
    assert read_table(path)["a"].isna().tolist() == [True, True, False, True]


def test_midnight_in_one_chunk_does_not_cut_the_time_of_the_next(tmp_path):
    table = pd.DataFrame({"t": pd.to_datetime(["2020-01-01 00:00:00", "2020-01-02 10:30:00"] * 20)})
    encoder = RecordEncoder.fit(table)
    path = tmp_path / "t.csv"
    with TableWriter(path, encoder) as writer:
        writer.write(table.iloc[[0]])
        writer.write(table.iloc[[1]])
    assert read_table(path)["t"].tolist() == table["t"].tolist()[:2]


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_is_left_of_an_aborted_file(tmp_path, suffix):
    path = tmp_path / f"t.{suffix}"
    path.write_text("older")

    def fail():
        with TableWriter(path) as writer:
            writer.write(sample())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "older"


def test_parquet_needs_pyarrow(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"pip install 'rlsyn\[parquet\]'"):
        TableWriter(tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("suffix", "rows_per_second"), [("parquet", 60_000), ("csv", 25_000)])
def test_speed_and_memory(tmp_path, suffix, rows_per_second):
    encoder = RecordEncoder.fit(load_dataset("breast_cancer").table)
    u = np.random.default_rng(0).random((20_000, 31), dtype=np.float32)
    chunk = encoder.decode(u)
    path = tmp_path / f"t.{suffix}"
    with TableWriter(path, encoder) as writer:
        writer.write(chunk)
        start = time.process_time()
        for _ in range(3):
            writer.write(chunk)
        seconds = time.process_time() - start
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        writer.write(chunk.iloc[:2000])
        kept = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    assert 60_000 / seconds > rows_per_second / 2  # half: the machine may be busy
    assert kept < 2e6
