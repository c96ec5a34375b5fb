"""Integer, continuous and datetime columns: point masses and smoothed quantiles in value order."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from rlsyn_env.errors import EncodingError
from rlsyn_env.tables.column_values import FloatArray, cast, find_decimals, native, to_axis
from rlsyn_env.tables.curves import Curves, ExactCurves, SmoothCurves
from rlsyn_env.tables.feature_maps import (
    UNSEEN_COUNT,
    FeatureMap,
    Float32Array,
    IntArray,
    edges_of_counts,
)
from rlsyn_env.tables.quantiles import SMALLEST_CELL, Cell, fit_cells, snap
from rlsyn_env.tables.schema import ColumnKind, ColumnSchema

_FEW_INTEGERS = 40
_PLACE_ERROR = 1e-5  # of the range of the values: places are float32


def step_of(column: ColumnSchema) -> float:
    """Return the grid step of a column's values: 1 for integers, 0 for full precision."""
    if column.kind is ColumnKind.INTEGER:
        return 1.0
    if column.kind is ColumnKind.DATETIME:
        return column.resolution or 1e-6
    return 0.0 if column.decimals is None else 10.0**-column.decimals


def axis_of(series: pd.Series, column: ColumnSchema) -> FloatArray:
    """Return a column as float64 (n,), NaN where missing, float32 values as their decimals read.

    Raises EncodingError when a value is not a number (or date) or is infinite.
    """
    try:
        if column.kind is ColumnKind.DATETIME and not pd.api.types.is_numeric_dtype(series.dtype):
            series = pd.to_datetime(series)
        x = to_axis(series)
    except (ValueError, TypeError) as error:
        raise EncodingError(
            f"column {column.name!r} is {column.kind.value}, but it holds other values: {error}"
        ) from error
    if np.isinf(x).any():
        row = int(np.argmax(np.isinf(x)))
        raise EncodingError(f"column {column.name!r}, row {row + 1}: infinite value")
    if str(series.dtype).lower() == "float32":
        decimals = find_decimals(x[~np.isnan(x)], single=True)
        x = x if decimals is None else np.round(x, decimals)
    return x


def series_of(x: FloatArray, column: ColumnSchema) -> pd.Series:
    """Return values (n,) of an ordered column, NaN for missing, as a Series of its dtype.

    A NumPy integer dtype that cannot hold missing becomes ``Int64`` where there are missing values.
    """
    dtype = column.dtype
    if column.kind is ColumnKind.DATETIME or dtype not in ("", "float64"):
        if dtype.lower().startswith(("int", "uint")):
            whole = pd.array(np.where(np.isnan(x), 0, x).astype(np.int64), dtype="Int64")
            if np.isnan(x).any():
                whole[np.isnan(x)] = pd.NA
            nullable = dtype[0].isupper() or np.isnan(x).any()
            name = dtype if not nullable or dtype[0].isupper() else "Int64"
            return pd.Series(whole, name=column.name).astype(name)
        return cast(x, column).rename(column.name)
    return pd.Series(x, name=column.name)


def outer_bounds(x: FloatArray, column: ColumnSchema) -> tuple[float, float]:
    """Return the bounds of the values x (n,) without NaN: the outer knots, or the outermost value
    where three rows or more share it.
    """
    return _ends(_cells(x, column, exact=False), x)


def _cells(x: FloatArray, column: ColumnSchema, *, exact: bool) -> list[Cell]:
    few = column.kind is ColumnKind.INTEGER and len(np.unique(x)) <= _FEW_INTEGERS
    step = 0.0 if exact else step_of(column)
    return fit_cells(x, step=step, every_value=few, exact=exact)


def _ends(cells: list[Cell], x: FloatArray) -> tuple[float, float]:
    first, last = cells[0], cells[-1]
    low = first.value if first.values is None else first.values[0]
    high = last.value if last.values is None else last.values[-1]
    assert low is not None
    assert high is not None
    if np.sum(x == x.min()) >= SMALLEST_CELL:
        low = max(low, x.min())
    if np.sum(x == x.max()) >= SMALLEST_CELL:
        high = min(high, x.max())
    return float(low), float(high)


