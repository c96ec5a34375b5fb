"""Training rows as the search for relations needs them: numbers, codes and missing values."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.tables.column_values import FloatArray, level_codes
from rlsyn_env.tables.derived.evaluation import numbers
from rlsyn_env.tables.ordered_map import step_of
from rlsyn_env.tables.schema import (
    LEVEL_KINDS,
    ORDERED_KINDS,
    ColumnKind,
    ColumnSchema,
    TableSchema,
)

MOST_LEVELS = 100
_RELATIVE = 1e-9
_RELATIVE_SINGLE = 1e-6
Codes = npt.NDArray[np.int64]


class ColumnView:
    """One column of the training rows.

    Attributes:
        column: its schema.
        missing: (n,) bool.
        has_missing: whether there are any.
        axis: (n,) float64, NaN where missing; None for text.
    """

    def __init__(self, series: pd.Series, column: ColumnSchema) -> None:
        self.column = column
        self.name = column.name
        self.missing: npt.NDArray[np.bool_] = series.isna().to_numpy(dtype=bool)
        self._series = series
        is_number = column.kind in ORDERED_KINDS or all(
            isinstance(level, int | float) for level in column.levels
        )
        self.has_missing = bool(self.missing.any())
        self.axis: FloatArray | None = numbers(series, column) if is_number else None

    @property
    def is_ordered(self) -> bool:
        """Whether the column is of an ordered kind (integer, continuous, date)."""
        return self.column.kind in ORDERED_KINDS

    @property
    def is_date(self) -> bool:
        """Whether the column holds dates."""
        return self.column.kind is ColumnKind.DATETIME

    @cached_property
    def step(self) -> float:
        """Grid step of the values, 0 for full precision."""
        return 0.0 if self.column.kind in LEVEL_KINDS else step_of(self.column)

    @cached_property
    def slack(self) -> float:
        """Difference that floating-point arithmetic may make to a value of this column."""
        assert self.axis is not None
        largest = float(np.nanmax(np.abs(self.axis)))
        if self.column.dtype.lower() == "float32":
            return _RELATIVE_SINGLE * largest
        if self.step:
            return 1e-6 * self.step + 1e-12 * largest
        return _RELATIVE * largest

    @cached_property
    def order(self) -> Codes:
        """Row numbers in order of the value, missing rows last."""
        assert self.axis is not None
        return np.argsort(self.axis, kind="stable")

    @cached_property
    def n_distinct(self) -> int:
        """Number of distinct values, missing apart."""
        return int(self._series.nunique())

    @cached_property
    def partition(self) -> tuple[Codes, tuple[Any, ...]] | None:
        """Codes (n,) numbered by first appearance, and the value of each code (None for missing).

        None when there are more than 100 values.
        """
        if self.n_distinct > MOST_LEVELS:
            return None
        if self.column.kind in LEVEL_KINDS:
            own = level_codes(self._series, self.column.levels)
            values: tuple[Any, ...] = (*self.column.levels, None)
            own = np.where(own < 0, len(self.column.levels), own)
            codes, labels = pd.factorize(own)
            return codes.astype(np.int64), tuple(values[label] for label in labels)
        assert self.axis is not None
        codes, numbers_seen = pd.factorize(pd.Series(self.axis), use_na_sentinel=False)
        whole = self.column.kind is ColumnKind.INTEGER
        plain = [None if np.isnan(x) else int(x) if whole else float(x) for x in numbers_seen]
        return codes.astype(np.int64), tuple(plain)


class TableView:
    """The feature columns of the training rows, in table order."""

    def __init__(self, table: pd.DataFrame, schema: TableSchema) -> None:
        self.schema = schema
        self.n_rows = len(table)
        self.columns = {
            name: ColumnView(table[name], schema.column(name)) for name in schema.feature_names
        }
        self.names = tuple(self.columns)
        self.numeric = [view for view in self.columns.values() if view.axis is not None]
        self.ordered = [view for view in self.numeric if view.is_ordered]

    def __getitem__(self, name: str) -> ColumnView:
        return self.columns[name]


def first_seen(values: npt.NDArray[np.generic]) -> Codes:
    """Return codes (n,) numbered by first appearance."""
    return np.asarray(pd.factorize(values)[0], dtype=np.int64)
