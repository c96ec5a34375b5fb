"""Columns in the dtypes of a schema."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import pandas_dtype

from rlsyn_env.errors import TableError, short_repr
from rlsyn_env.tables.column_values import level_codes
from rlsyn_env.tables.schema import LEVEL_KINDS, ColumnKind, ColumnSchema

_MISFIT = (ValueError, TypeError, OverflowError)


def as_column_type(series: pd.Series, column: ColumnSchema, source: str) -> pd.Series:
    """Return ``series`` in the column's dtype; TableError naming the row of a value that does not
    fit.

    Levels that reading a CSV turned into something else ("01" into 1) find their way back by how
    they read. Whole numbers with missing values become nullable where the dtype has no missing.
    """
    dtype = column.dtype
    if str(series.dtype) == dtype or column.kind is ColumnKind.IDENTIFIER:
        return series
    if series.isna().any():
        nullable = {"bool": "boolean", **{f"int{b}": f"Int{b}" for b in (8, 16, 32, 64)}}
        dtype = nullable.get(dtype, dtype)
    try:
        return _converted(series, column, dtype)
    except _MISFIT as error:
        what = f"values do not fit {dtype} ({error})"
        row = _first_misfit(series, column, dtype)
        if row is None:
            raise TableError(f"{source}, column {column.name!r}: {what}") from error
        raise TableError(
            f"{source}, column {column.name!r}, row {row + 1}: {short_repr(series.iloc[row])} does "
            f"not fit {dtype}; correct the value or leave it empty"
        ) from error


def _converted(series: pd.Series, column: ColumnSchema, dtype: str) -> pd.Series:
    if column.kind in LEVEL_KINDS and column.levels:
        series = _as_levels(series, column)
    if column.kind is ColumnKind.DATETIME and dtype.startswith("datetime64"):
        stamps = pd.to_datetime(series, utc="," in dtype)
        return stamps.astype(pandas_dtype(dtype))
    if dtype == "category":
        categories = list(column.categories or column.levels)
        return series.astype(pd.CategoricalDtype(categories, ordered=column.ordered))
    return series.astype(pandas_dtype(dtype))


def _first_misfit(series: pd.Series, column: ColumnSchema, dtype: str) -> int | None:
    """Return the first position that cannot be converted; None where not even no rows can be."""
    fitting, failing = -1, len(series)  # numbers of rows; 0 fails where the dtype itself is wrong
    while failing - fitting > 1:  # halving: the errors of pandas do not tell the row
        middle = (fitting + failing) // 2
        try:
            _converted(series.iloc[:middle], column, dtype)
            fitting = middle
        except _MISFIT:
            failing = middle
    return failing - 1 if failing else None


def _as_levels(series: pd.Series, column: ColumnSchema) -> pd.Series:
    """Replace values that read like a level by that level; others stay for the caller to judge."""
    unknown = level_codes(series, column.levels) == -2
    if not unknown.any():
        return series
    by_text = {str(level): level for level in column.levels}
    values = series.astype(object)
    return values.where(~unknown, values[unknown].map(lambda v: by_text.get(str(v), v)))
