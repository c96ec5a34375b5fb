"""Whether a table can be used at all, and whether it can be trained on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.column_values import native
from rlsyn_env.tables.schema import ORDERED_KINDS, ColumnKind, TableSchema, nearest

LEAST_ROWS = 30
_TOO_LARGE = 2**63  # what whole numbers are generated as holds no more


def check_table(table: pd.DataFrame, source: str = "the table") -> None:
    """Raise TableError for a table nobody can use.

    That is: no rows or columns, column names that are duplicate or not text, infinite values
    (naming column and row).
    """
    if table.shape[1] == 0:
        raise TableError(f"{source} has no columns")
    if len(table) == 0:
        raise TableError(f"{source} has column names but no rows")
    names = list(table.columns)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise TableError(
            f"{source} has the column name {odd[0]!r}, which is not text; rename the columns, for "
            "example with table.columns = table.columns.astype(str)"
        )
    check_duplicates(names, source)
    for name in names:
        if pd.api.types.is_float_dtype(table[name].dtype):
            infinite = np.isinf(table[name].to_numpy(dtype=np.float64, na_value=np.nan))
            if infinite.any():
                row = int(np.argmax(infinite)) + 1
                raise TableError(
                    f"{source}, column {name!r}, row {row}: infinite value; replace it with a "
                    "number or leave it empty"
                )


def check_duplicates(names: list[str], source: str) -> None:
    """Raise TableError when a column name occurs twice."""
    duplicate = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if duplicate is not None:
        raise TableError(
            f"{source} has the column name {duplicate!r} {names.count(duplicate)} times; "
            "give every column its own name"
        )


def check_whole_numbers(table: pd.DataFrame, schema: TableSchema) -> None:
    """Raise TableError for a column to generate that holds whole numbers of 2^63 or more."""
    for name in schema.compared_names:
        values = table[name]
        if schema.column(name).kind not in ORDERED_KINDS:
            continue
        if not pd.api.types.is_unsigned_integer_dtype(values.dtype):
            continue
        large = (values >= _TOO_LARGE).fillna(False).to_numpy(dtype=bool)
        if large.any():
            row = int(np.argmax(large))
            raise TableError(
                f"column {name!r}, row {row + 1}: the whole number {values.iloc[row]} is too large "
                "to be generated (2^63 or more); write the column's numbers with a decimal point, "
                "with a letter in front if they are codes, or drop the column"
            )


def column_hint(name: str, table: pd.DataFrame) -> str:
    """Return a hint for a name that is no column of ``table``: the index, or the nearest names."""
    if name in table.index.names:
        return ": it is the index; save the table after table.reset_index()"
    return nearest(name, [str(column) for column in table.columns])


def check_trainable(table: pd.DataFrame, schema: TableSchema, source: str = "the table") -> None:
    """Raise TableError when ``table`` cannot be trained on as ``schema`` says.

    That is: fewer than 30 rows; no feature; a target that does not exist, is no feature
    (identifier, constant, all missing, the group), or has one class.
    """
    check_table(table, source)
    if len(table) < LEAST_ROWS:
        raise TableError(f"{source} has {len(table)} rows; at least {LEAST_ROWS} are needed")
    for role, name in (("target", schema.target), ("group", schema.group)):
        if name is not None and name not in table.columns:
            hint = column_hint(name, table)
            raise TableError(f"{role} {name!r} does not exist in {source}{hint}")
    if not schema.feature_names:
        raise TableError(f"{source} has no column that can be generated: all are left out")
    if schema.target is not None:
        _check_target(table, schema, schema.target, source)


def _check_target(table: pd.DataFrame, schema: TableSchema, target: str, source: str) -> None:
    if target == schema.group:
        raise TableError(f"{target!r} cannot be target and group at once")
    if target in schema.dropped:
        raise TableError(f"target {target!r} is also among the columns to drop")
    kind = schema.column(target).kind
    values = table[target].dropna()
    if kind is ColumnKind.ALL_MISSING or not len(values):
        raise TableError(f"target {target!r} of {source} has no values: choose another target")
    if values.nunique() == 1:
        raise TableError(
            f"target {target!r} of {source} has one class ({native(values.iloc[0])!r}): "
            "choose another target"
        )
    if kind in (ColumnKind.IDENTIFIER, ColumnKind.CONSTANT):
        reason = "an identifier" if kind is ColumnKind.IDENTIFIER else "constant"
        raise TableError(
            f"target {target!r} of {source} is {reason}: choose another target, or give the "
            "column another kind in the schema"
        )