def _within_bounds(
    cells: list[Cell], x: FloatArray, column: ColumnSchema, bounds: tuple[float, float]
) -> list[Cell]:
    """Fit the outer pieces to bounds of the schema: rows are clipped to narrower ones, and wider
    ones give the outermost half row room up to the bound.
    """
    low, high = _ends(cells, x)
    if bounds[0] > low or bounds[1] < high:
        x = np.clip(x, *bounds)
        cells = _cells(x, column, exact=False)
        low, high = _ends(cells, x)
    if bounds[0] < low and cells[0].values is not None:
        cells[0] = _stretch(cells[0], bounds[0], left=True)
    if bounds[1] > high and cells[-1].values is not None:
        cells[-1] = _stretch(cells[-1], bounds[1], left=False)
    return cells


def _stretch(cell: Cell, bound: float, *, left: bool) -> Cell:
    assert cell.positions is not None
    assert cell.values is not None
    share = min(0.5 / cell.count, 0.25)
    inner = cell.positions * (1 - share)
    if left:
        positions = np.concatenate([[0.0], inner + share])
        values = np.concatenate([[bound], cell.values])
    else:
        positions = np.concatenate([inner, [1.0]])
        values = np.concatenate([cell.values, [bound]])
    return dataclasses.replace(cell, positions=positions, values=values)


