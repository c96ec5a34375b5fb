"""Tables from CSV (also gzipped) and Parquet files."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.column_types import as_column_type
from rlsyn_env.tables.column_values import is_dates
from rlsyn_env.tables.csv_text import read_csv
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.table_check import check_duplicates, check_table

_EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def read_table(path: str | os.PathLike[str], *, schema: TableSchema | None = None) -> pd.DataFrame:
    """Read a CSV (``.csv``, ``.csv.gz``) or Parquet file; the content decides, not the suffix.

    Args:
        path: the file.
        schema: when given, its columns get the schema's dtypes (text such as '01' stays text).

    Raises:
        TableError: the file is missing, empty, no table, or has duplicate names, rows of unequal
            length or infinite values.
    """
    path = Path(path)
    if not path.exists():
        raise TableError(f"{path} does not exist")
    if not path.is_file():
        raise TableError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}") from error
    if not start:
        raise TableError(f"{path} is empty")
    if start in _EXCEL:
        raise TableError(f"{path} is an Excel or zip file: save the table as CSV")
    if start == b"PAR1":
        table = _read_parquet(path)
    else:
        table = read_csv(path, gzipped=start[:2] == b"\x1f\x8b")
    check_table(table, str(path))
    return table if schema is None else as_schema_types(table, schema, str(path))


def as_schema_types(table: pd.DataFrame, schema: TableSchema, source: str) -> pd.DataFrame:
    """Return ``table`` with the dtypes of the schema where its values fit them.

    Columns that the schema lacks keep theirs. Whole-number dtypes that cannot hold the missing
    values of this table become nullable. TableError naming the column when values do not fit.
    """
    columns = dict(table.items())
    for column in schema.columns:
        if column.name in columns and column.dtype:
            columns[column.name] = as_column_type(columns[column.name], column, source)
    return pd.DataFrame(columns, index=table.index)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise TableError(
            f"{path}: reading Parquet needs pyarrow: pip install 'rlsyn[parquet]'"
        ) from error
    from pyarrow import ArrowException

    try:
        names = pq.read_schema(path).names
        if len(set(names)) == len(names):
            table = pd.read_parquet(path)
            return pd.DataFrame({name: _plain(table[name]) for name in table.columns})
    except (ArrowException, OSError) as error:
        raise TableError(f"{path} is not a readable Parquet file: {error}") from error
    check_duplicates(names, str(path))
    return pd.DataFrame()


def _plain(series: pd.Series) -> pd.Series:
    """Turn columns of Python dates and decimal numbers into datetime64 and float64."""
    if is_dates(series):
        return pd.to_datetime(series)
    if series.dtype == object:
        values = series.dropna()
        if len(values) and all(isinstance(value, Decimal) for value in values):
            return series.astype("float64")
    return series
