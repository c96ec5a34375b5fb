"""Reading CSV and Parquet, and one clear error for every bad file."""

import datetime
import decimal
import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.errors import TableError
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.reader import read_table


def write(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_types_are_read_as_people_mean_them(tmp_path):
    path = write(
        tmp_path,
        "n,t,d,stamp,flag,maybe,code,f\n"
        "1,None,2020-01-31,2020-01-31T10:00:00,TRUE,True,007,0.1\n"
        "NA,NA,2021-02-01,2020-01-31 10:00:01,FALSE,,010,12.50\n"
        "?,x,,2020-02-01T00:00:00,TRUE,False,100,\n",
    )
    table = read_table(path)
    assert table["n"].tolist()[0] == 1
    assert table["n"].isna().tolist() == [False, True, True]
    assert table["t"].tolist() == ["None", "NA", "x"]
    assert table["d"].dt.day.tolist()[:2] == [31, 1]
    assert table["stamp"].dt.second.tolist() == [0, 1, 0]
    assert table["flag"].dtype == bool
    assert str(table["maybe"].dtype) == "boolean"
    assert table["code"].tolist() == ["007", "010", "100"]
    assert table["f"].tolist()[:2] == [0.1, 12.5]


@pytest.mark.parametrize("mark", ["NA", "NaN", "nan", "null", "NULL", "N/A", "None", "?", "."])
def test_missing_marks_of_numeric_columns(tmp_path, mark):
    table = read_table(write(tmp_path, f"a,b\n1.5,x\n{mark},{mark}\n3,z\n"))
    assert table["a"].dtype == "float64"
    assert table["a"].isna().tolist() == [False, True, False]
    assert table["b"].tolist() == ["x", mark, "z"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_bom(tmp_path, separator):
    text = "a,b\n1,x\n2,y\n".replace(",", separator)
    table = read_table(write(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert list(table) == ["a", "b"]
    assert table["a"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ('"a;b;c;d",e,y', ["a;b;c;d", "e", "y"]),
        ('"a,b ""x"", c";e;y', ['a,b "x", c', "e", "y"]),
        ('"a\nb;c;d;e",e,y', ["a\nb;c;d;e", "e", "y"]),
        ('a 5",e,"y;1"', ['a 5"', "e", "y;1"]),
    ],
)
def test_separators_inside_quoted_names_do_not_count(tmp_path, header, names):
    separator = ";" if ";e;" in header else ","
    rows = "".join(f"{i},{i},1\n".replace(",", separator) for i in range(3))
    table = read_table(write(tmp_path, f"{header}\n{rows}"))
    assert list(table) == names
    assert table["e"].tolist() == [0, 1, 2]


def test_decimal_commas(tmp_path):
    path = write(
        tmp_path, "w;k;t;c;n\n65,4;1,234;a;01,5;2,5\n70;2,500;b;02,5;?\n-1,25;7;1,5;03;3\n"
    )
    table = read_table(path)
    assert table["w"].tolist() == [65.4, 70, -1.25]
    assert table["k"].tolist() == ["1,234", "2,500", "7"]  # thousands, perhaps
    assert table["t"].tolist() == ["a", "b", "1,5"]
    assert table["c"].tolist() == ["01,5", "02,5", "03"]
    assert table["n"].isna().tolist() == [False, True, False]
    assert read_table(write(tmp_path, 'w,b\n"65,4",1\n"70,1",2\n'))["w"].tolist() == [
        "65,4",
        "70,1",
    ]


def test_gzip_and_quoted_values(tmp_path):
    path = write(tmp_path, gzip.compress(b'a,b\n1,"x, y"\n2,"line\nbreak"\n'), "t.csv.gz")
    assert read_table(path)["b"].tolist() == ["x, y", "line\nbreak"]


def test_one_column_with_missing_rows(tmp_path):
    assert read_table(write(tmp_path, "a\n1\n\n3\n"))["a"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "column name 'a' 2 times"),
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 fields, but the header has 2"),
        ("a,b\n1,2\n1\n", "line 3: 1 fields"),
        ("a,b\n1,2\n3,inf\n", "column 'b', row 2: infinite"),
        ("a;b\n1;2,5\n3;-Inf\n", "column 'b', row 2: infinite"),
        ('a,b,c\n1,"x,0\n2,y,0\n3,z,0\n', "line 2: 2 fields up to line 4, .* quote"),
        ('a,b\n1,x\n2,"y\n3,z\n', "line 3: a quote is opened here and never closed"),
        ('a,b\n1,x\n2,"y\n' + "3,z\n" * 50_000, "line 3: a quote is opened here"),
        (b"\x00\x01\x02\x03junk", "binary data"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"a,b\n1,\xff\xfe\n", "line 2: not UTF-8"),
        (b"PK\x03\x04....", "Excel"),
        (b"PAR1junk", "not a readable Parquet"),
        (b"\x1f\x8b\x08junk", "cannot read"),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(TableError, match=r"none\.csv does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(TableError, match="is not a file"):
        read_table(tmp_path)


def test_duplicate_parquet_names(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    column = pyarrow.array([1, 2])
    pq.write_table(pyarrow.Table.from_arrays([column, column], ["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="column name 'a' 2 times"):
        read_table(tmp_path / "t.parquet")


def test_parquet_dates_and_decimals_become_plain_columns(tmp_path):
    pytest.importorskip("pyarrow")
    days = [datetime.date(2020, 1, 31), None, datetime.date(2021, 2, 1)]
    prices = [decimal.Decimal("1.50"), decimal.Decimal("2.25"), None]
    table = pd.DataFrame({"day": days, "price": prices}, dtype=object)
    table.to_parquet(tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert read["day"].dt.day.tolist()[::2] == [31, 1]
    assert read["price"].tolist()[:2] == [1.5, 2.25]


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(TableError, match=r"pip install 'rlsyn\[parquet\]'"):
        read_table(write(tmp_path, b"PAR1....", "t.parquet"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["0.5", "", "abc", "x"], r"'v', row 3: 'abc' does not fit float64; correct"),
        (["7", "", "1.5", "x"], r"'v', row 3: '1.5' does not fit Int64"),
        (["7", "8", "1" * 50, "9"], r"'v', row 3: 1111.*\.\.\.1 does not fit int64"),
    ],
)
def test_a_value_that_does_not_fit_the_schema_is_named(tmp_path, values, message):
    usual = np.arange(40) / (4 if "float" in message else 1) + 5
    schema = infer_schema(pd.DataFrame({"v": usual if "float" in message else usual.astype(int)}))
    path = write(tmp_path, "v,w\n" + "".join(f"{value},1\n" for value in values))
    with pytest.raises(TableError, match=message) as caught:
        read_table(path, schema=schema)
    assert str(path) in str(caught.value)


def test_schema_gives_its_dtypes(tmp_path):
    original = pd.DataFrame(
        {
            "code": [str(value) for value in np.arange(40) % 2],
            "visits": pd.array(np.arange(40) % 7, dtype="Int64"),
            "grade": pd.Categorical(["lo", "hi"] * 20, ["lo", "hi"], ordered=True),
            "small": (np.arange(40) % 5).astype("int8"),
            "single": np.round(np.arange(40) / 8, 3).astype("float32"),
        }
    )
    path = tmp_path / "t.csv"
    original.to_csv(path, index=False)
    read = read_table(path, schema=infer_schema(original))
    pd.testing.assert_frame_equal(read, original)
