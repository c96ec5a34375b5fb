"""From an expression that comes close to a column to the formula that gives its values."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from rlsyn_env.tables.column_values import FloatArray
from rlsyn_env.tables.derived.evaluation import compute, rounded
from rlsyn_env.tables.derived.formulas import Expression, Formula, Rounding
from rlsyn_env.tables.derived.table_view import ColumnView, TableView

_FEW_HALVES = 0.05

Mode = Literal["exact", "nearest", "floor"]


def modes(column: ColumnView) -> tuple[Mode, ...]:
    """Return how unrounded values may have become the column's, in order of preference."""
    if not column.step:
        return ("exact",)
    return ("exact", "nearest") if column.is_date else ("exact", "nearest", "floor")


def limits(c: FloatArray, column: ColumnView, mode: Mode) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest unrounded values (n,) that become ``c`` (n,)."""
    step, slack = column.step, column.slack
    if mode == "floor":
        return c - slack, c + max(step - slack, slack)
    half = step / 2 if mode == "nearest" else 0.0
    return c - half - slack, c + half + slack


def widest_limits(c: FloatArray, column: ColumnView) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest values that become ``c`` (n,) in any mode."""
    each = [limits(c, column, mode) for mode in modes(column)]
    low, high = zip(*each, strict=True)
    return np.minimum.reduce(low), np.maximum.reduce(high)


def finish(
    view: TableView, column: ColumnView, expression: Expression, mode: Mode
) -> Formula | None:
    """Return the formula if it gives the column on all rows, missing ones included, else None."""
    assert column.axis is not None
    sources = Formula(column.name, expression).sources
    axes: dict[str, FloatArray] = {}
    for name in sources:
        axis = view[name].axis
        assert axis is not None
        axes[name] = axis
    x = compute(expression, axes, view.n_rows)
    present = ~column.missing
    if not np.array_equal(np.isfinite(x), present):
        return None
    x, c = x[present], column.axis[present]
    low, high = limits(c, column, mode)
    if np.any(x < low) or np.any(x > high):
        return None
    decimals = column.column.decimals or 0
    if mode == "exact" or column.is_date:  # a date's resolution rounds it
        return Formula(column.name, expression)
    if mode == "nearest":
        function = _nearest(x, c, column)
        if function is None:
            return None
        return Formula(column.name, Rounding(function, expression, decimals))
    if decimals or np.any(np.abs(rounded("floor", x, 0) - c) > column.slack):
        return None
    return Formula(column.name, Rounding("floor", expression))


def _nearest(x: FloatArray, c: FloatArray, column: ColumnView) -> str | None:
    """Tell how halves were rounded: to even, unless upwards agrees with more rows.

    None when neither gives all rows, except for a few halves that floating-point noise, or another
    rule, sent elsewhere. Were halves many, half a step added to any sum would "explain" a column
    that is sometimes the sum and sometimes a step more.
    """
    decimals = column.column.decimals or 0

    def agreeing(function: str) -> float:
        same: npt.NDArray[np.bool_] = np.abs(rounded(function, x, decimals) - c) <= column.slack
        return float(same.mean())

    share = {function: agreeing(function) for function in ("round", "round_half_up")}
    best = max(share, key=lambda function: share[function])
    halves = np.abs(np.mod(x * 10.0**decimals, 1.0) - 0.5) < 1e-6
    return best if share[best] == 1 or halves.mean() <= _FEW_HALVES else None
