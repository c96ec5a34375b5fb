"""Columns as constraints see them: numbers as float64, text as codes, each with what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.tables.column_values import FloatArray, is_datetime, is_text, native, to_seconds
from rlsyn_env.tables.schema import ORDERED_KINDS, ColumnKind, ColumnSchema, TableSchema

BoolArray: TypeAlias = npt.NDArray[np.bool_]
Table: TypeAlias = pd.DataFrame | Mapping[str, pd.Series]
_WORDS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


class ValueKind(str, Enum):
    """What may be done with a column: arithmetic, equality alone, or standing for itself."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class TextColumn:
    """Text as codes ``(n,)`` int64 into ``labels`` ``(k + 1,)`` object; -1 is missing, None."""

    codes: npt.NDArray[np.int64]
    labels: npt.NDArray[np.object_]

    def values(self) -> npt.NDArray[np.object_]:
        """Return the texts ``(n,)``, None where missing."""
        return self.labels[self.codes]


def kinds_of_schema(schema: TableSchema) -> dict[str, ValueKind | None]:
    """Return the kind of every column that the generator gives back; None where levels are open."""
    given = set(schema.output_names)
    return {c.name: _kind_of_column(c) for c in schema.columns if c.name in given}


def kinds_of_table(table: pd.DataFrame) -> dict[str, ValueKind | None]:
    """Return the kind of every column by its values."""
    return {str(name): _kind_of_series(table[name]) for name in table.columns}


def _kind_of_column(column: ColumnSchema) -> ValueKind | None:
    if column.kind is ColumnKind.DATETIME or column.dtype.startswith("datetime"):
        return ValueKind.DATE
    if column.kind is ColumnKind.BOOLEAN:
        return ValueKind.BOOLEAN
    if column.kind in ORDERED_KINDS or column.kind is ColumnKind.ALL_MISSING:
        return ValueKind.NUMBER
    return _kind_of_values(column.levels)


def _kind_of_series(series: pd.Series) -> ValueKind | None:
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = pd.Series(series.dtype.categories)
    if is_datetime(series):
        return ValueKind.DATE
    if pd.api.types.is_bool_dtype(series.dtype):
        return ValueKind.BOOLEAN
    if is_text(series):
        return _kind_of_values(tuple(native(value) for value in series.dropna().unique()))
    return ValueKind.NUMBER


def _kind_of_values(values: tuple[Any, ...]) -> ValueKind | None:
    if not values:
        return None
    if all(isinstance(value, bool) for value in values):
        return ValueKind.BOOLEAN
    if any(isinstance(value, str) for value in values):
        return ValueKind.TEXT  # numbers among text count as the text that writes them
    return ValueKind.NUMBER


class ColumnReader:
    """Converts the columns of one table when they are asked for, each once.

    Args:
        table: n rows; values of another type than ``kinds`` says are converted where they can be
            (a table read from CSV has ``1`` for ``"1"``), and missing where not.
        kinds: by column.
    """

    def __init__(self, table: Table, kinds: Mapping[str, ValueKind | None]) -> None:
        self._table = table
        self._kinds = kinds
        self._columns: dict[str, npt.NDArray[Any] | TextColumn] = {}
        self._missing: dict[str, BoolArray | None] = {}

    def column(self, name: str) -> Any:
        """Return numbers ``(n,)`` (dates in seconds since 1970), or a TextColumn.

        Integers and truths keep their dtype: cast them before computing with them.
        """
        if name not in self._columns:
            series, kind = self._table[name], self._kinds[name]
            missing: BoolArray | None
            if kind is ValueKind.TEXT:
                self._columns[name] = column = _text_column(series)
                missing = column.codes < 0
            elif isinstance(series.dtype, np.dtype) and series.dtype.kind in "biu":
                self._columns[name] = series.to_numpy()  # most columns of a wide table: no copy
                missing = None
            else:
                self._columns[name] = numbers = _number_column(series, kind)
                missing = np.isnan(numbers)
            self._missing[name] = missing if missing is not None and missing.any() else None
        return self._columns[name]

    def missing(self, name: str) -> BoolArray | None:
        """Bool ``(n,)``: where the column is missing; None when it nowhere is."""
        self.column(name)
        return self._missing[name]


def _text_column(series: pd.Series) -> TextColumn:
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes = series.cat.codes.to_numpy()
        labels = list(series.dtype.categories)
    else:
        codes, uniques = pd.factorize(series)
        labels = list(uniques)
    texts = np.array([*(_as_text(label) for label in labels), None], dtype=object)
    return TextColumn(np.asarray(codes, dtype=np.int64), texts)


def _as_text(label: Any) -> str:
    label = native(label)
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)


def _number_column(series: pd.Series, kind: ValueKind | None) -> FloatArray:
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(object)
    if is_text(series) and not is_datetime(series):
        if kind is ValueKind.DATE:
            series = pd.to_datetime(series, errors="coerce", format="ISO8601")
        elif kind is ValueKind.BOOLEAN:
            series = series.map(lambda value: _WORDS.get(str(value).lower(), np.nan))
        else:
            series = pd.to_numeric(series, errors="coerce")
    if is_datetime(series):
        return to_seconds(series)
    return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