class OrderedMap(FeatureMap):
    """Integer, continuous or datetime column."""

    ordered = True

    def __init__(
        self,
        column: ColumnSchema,
        edges: Float32Array,
        cells: list[Cell],
        *,
        has_missing: bool,
        exact: bool = False,
    ) -> None:
        atoms = [cell.value is not None for cell in cells] + [True] * has_missing
        missing_cell = len(cells) if has_missing else None
        super().__init__(column, edges, np.array(atoms, dtype=bool), missing_cell)
        self.exact = exact
        self.cells = cells
        self._step = 0.0 if exact else step_of(column)
        self._curves: Curves = (
            ExactCurves(cells)
            if exact
            else SmoothCurves(cells, step=self._step, bounds=column.bounds)
        )
        # Where a value belongs: the atoms in order, and the piece (or -1) in each gap between.
        atom_cells = [i for i, cell in enumerate(cells) if cell.value is not None]
        self._atoms = np.array([cells[i].value for i in atom_cells], dtype=np.float64)
        self._atom_cells = np.array(atom_cells, dtype=np.int64)
        self._gap_cells = np.full(len(atom_cells) + 1, -1, dtype=np.int64)
        for i, cell in enumerate(cells):
            if cell.value is None:
                self._gap_cells[np.searchsorted(self._atom_cells, i)] = i

    @classmethod
    def fit(cls, series: pd.Series, column: ColumnSchema, *, exact: bool = False) -> OrderedMap:
        """Fit point masses and smoothed quantiles to the rows of ``series``."""
        x = axis_of(series, column)
        observed = x[~np.isnan(x)]
        if not len(observed):
            raise EncodingError(
                f"column {column.name!r} has no values in the training rows: drop the column"
            )
        cells = _cells(observed, column, exact=exact)
        if column.bounds is not None and not exact:
            cells = _within_bounds(cells, observed, column, column.bounds)
        n_missing = float(len(x) - len(observed))
        has_missing = n_missing > 0 or column.missing > 0
        counts = [cell.count for cell in cells]
        counts += [max(n_missing, UNSEEN_COUNT)] if has_missing else []
        return cls(column, edges_of_counts(counts), cells, has_missing=has_missing, exact=exact)

    def encode(self, series: pd.Series, rng: np.random.Generator) -> Float32Array:
        """See :meth:`FeatureMap.encode`."""
        x = axis_of(series, self.column)
        draws = rng.random(len(x))
        missing = np.isnan(x)
        if missing.any() and self.missing_cell is None:
            raise self._no_missing(int(np.argmax(missing)))
        x = np.where(missing, 0.0, x)
        if not self.exact:
            x = snap(x, self._atoms, self._step)
        cells = self._cells_of_values(x)
        share = draws.copy()
        pieces = ~self.is_atom[cells] & ~missing
        share[pieces] = self._curves.encode(x[pieces], cells[pieces], draws[pieces])
        if self.missing_cell is not None:
            cells[missing] = self.missing_cell
        return self._place(cells, share)

    def decode(self, u: Float32Array) -> pd.Series:
        """See :meth:`FeatureMap.decode`."""
        return series_of(self.decode_axis(u), self.column)

    def decode_axis(self, u: Float32Array) -> FloatArray:
        """Return the values of u (n,) as float64 (datetimes in seconds), NaN for missing."""
        cells = self.cells_of(u)
        share = (np.asarray(u, dtype=np.float64) - self._low[cells]) / self._width[cells]
        z = np.asarray(2.0 * cells + np.clip(share, 0.0, 1.0), dtype=np.float64)
        x = self._curves.decode(z)
        if self.missing_cell is not None:
            x[cells == self.missing_cell] = np.nan
        return x

    def interval(self, value: Any) -> tuple[float, float]:
        """See :meth:`FeatureMap.interval`; EncodingError for a value that is never generated."""
        if value is None or value is pd.NA or value != value:
            return self._missing_interval()
        if self.kind is not ColumnKind.DATETIME and isinstance(value, str):
            try:
                value = float(value)
            except ValueError as error:
                raise EncodingError(
                    f"column {self.name!r} is {self.kind.value}: {value!r} is not a number"
                ) from error
        x = axis_of(pd.Series([value]), self.column)
        if self.kind is ColumnKind.INTEGER and x[0] != np.round(x[0]):
            raise EncodingError(f"column {self.name!r} is integer: {native(value)!r} is not whole")
        if not self.exact:
            x = snap(x, self._atoms, self._step)
        cell = int(self._cells_of_values(x)[0])
        first, last = self._curves.first[cell], self._curves.last[cell]
        low, high = self._curves.values[first], self._curves.values[last]
        if not low <= x[0] <= high:
            raise self._never_taken(value, x[0])
        if self.is_atom[cell]:
            return self._cell_interval(cell)
        share = self._curves.encode(x, np.array([cell]), np.array([0.5]))
        place = self._place(np.array([cell]), share)
        # A jump over values that no row is near: what is asked for lies within it.
        span = self._curves.values[-1] - self._curves.values[0]
        if abs(self.decode_axis(place)[0] - x[0]) > max(self._step / 2, _PLACE_ERROR * span):
            raise self._never_taken(value, x[0])
        return float(place[0]), float(place[0])

    def _never_taken(self, value: Any, x: float) -> EncodingError:
        taken = self._curves.values
        said = f"column {self.name!r} never takes the value {native(value)!r}: "
        if taken[0] <= x <= taken[-1]:
            return EncodingError(f"{said}no training row lies near it; choose a value seen there")
        low, high = self._show(np.array([taken[0], taken[-1]]))
        return EncodingError(
            f"{said}generated values range from {low} to {high}; widen the bounds in the schema, "
            "or choose a value seen in training"
        )

    def _show(self, ends: FloatArray) -> list[str]:
        """Return the outermost values between two ends as text."""
        if self.kind is ColumnKind.DATETIME:
            return [str(value) for value in series_of(ends, self.column)]
        if self.kind is ColumnKind.INTEGER:
            ends = np.array([np.ceil(ends[0]), np.floor(ends[1])])
        return [f"{value:g}" for value in ends]

    def _cells_of_values(self, x: FloatArray) -> IntArray:
        """Return the cell (n,) of each value; a gap without rows goes to its nearer atom."""
        if not len(self._atoms):
            return np.zeros(len(x), dtype=np.int64)
        gap = np.searchsorted(self._atoms, x)
        at = np.minimum(gap, len(self._atoms) - 1)
        before = np.maximum(gap - 1, 0)
        nearer = np.where(np.abs(x - self._atoms[before]) < np.abs(x - self._atoms[at]), before, at)
        cells = np.where(self._gap_cells[gap] >= 0, self._gap_cells[gap], self._atom_cells[nearer])
        return np.where(self._atoms[at] == x, self._atom_cells[at], cells)

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`FeatureMap.to_dict`."""
        cells: list[dict[str, Any]] = []
        for cell in self.cells:
            if cell.positions is None or cell.values is None:
                cells.append({"count": cell.count, "value": cell.value})
            else:
                knots = {"positions": cell.positions.tolist(), "values": cell.values.tolist()}
                cells.append({"count": cell.count, **knots})
        return {
            "name": self.name,
            "edges": [float(edge) for edge in self.edges],
            "has_missing": self.missing_cell is not None,
            "exact": self.exact,
            "cells": cells,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], column: ColumnSchema) -> OrderedMap:
        """Rebuild from :meth:`to_dict` and the column's schema."""
        cells = [
            Cell(
                cell["count"],
                value=cell.get("value"),
                positions=np.array(cell["positions"]) if "positions" in cell else None,
                values=np.array(cell["values"]) if "values" in cell else None,
            )
            for cell in data["cells"]
        ]
        edges = np.asarray(data["edges"], dtype=np.float32)
        return cls(column, edges, cells, has_missing=data["has_missing"], exact=data["exact"])
