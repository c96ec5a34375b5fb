"""Columns whose value is fixed by the level, the range or the absence of another column's value."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from rlsyn_env.tables.derived.chance import (
    LEAST_OF_A_LEVEL,
    LEAST_ROWS,
    NEEDED_BITS,
    arrangement_bits,
)
from rlsyn_env.tables.derived.formulas import Formula, LevelTable, Steps
from rlsyn_env.tables.derived.simple_numbers import roundest_date, simplest
from rlsyn_env.tables.derived.table_view import Codes, ColumnView, TableView, first_seen

_MOST_STEPS = 32
_SAMPLE = 256


class LevelSearch:
    """Finds, for one column after the other, another column that fixes its value."""

    def __init__(self, view: TableView) -> None:
        self._view = view
        self._rows = np.unique(
            np.linspace(0, view.n_rows - 1, min(_SAMPLE, view.n_rows)).astype(np.int64)
        )
        self._same: defaultdict[bytes, list[str]] = defaultdict(list)
        self._absent: defaultdict[bytes, list[str]] = defaultdict(list)
        self._coarser: list[str] = []
        for name in view.names:
            column = view[name]
            n_missing = int(column.missing.sum())
            if min(n_missing, view.n_rows - n_missing) >= LEAST_OF_A_LEVEL:
                self._absent[first_seen(column.missing).tobytes()].append(name)
            if column.is_ordered or column.partition is None:
                continue
            codes, values = column.partition
            if np.bincount(codes).min() >= LEAST_OF_A_LEVEL and len(values) > 1:
                self._same[codes.tobytes()].append(name)
                if len(values) > 2:
                    self._coarser.append(name)

    def find(self, name: str, allowed: Callable[[str], bool]) -> list[Formula]:
        """Return what fixes the column ``name``, by ``allowed`` sources, in their order of merit.

        Levels come before steps and absence; the caller prefers sources that are generated.
        """
        column = self._view[name]
        if column.partition is None or column.is_date or self._view.n_rows < LEAST_ROWS:
            return []
        codes, values = column.partition
        if len(values) < 2:
            return []
        bits = arrangement_bits(codes) - NEEDED_BITS - math.log2(len(self._view.names))
        if bits <= 0:
            return []
        found = [
            self._table(column, self._view[source])
            for source in self._same[codes.tobytes()]
            if source != name and allowed(source) and bits > _table_bits(len(values), len(values))
        ]
        found += self._coarser_tables(column, bits, allowed)
        found += self._steps(column, bits, allowed)
        if len(values) == 2:
            absent = [
                source
                for source in self._absent[codes.tobytes()]
                if source != name and allowed(source)
            ]
            found += [self._absence(column, self._view[source]) for source in absent]
        return found

    def _coarser_tables(
        self, column: ColumnView, bits: float, allowed: Callable[[str], bool]
    ) -> list[Formula]:
        assert column.partition is not None
        codes, values = column.partition
        found = []
        for source in self._coarser:
            partition = self._view[source].partition
            assert partition is not None
            n_levels = len(partition[1])
            if not allowed(source) or n_levels <= len(values):
                continue
            if bits <= _table_bits(n_levels, len(values)):
                continue
            sample = self._rows
            if _is_function(partition[0][sample], codes[sample]) and _is_function(
                partition[0], codes
            ):
                found.append(self._table(column, self._view[source]))
        return found

    def _table(self, column: ColumnView, source: ColumnView) -> Formula:
        """Return the table of levels; what no training row shows becomes the commonest value."""
        assert column.partition is not None
        assert source.partition is not None
        codes, values = column.partition
        source_codes, levels = source.partition
        first = np.unique(source_codes, return_index=True)[1]
        by_level = {level: values[codes[row]] for level, row in zip(levels, first, strict=True)}
        common = self._commonest(column)
        order = {level: place for place, level in enumerate(source.column.levels)}
        known = sorted((level for level in levels if level is not None), key=lambda x: order[x])
        pairs: list[tuple[Any, Any]] = [(level, by_level[level]) for level in known]
        if by_level.get(None) is not None:
            pairs.append((None, by_level[None]))
        elif None not in by_level and source.column.missing:
            pairs.append((None, common))
        unseen = len(known) < len(source.column.levels)
        rule = LevelTable(source.name, tuple(pairs), common if unseen else None, has_other=unseen)
        return Formula(column.name, rule)

    def _absence(self, column: ColumnView, source: ColumnView) -> Formula:
        assert column.partition is not None
        codes, values = column.partition
        absent = values[codes[int(np.argmax(source.missing))]]
        present = values[codes[int(np.argmax(~source.missing))]]
        pairs = () if absent is None else ((None, absent),)
        return Formula(column.name, LevelTable(source.name, pairs, present, has_other=True))

    def _commonest(self, column: ColumnView) -> Any:
        assert column.partition is not None
        codes, values = column.partition
        for code in np.argsort(-np.bincount(codes), kind="stable"):
            if values[code] is not None:
                return values[code]
        return None

    def _steps(
        self, column: ColumnView, bits: float, allowed: Callable[[str], bool]
    ) -> list[Formula]:
        assert column.partition is not None
        codes, values = column.partition
        found = []
        for source in self._view.ordered:
            if source is column or not allowed(source.name):
                continue
            assert source.axis is not None
            sample = self._rows[np.argsort(source.axis[self._rows], kind="stable")]
            if _n_changes(codes[sample]) > _MOST_STEPS + 1:  # the missing rows are last
                continue
            rule = _step_rule(source, codes, values, bits)
            if rule is not None:
                missing = rule.missing
                if source.column.missing and not source.missing.any():
                    missing = self._commonest(column)
                rule = Steps(rule.source, rule.values, rule.bounds, missing)
                found.append(Formula(column.name, rule))
        return found


def _table_bits(n_levels: int, n_values: int) -> float:
    return n_levels * math.log2(n_values)


def _is_function(source: Codes, codes: Codes) -> bool:
    """Tell whether ``codes`` (n,) has one value wherever ``source`` (n,) has one value."""
    pairs = np.unique(source * (int(codes.max()) + 1) + codes)
    return len(pairs) == len(np.unique(source))


def _n_changes(codes: Codes) -> int:
    return int(np.count_nonzero(codes[1:] != codes[:-1]))


def _step_rule(
    source: ColumnView, codes: Codes, values: tuple[Any, ...], bits: float
) -> Steps | None:
    """Return the steps if ``codes`` (n,) are a step function of ``source``, else None."""
    assert source.axis is not None
    n_present = int(len(codes) - source.missing.sum())
    rows = source.order
    missing = None
    if n_present < len(codes):
        absent = np.unique(codes[rows[n_present:]])
        if len(absent) > 1 or len(codes) - n_present < LEAST_OF_A_LEVEL:
            return None
        missing = values[int(absent[0])]
    x, sorted_codes = source.axis[rows[:n_present]], codes[rows[:n_present]]
    starts = np.flatnonzero(sorted_codes[1:] != sorted_codes[:-1]) + 1
    if not 1 <= len(starts) <= _MOST_STEPS:
        return None
    sizes = np.diff([0, *starts, n_present])
    if sizes.min() < LEAST_OF_A_LEVEL or np.any(x[starts] == x[starts - 1]):
        return None
    if bits <= len(sizes) * (math.log2(source.n_distinct) + math.log2(len(values))):
        return None
    bounds: list[float | str] = []
    for start in starts:
        low, high = float(x[start - 1]), float(x[start])
        if source.is_date:
            bounds.append(roundest_date(low, high))
        else:
            bound = simplest(low, high, open_low=True)
            bounds.append(high if bound is None else bound)
    heights = tuple(values[int(sorted_codes[at])] for at in (0, *starts))
    return Steps(source.name, heights, tuple(bounds), missing)
