"""Whether a table is what a schema says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.column_values import is_datetime, is_text, is_whole, level_codes, native
from rlsyn_env.tables.schema import (
    LEVEL_KINDS,
    ORDERED_KINDS,
    ColumnKind,
    ColumnSchema,
    TableSchema,
    nearest,
)


def check_matches(schema: TableSchema, table: pd.DataFrame, source: str) -> None:
    """Raise SchemaError naming the column and row where ``table`` does not fit ``schema``."""
    names = [str(name) for name in table.columns]
    for column in schema.columns:
        if column.name not in names:
            raise SchemaError(
                f"the schema has a column {column.name!r} that {source} lacks"
                f"{nearest(column.name, names)}; correct the name or remove the entry"
            )
    for name in names:
        if name not in schema.names and name not in schema.dropped:
            raise SchemaError(
                f"column {name!r} of {source} is not in the schema"
                f"{nearest(name, schema.names)}; add it, or list it under 'drop'"
            )
    for column in schema.columns:
        _check_column(column, table[column.name], source)


def _check_column(column: ColumnSchema, series: pd.Series, source: str) -> None:
    if column.kind in LEVEL_KINDS and column.levels:
        _check_levels(column, series, source)
    elif column.kind in ORDERED_KINDS:
        _check_ordered(column, series, source)
    elif column.kind is ColumnKind.ALL_MISSING and series.notna().any():
        row = int(np.argmax(series.notna().to_numpy()))
        raise _mismatch(column, series, row, source, "give it the kind of its values")


def _check_levels(column: ColumnSchema, series: pd.Series, source: str) -> None:
    unknown = level_codes(series, column.levels) == -2
    if unknown.any():
        row = int(np.argmax(unknown))
        raise _mismatch(column, series, row, source, "add it to the levels, or correct the table")


def _check_ordered(column: ColumnSchema, series: pd.Series, source: str) -> None:
    values = series
    if column.kind is ColumnKind.DATETIME:
        if not is_datetime(series):
            values = pd.to_datetime(series, errors="coerce", format="ISO8601")
    elif is_datetime(series):
        raise _mismatch(column, series, 0, source, "give it the kind datetime or categorical")
    elif is_text(series) or isinstance(series.dtype, pd.CategoricalDtype):
        values = pd.to_numeric(series.astype(object), errors="coerce")
    wrong = (values.isna() & series.notna()).to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        remedy = "give it the kind categorical"
        if column.kind is ColumnKind.DATETIME:
            remedy = f"write dates as YYYY-MM-DD, or {remedy}"
        raise _mismatch(column, series, row, source, remedy)
    if column.kind is ColumnKind.INTEGER:
        x = values.to_numpy(dtype=np.float64, na_value=np.nan)
        fractions = ~np.isnan(x) & (x != np.round(x))
        if fractions.any() or not is_whole(x[~np.isnan(x)]):
            row = int(np.argmax(fractions))
            raise _mismatch(column, series, row, source, "give it the kind continuous")


def _mismatch(
    column: ColumnSchema, series: pd.Series, row: int, source: str, remedy: str
) -> SchemaError:
    value = native(series.iloc[row])
    return SchemaError(
        f"column {column.name!r} is {column.kind.value} in the schema, but row {row + 1} of "
        f"{source} is {value!r}: {remedy}"
    )
