"""Computes derived columns, row by row the same as the training rows had them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.tables.column_values import FloatArray, level_codes, to_axis, to_grid
from rlsyn_env.tables.derived.formulas import (
    Column,
    Expression,
    Formula,
    LevelTable,
    Number,
    Rounding,
    Steps,
)
from rlsyn_env.tables.feature_maps import level_array
from rlsyn_env.tables.ordered_map import axis_of, series_of, step_of
from rlsyn_env.tables.schema import LEVEL_KINDS, ColumnKind, ColumnSchema, TableSchema

_NOISE = 1e-9
"""Relative error of an arithmetic result that should have been a whole number."""
_DATES = (-9.2e9, 9.2e9)
"""Seconds since 1970 that every pandas datetime dtype can hold (years 1678 to 2261)."""
_OPERATIONS = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
}


def evaluate(formula: Formula, values: Mapping[str, pd.Series], schema: TableSchema) -> pd.Series:
    """Return a derived column (n,) in its own dtype, rounding and levels.

    It is missing where an input is missing (unless the formula says what stands there instead), and
    where it cannot be computed (a division by zero) if the column has missing values at all;
    otherwise it takes the nearer of its bounds there.

    Args:
        formula: checked by :func:`rlsyn_env.tables.derived.checks.check_formulas`.
        values: at least the sources, each of n rows.
        schema: complete schema of the table.
    """
    column = schema.column(formula.name)
    rule = formula.rule
    if isinstance(rule, LevelTable):
        return _from_choices(*_look_up(rule, values[rule.source]), column)
    if isinstance(rule, Steps):
        x = axis_of(values[rule.source], schema.column(rule.source))
        return _from_choices(*_step(rule, x), column)
    axes = {name: numbers(values[name], schema.column(name)) for name in formula.sources}
    n = len(next(iter(values.values())))
    return _from_numbers(compute(rule, axes, n), axes, column)


def numbers(series: pd.Series, column: ColumnSchema) -> FloatArray:
    """Return a column as arithmetic sees it: float64 (n,), dates in seconds, NaN for missing."""
    if column.kind in LEVEL_KINDS:
        return to_axis(series.astype(object) if series.dtype == "category" else series)
    return axis_of(series, column)


def compute(rule: Expression, axes: Mapping[str, FloatArray], n: int) -> FloatArray:
    """Return an expression's values (n,), NaN or infinite where they cannot be computed."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(_node(rule, axes), (n,)).astype(np.float64)


def _node(node: Expression, axes: Mapping[str, FloatArray]) -> FloatArray:
    if isinstance(node, Number):
        return np.array(node.value)
    if isinstance(node, Column):
        return axes[node.name]
    if isinstance(node, Rounding):
        return rounded(node.function, _node(node.inner, axes), node.decimals)
    result = _OPERATIONS[node.operator](_node(node.left, axes), _node(node.right, axes))
    return np.asarray(result, dtype=np.float64)


def rounded(function: str, x: FloatArray, decimals: int) -> FloatArray:
    """Apply ``round`` (halves to even), ``round_half_up`` or ``floor``, blind to float noise."""
    scale = 10.0**decimals
    if function == "round":
        return np.asarray(np.round(x, decimals) + 0.0)
    shift = 0.5 if function == "round_half_up" else 0.0
    scaled = x * scale + shift
    return np.floor(scaled + _NOISE * np.maximum(np.abs(scaled), 1.0)) / scale


def _from_numbers(x: FloatArray, axes: Mapping[str, FloatArray], column: ColumnSchema) -> pd.Series:
    impossible = ~np.isfinite(x)
    for axis in axes.values():
        impossible &= ~np.isnan(axis)
    unknown = ~np.isfinite(x) & ~impossible
    x = np.where(unknown | (impossible & (column.missing > 0)), np.nan, x)
    if column.kind in LEVEL_KINDS:
        return _nearest_level(x, column)
    if impossible.any() and not column.missing and column.bounds is not None:
        low, high = column.bounds
        x[impossible] = np.where(x[impossible] == np.inf, high, low)
    return series_of(_within_dtype(_on_grid(x, column), column), column)


def _on_grid(x: FloatArray, column: ColumnSchema) -> FloatArray:
    step = step_of(column)
    return to_grid(x, step) if step else x


def _within_dtype(x: FloatArray, column: ColumnSchema) -> FloatArray:
    if column.kind is ColumnKind.DATETIME:
        return np.clip(x, *_DATES)
    if column.dtype.lower().startswith(("int", "uint")):
        limits = np.iinfo(column.dtype.lower())
        # float64 cannot hold the largest int64
        return np.clip(x, max(float(limits.min), -(2.0**62)), min(float(limits.max), 2.0**62))
    return x


def _nearest_level(x: FloatArray, column: ColumnSchema) -> pd.Series:
    levels = np.array([float(level) for level in column.levels])
    codes = np.abs(np.where(np.isnan(x), 0.0, x)[:, None] - levels[None, :]).argmin(axis=1)
    return _levels_at(np.where(np.isnan(x), len(levels), codes), column)


def _levels_at(codes: npt.NDArray[np.int64], column: ColumnSchema) -> pd.Series:
    """Return levels by code (n,); the code after the last level means missing."""
    has_missing = bool((codes == len(column.levels)).any())
    values = [*column.levels, *([None] if has_missing else [])]
    return pd.Series(level_array(values, column).take(codes), name=column.name)


def _look_up(rule: LevelTable, series: pd.Series) -> tuple[list[object], npt.NDArray[np.int64]]:
    """Return the distinct results and, per row, which it is."""
    keys = [level for level, _ in rule.pairs if level is not None]
    choices: list[object] = [value for level, value in rule.pairs if level is not None]
    choices += [rule.other, next((value for level, value in rule.pairs if level is None), None)]
    codes = level_codes(series, tuple(keys))
    return choices, np.where(codes == -1, len(keys) + 1, np.where(codes == -2, len(keys), codes))


def _step(rule: Steps, x: FloatArray) -> tuple[list[object], npt.NDArray[np.int64]]:
    codes = np.searchsorted(bounds_of(rule), x, side="right")
    return [*rule.values, rule.missing], np.where(np.isnan(x), len(rule.values), codes)


def bounds_of(rule: Steps) -> FloatArray:
    """Return the bounds (k,) as numbers, dates in seconds; ValueError for text that is no date."""
    return np.array(
        [
            np.datetime64(bound, "us").astype(np.int64) / 1e6 if isinstance(bound, str) else bound
            for bound in rule.bounds
        ],
        dtype=np.float64,
    )


def _from_choices(
    choices: list[object], codes: npt.NDArray[np.int64], column: ColumnSchema
) -> pd.Series:
    if column.kind in LEVEL_KINDS:
        places = level_codes(pd.Series(choices, dtype=object), column.levels)
        places = np.where(places < 0, len(column.levels), places)
        return _levels_at(places[codes], column)
    table = np.array([np.nan if c is None else c for c in choices], dtype=np.float64)
    return series_of(_within_dtype(_on_grid(table[codes], column), column), column)
