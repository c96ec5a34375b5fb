"""What kind of column each column is, from its values and its name."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rlsyn_env.errors import SchemaError, TableError
from rlsyn_env.tables.column_values import (
    find_decimals,
    find_resolution,
    is_datetime,
    is_text,
    is_whole,
    native,
)
from rlsyn_env.tables.constraints import check_constraints, prune_constraints
from rlsyn_env.tables.derived.checks import check_formulas
from rlsyn_env.tables.derived.detection import derive_columns
from rlsyn_env.tables.identifiers import is_identifier
from rlsyn_env.tables.ordered_map import axis_of, outer_bounds
from rlsyn_env.tables.schema import (
    LEVEL_KINDS,
    ORDERED_KINDS,
    ColumnKind,
    ColumnSchema,
    TableSchema,
)
from rlsyn_env.tables.schema_files import default_dtype
from rlsyn_env.tables.table_check import check_table, check_whole_numbers, column_hint


def infer_schema(
    table: pd.DataFrame,
    *,
    target: str | None = None,
    group: str | None = None,
    drop: Sequence[str] = (),
    derive: bool = False,
) -> TableSchema:
    """Return the schema of ``table``.

    Args:
        table: rows to infer from. Pass rows that may be learned from: levels, shares and bounds
            come from them.
        target: column to predict; kept a feature.
        group: column whose rows stay together in splits; left out of the features.
        drop: columns to leave out.
        derive: also find the columns that the others determine
            (:func:`rlsyn_env.tables.derived.detection.derive_columns`).

    Raises:
        TableError: the table cannot be used (duplicate names, infinite values, no rows, whole
            numbers of 2^63 and more), or a named column does not exist.
    """
    check_table(table)
    names = [str(name) for name in table.columns]
    for role, wanted in (("target", target), ("group", group), *(("drop", d) for d in drop)):
        if wanted is not None and wanted not in names:
            what = "column to drop" if role == "drop" else role
            hint = column_hint(wanted, table)
            raise TableError(f"{what} {wanted!r} does not exist in the table{hint}")
    if target is not None and target in drop:
        raise TableError(f"target {target!r} is also among the columns to drop")
    columns = tuple(infer_column(table[name], name) for name in names if name not in drop)
    schema = TableSchema(columns, target=target, group=group, dropped=tuple(drop))
    check_whole_numbers(table, schema)
    return derive_columns(schema, table) if derive else schema


def infer_column(series: pd.Series, name: str) -> ColumnSchema:
    """Return the schema of one column."""
    kind = infer_kind(series, name)
    return describe(series, ColumnSchema(name, kind))


def infer_kind(series: pd.Series, name: str) -> ColumnKind:
    """Return the kind of a column; TableError for values that no kind can hold."""
    values = series.dropna()
    if not len(values):
        return ColumnKind.ALL_MISSING
    _refuse_odd_types(values, name)
    distinct = values.nunique()
    if distinct == 1 and len(values) == len(series):
        return ColumnKind.CONSTANT
    if pd.api.types.is_bool_dtype(series.dtype) or _all_bool(values):
        return ColumnKind.BOOLEAN
    if is_datetime(series):
        return ColumnKind.DATETIME
    if is_identifier(series, name):
        return ColumnKind.IDENTIFIER
    if isinstance(series.dtype, pd.CategoricalDtype) or is_text(series):
        return ColumnKind.BINARY if distinct == 2 else ColumnKind.CATEGORICAL
    if is_whole(axis_of(values, ColumnSchema(name, ColumnKind.CONTINUOUS))):
        return ColumnKind.BINARY if distinct <= 2 else ColumnKind.INTEGER
    return ColumnKind.CONTINUOUS


def _all_bool(values: pd.Series) -> bool:
    return values.dtype == object and all(isinstance(value, bool | np.bool_) for value in values)


def _refuse_odd_types(values: pd.Series, name: str) -> None:
    dtype = values.dtype
    if pd.api.types.is_timedelta64_dtype(dtype):
        raise TableError(
            f"column {name!r} holds durations; turn them into numbers (.dt.total_seconds())"
        )
    if pd.api.types.is_complex_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        raise TableError(f"column {name!r} has dtype {dtype}, which cannot be generated; drop it")
    sample: Any = values
    if isinstance(dtype, pd.CategoricalDtype):
        sample = pd.Series(dtype.categories)
    if sample.dtype == object and not is_datetime(sample):
        odd = [value for value in sample if not isinstance(value, str | int | float | np.generic)]
        if odd:
            raise TableError(
                f"column {name!r} holds {type(odd[0]).__name__} values; turn them into text or "
                "numbers, or drop the column"
            )
    elif isinstance(sample.dtype, pd.IntervalDtype):
        raise TableError(f"column {name!r} holds intervals; turn them into text (.astype(str))")


def describe(series: pd.Series, column: ColumnSchema) -> ColumnSchema:
    """Fill in what ``column`` leaves empty (dtype, levels, bounds, ...) from ``series``."""
    kind = column.kind
    if kind is ColumnKind.IDENTIFIER:
        return column
    filled: dict[str, Any] = {"dtype": _dtype(series, column)}
    share = float(series.isna().mean())
    if share and not column.missing and kind is not ColumnKind.ALL_MISSING:
        filled["missing"] = max(round(share, 4), 0.0001)
    if (kind in LEVEL_KINDS or kind is ColumnKind.CONSTANT) and not column.levels:
        filled["levels"] = _levels(series)
        if isinstance(series.dtype, pd.CategoricalDtype):
            filled["ordered"] = bool(series.dtype.ordered)
            categories = tuple(native(value) for value in series.dtype.categories)
            if categories != filled["levels"]:
                filled["categories"] = categories
    if kind in ORDERED_KINDS:
        x = axis_of(series, column)
        x = x[~np.isnan(x)]
        if kind is ColumnKind.CONTINUOUS and column.decimals is None:
            single = str(series.dtype).lower() == "float32"
            filled["decimals"] = find_decimals(x, single=single)
        if kind is ColumnKind.DATETIME and column.resolution is None:
            filled["resolution"] = find_resolution(x)
        if column.bounds is None and len(x):
            filled["bounds"] = outer_bounds(x, dataclasses.replace(column, **filled))
    return dataclasses.replace(column, **filled)


def _dtype(series: pd.Series, column: ColumnSchema) -> str:
    own = str(series.dtype)
    if not column.dtype or column.dtype == default_dtype(column.kind, column.levels):
        return own
    return column.dtype


def _levels(series: pd.Series) -> tuple[Any, ...]:
    if isinstance(series.dtype, pd.CategoricalDtype):
        present = set(series.dropna().unique())
        return tuple(native(value) for value in series.dtype.categories if value in present)
    values = [native(value) for value in series.dropna().unique()]
    if is_datetime(series):
        return tuple(value.isoformat() for value in values)
    return tuple(sorted(values, key=lambda value: (type(value).__name__, value)))


def complete_schema(schema: TableSchema, table: pd.DataFrame) -> TableSchema:
    """Return ``schema`` with what it leaves empty filled in from ``table``, after checking it.

    SchemaError where the two do not match, TableError for whole numbers of 2^63 and more.
    """
    schema.check(table)
    check_whole_numbers(table, schema)
    columns = tuple(describe(table[column.name], column) for column in schema.columns)
    complete = dataclasses.replace(schema, columns=columns)
    check_formulas(complete, "the schema")
    complete = prune_constraints(complete)
    check_constraints(complete, "the schema")
    return complete


def load_schema(path: str | os.PathLike[str], table: pd.DataFrame) -> TableSchema:
    """Read a YAML schema, or SDV metadata from a ``.json`` file, and complete it from ``table``.

    SchemaError when the file is missing or malformed, or does not match the table.
    """
    if Path(path).suffix.lower() != ".json":
        return complete_schema(TableSchema.load(path), table)
    from rlsyn_env.tables.sdv_metadata import schema_from_sdv

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"cannot read schema {path}: {error}") from error
    return schema_from_sdv(text, table, str(path))
