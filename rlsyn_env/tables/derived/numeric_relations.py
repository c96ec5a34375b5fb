"""Numeric columns that are arithmetic of others: sums, weighted sums, products and ratios."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rlsyn_env.tables.column_values import FloatArray
from rlsyn_env.tables.derived.chance import (
    LEAST_DISTINCT,
    LEAST_ROWS,
    NEEDED_BITS,
    arrangement_bits,
)
from rlsyn_env.tables.derived.forms import (
    N_FORMS,
    form_expression,
    form_values,
    scale_bits,
    scale_intervals,
    scaled,
    simplest_scale,
)
from rlsyn_env.tables.derived.formulas import Column, Expression, Formula, Number, Operation
from rlsyn_env.tables.derived.rounding_modes import finish, limits, modes
from rlsyn_env.tables.derived.screening import (
    Pair,
    correlations,
    may_be_linear,
    pairs_of_product,
    pairs_of_sum,
    spread,
    stack,
)
from rlsyn_env.tables.derived.table_view import ColumnView, TableView
from rlsyn_env.tables.derived.weighted_sums import find_weighted_sum

_MOST_SOURCES = 128
_NEAREST_BY = 512


@dataclass(frozen=True)
class _Chances:
    """What one column may be, of all others.

    Attributes:
        bits: what a formula may cost.
        sources: numeric columns that have a value wherever it has.
        linear: whether a weighted sum of them is possible at all.
        products: products and ratios that fit on some rows, by their places in ``ordered``.
    """

    bits: float
    sources: tuple[ColumnView, ...]
    linear: bool
    products: tuple[Pair, ...]

    @property
    def ordered(self) -> tuple[ColumnView, ...]:
        """The sources of an ordered kind."""
        return tuple(source for source in self.sources if source.is_ordered)


class NumericSearch:
    """Finds, for one column after the other, arithmetic of other columns that gives its values."""

    def __init__(self, view: TableView) -> None:
        self._view = view
        self._known: dict[str, _Chances | None] = {}

    def find(
        self, name: str, allowed: Callable[[str], bool], is_generated: Callable[[str], bool]
    ) -> Formula | None:
        """Return the simplest arithmetic that gives the column ``name``, or None.

        Args:
            name: column to explain.
            allowed: tells which columns it may be computed from.
            is_generated: tells which columns are not derived; sums of many use these only.
        """
        if name not in self._known:
            self._known[name] = self._chances(self._view[name])
        chances = self._known[name]
        if chances is None:
            return None
        column = self._view[name]
        sources = [source for source in chances.sources if allowed(source.name)]
        if chances.linear:
            found = self._linear(column, sources, chances.bits, is_generated)
            if found is not None:
                return found
        ordered = chances.ordered
        products = [
            (form, i, j)
            for form, i, j in chances.products
            if allowed(ordered[i].name) and allowed(ordered[j].name)
        ]
        return self._pairs(column, ordered, products, chances.bits)

    def _chances(self, column: ColumnView) -> _Chances | None:
        """Look once at all other columns: most columns can be nothing."""
        if not column.is_ordered or column.axis is None:
            return None
        present = column.axis[~column.missing]
        if len(present) < LEAST_ROWS or column.n_distinct < LEAST_DISTINCT:
            return None
        sources = self._sources(column)
        if not sources:
            return None
        bits = arrangement_bits(present) - NEEDED_BITS
        linear = may_be_linear(column, sources)
        products = pairs_of_product(column, [s for s in sources if s.is_ordered])
        if not linear and not products:
            return None
        return _Chances(bits, tuple(sources), linear, tuple(products))

    def _sources(self, column: ColumnView) -> list[ColumnView]:
        """Columns that have a value wherever ``column`` has one; of very many, the nearest ones."""
        assert column.axis is not None
        sources = [
            source
            for source in self._view.numeric
            if source is not column
            and source.n_distinct > 1
            and not (source.has_missing and np.any(source.missing & ~column.missing))
        ]
        if len(sources) <= _MOST_SOURCES:
            return sources
        sample = spread(column, _NEAREST_BY)
        near = -np.abs(correlations(stack(sources, sample), column.axis[sample]))
        return [sources[place] for place in np.sort(np.argsort(near)[:_MOST_SOURCES])]

    def _linear(
        self,
        column: ColumnView,
        sources: Sequence[ColumnView],
        bits: float,
        is_generated: Callable[[str], bool],
    ) -> Formula | None:
        ordered = [source for source in sources if source.is_ordered]
        one = math.log2(max(len(ordered), 1))
        for source in ordered:
            found = self._one(column, source, bits - one)
            if found is not None:
                return found
        found = self._pairs(column, ordered, pairs_of_sum(column, ordered), bits)
        if found is not None:
            return found
        generated = [source for source in sources if is_generated(source.name)]
        return find_weighted_sum(self._view, column, generated, bits)

    def _one(self, column: ColumnView, source: ColumnView, bits: float) -> Formula | None:
        """Return a multiple of one column, or the day (hour, minute) that a time lies in."""
        assert source.axis is not None
        if column.is_date and source.is_date and 0 < source.step < column.step:
            # The column's own rounding takes the nearest day: half a day less is the day itself.
            half = (column.step - source.step) / 2
            expression = Operation("-", Column(source.name), Number(half))
            found = self._scaled(column, expression, source.axis - half, bits)
            if found is not None:
                return found
        return self._scaled(column, Column(source.name), source.axis, bits)

    def _pairs(
        self,
        column: ColumnView,
        sources: Sequence[ColumnView],
        pairs: Iterable[Pair],
        bits: float,
    ) -> Formula | None:
        for form, i, j in pairs:
            a, b = sources[i], sources[j]
            assert a.axis is not None
            assert b.axis is not None
            values = form_values(form, a.axis, b.axis)
            expression = form_expression(form, a.name, b.name)
            cost = math.log2(N_FORMS * len(sources) ** 2)
            found = self._scaled(column, expression, values, bits - cost)
            if found is not None:
                return found
        return None

    def _scaled(
        self, column: ColumnView, expression: Expression, values: FloatArray, bits: float
    ) -> Formula | None:
        """Return ``expression``, whose values (n,) are given, times the factor that fits."""
        assert column.axis is not None
        present = ~column.missing
        for mode in modes(column):
            low, high = limits(column.axis[present], column, mode)
            first, last = scale_intervals(values[None, present], low, high)
            k = simplest_scale(float(first[0]), float(last[0]))
            if k is None or bits <= scale_bits(k):
                continue
            if column.is_date and k != 1:  # no multiple of a time since 1970 means anything
                continue
            found = finish(self._view, column, scaled(expression, k), mode)
            if found is not None:
                return found
        return None
