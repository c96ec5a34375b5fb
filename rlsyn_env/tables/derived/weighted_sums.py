"""Columns that are a weighted sum of others: differences, totals, scores, unit conversions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from rlsyn_env.tables.column_values import FloatArray
from rlsyn_env.tables.derived.chance import BITS_PER_DIGIT
from rlsyn_env.tables.derived.formulas import Column, Expression, Formula, Number, Operation
from rlsyn_env.tables.derived.rounding_modes import finish, limits, modes
from rlsyn_env.tables.derived.simple_numbers import digits_of, simplest
from rlsyn_env.tables.derived.table_view import Codes, ColumnView, TableView

_SAMPLE = 512
_SPARE_ROWS = 20
_MOST_PARTS = 40
_EXACT = 1e-7
_DIVISORS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 25, 50, 60, 100, 1000, 10000)
_DIGITS = range(2, 13)


def find_weighted_sum(
    view: TableView, column: ColumnView, sources: Sequence[ColumnView], bits: float
) -> Formula | None:
    """Return the weighted sum of ``sources`` that gives ``column`` on all rows, or None.

    Least squares on a few hundred rows tells which columns take part; their weights are then taken
    as the simplest numbers near by that give every row.

    Args:
        view: the training rows.
        column: numeric column to explain.
        sources: numeric columns that have values wherever it has.
        bits: what the formula may cost (see ``chance.py``).
    """
    ordered = [source for source in sources if source.is_ordered]
    groups = [ordered] if len(ordered) == len(sources) else [ordered, list(sources)]
    for group in groups:
        # A lone source comes first: near copies of it among the others would blur its weight.
        for parts in (*_lone_sources(column, group), _parts(column, group)):
            if parts:
                found = _weigh(view, column, parts, bits - math.log2(len(group)) * len(parts))
                if found is not None:
                    return found
    return None


def _sample(column: ColumnView) -> tuple[Codes, FloatArray]:
    assert column.axis is not None
    order = column.order[: int((~column.missing).sum())]
    rows = order[np.unique(np.linspace(0, len(order) - 1, min(_SAMPLE, len(order))).astype(int))]
    return rows, column.axis[rows]


def _matrix(sources: Sequence[ColumnView], rows: Codes) -> FloatArray:
    return np.stack([source.axis[rows] for source in sources if source.axis is not None], axis=1)


def _tolerance(column: ColumnView, c: FloatArray) -> float:
    """Largest residual that least squares may leave of a column rounded to its step."""
    return 2 * column.step + _EXACT * float(np.abs(c - c.mean()).max())


def _lone_sources(
    column: ColumnView, sources: Sequence[ColumnView]
) -> Iterator[tuple[ColumnView, ...]]:
    """Sources whose straight line stays within the rounding of the column."""
    if not sources:
        return
    rows, c = _sample(column)
    x = _matrix(sources, rows)
    x = x - x.mean(axis=0)
    centred = c - c.mean()
    norm = (x**2).sum(axis=0)
    slope = np.divide(x.T @ centred, norm, out=np.zeros(len(norm)), where=norm > 0)
    residual = np.abs(centred[:, None] - x * slope).max(axis=0)
    for place in np.flatnonzero((residual <= _tolerance(column, c)) & (slope != 0)):
        yield (sources[int(place)],)


def _parts(column: ColumnView, sources: Sequence[ColumnView]) -> tuple[ColumnView, ...]:
    """Sources that take part in the least-squares fit, none when it leaves more than rounding."""
    if len(sources) < 2:
        return ()
    rows, c = _sample(column)
    if len(rows) < len(sources) + _SPARE_ROWS:
        return ()
    x = _matrix(sources, rows)
    x = x - x.mean(axis=0)
    spread = np.abs(x).max(axis=0)
    x = x / np.where(spread > 0, spread, 1.0)
    centred = c - c.mean()
    weights = np.linalg.lstsq(x, centred, rcond=None)[0]
    tolerance = _tolerance(column, c)
    if np.abs(x @ weights - centred).max() > tolerance:
        return ()
    takes_part = np.abs(weights) > max(column.step / 2, tolerance / 4)
    if not 2 <= takes_part.sum() <= _MOST_PARTS:
        return ()
    return tuple(sources[int(place)] for place in np.flatnonzero(takes_part))


def _weigh(
    view: TableView, column: ColumnView, parts: tuple[ColumnView, ...], bits: float
) -> Formula | None:
    assert column.axis is not None
    rows, c = _sample(column)
    x = _matrix(parts, rows)
    centre = x.mean(axis=0)
    scale = np.abs(x - centre).max(axis=0)
    if np.any(scale == 0):
        return None
    fitted = np.linalg.lstsq((x - centre) / scale, c - c.mean(), rcond=None)[0] / scale
    present = np.flatnonzero(~column.missing)
    everywhere, target = _matrix(parts, present), column.axis[present]
    for weights, divisor in _simple_weights(fitted):
        rest = everywhere @ weights / divisor
        for mode in modes(column):
            low, high = limits(target, column, mode)
            shift = simplest(
                float((low - rest).max()) * divisor, float((high - rest).min()) * divisor
            )
            if shift is None:
                continue
            digits = sum(digits_of(weight) for weight in (*weights, shift, divisor))
            if bits <= BITS_PER_DIGIT * digits:
                continue
            expression = _expression([part.name for part in parts], weights, shift, divisor)
            found = finish(view, column, expression, mode)
            if found is not None:
                return found
    return None


def _simple_weights(fitted: FloatArray) -> Iterator[tuple[FloatArray, int]]:
    """Weights near the fitted ones, simplest first: whole numbers over a divisor, then decimals."""
    for divisor in _DIVISORS:
        whole = np.round(fitted * divisor)
        if np.all(whole != 0) and np.allclose(whole / divisor, fitted, rtol=0.05):
            decimal = 10**6 % divisor == 0 and divisor > 2
            yield (whole / divisor, 1) if decimal else (whole, divisor)
    for digits in _DIGITS:
        yield np.array([float(f"{weight:.{digits}g}") for weight in fitted]), 1


def _expression(
    names: Sequence[str], weights: FloatArray, shift: float, divisor: int
) -> Expression:
    """Return the sum, positive terms first."""
    terms = sorted(zip(names, weights.tolist(), strict=True), key=lambda term: term[1] < 0)
    if terms[0][1] < 0 and shift > 0:
        node: Expression = Number(shift)
        shift = 0.0
    else:
        name, weight = terms.pop(0)
        node = _term(name, weight)
    for name, weight in terms:
        node = Operation("+" if weight > 0 else "-", node, _term(name, abs(weight)))
    if shift:
        node = Operation("+" if shift > 0 else "-", node, Number(abs(shift)))
    return node if divisor == 1 else Operation("/", node, Number(float(divisor)))


def _term(name: str, weight: float) -> Expression:
    return Column(name) if weight == 1 else Operation("*", Number(weight), Column(name))
