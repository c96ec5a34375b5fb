"""Schemas from SDV metadata JSON: ``{"columns": {"age": {"sdtype": "numerical"}, ...}}``."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pandas as pd

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.inference import complete_schema, infer_schema
from rlsyn_env.tables.schema import ColumnKind, ColumnSchema, TableSchema

_LEVEL_SDTYPES = {"categorical": ColumnKind.CATEGORICAL, "boolean": ColumnKind.BOOLEAN}
_ORDERED = (ColumnKind.INTEGER, ColumnKind.CONTINUOUS)


def schema_from_sdv(text: str, table: pd.DataFrame, source: str) -> TableSchema:
    """Return the schema that SDV metadata gives ``table``.

    ``categorical``, ``numerical``, ``datetime``, ``boolean`` and ``id`` are taken over; personal
    data (``name``, ``email``, ...) count as identifiers; ``unknown`` is inferred. Details
    (levels, bounds, whole numbers) come from the table.

    SchemaError when the text is no such metadata or names columns that the table lacks.
    """
    columns = _columns_of(text, source)
    inferred = infer_schema(table)
    for name in columns:
        inferred.column(name)  # raises, with the nearest names
    kinds = {
        column.name: _kind(columns[column.name], column)
        for column in inferred.columns
        if column.name in columns
    }
    declared = tuple(
        ColumnSchema(column.name, kinds[column.name])
        if kinds.get(column.name, column.kind) is not column.kind
        else column
        for column in inferred.columns
    )
    return complete_schema(dataclasses.replace(inferred, columns=declared), table)


def _columns_of(text: str, source: str) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SchemaError(f"{source} is not valid JSON: {error}") from error
    if isinstance(data, dict) and isinstance(data.get("tables"), dict):
        if len(data["tables"]) != 1:
            raise SchemaError(f"{source} describes {len(data['tables'])} tables; one is needed")
        data = next(iter(data["tables"].values()))
    columns = data.get("columns") if isinstance(data, dict) else None
    if not isinstance(columns, dict) or not all(
        isinstance(entry, dict) and isinstance(entry.get("sdtype"), str)
        for entry in columns.values()
    ):
        raise SchemaError(
            f"{source} is not SDV metadata: expected 'columns' with an 'sdtype' for each"
        )
    return columns


def _kind(entry: dict[str, Any], column: ColumnSchema) -> ColumnKind:
    sdtype = entry["sdtype"]
    fixed = (ColumnKind.CONSTANT, ColumnKind.ALL_MISSING)
    if column.kind in fixed or sdtype == "unknown":
        return column.kind
    if sdtype == "numerical":
        numeric_binary = column.kind is ColumnKind.BINARY and not isinstance(column.levels[0], str)
        keep = numeric_binary or column.kind in _ORDERED
        return column.kind if keep else ColumnKind.INTEGER
    if sdtype == "datetime":
        return ColumnKind.DATETIME
    if sdtype == "categorical" and column.kind is ColumnKind.BINARY:
        return column.kind
    return _LEVEL_SDTYPES.get(sdtype, ColumnKind.IDENTIFIER)
