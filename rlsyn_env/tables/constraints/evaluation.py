"""Which rows of a table break which constraint."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from copy import copy

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.tables.constraints.columns import (
    BoolArray,
    ColumnReader,
    Table,
    kinds_of_schema,
    kinds_of_table,
)
from rlsyn_env.tables.constraints.grammar import parse_constraint
from rlsyn_env.tables.constraints.rules import compile_rule
from rlsyn_env.tables.schema import TableSchema


class Constraints:
    """Boolean expressions over columns, ready to be evaluated on many rows at once.

    A row with a missing value in any column that a rule names does not break that rule, whatever
    the other columns hold. Dates count in seconds and compare with text such as ``'2020-01-31'``;
    a division by zero is infinite or no number, as in pandas.

    Args:
        rules: m expressions, see :mod:`rlsyn_env.tables.constraints.grammar`.
        columns: what the columns hold: a schema (what it gives back), or a table.
        source: what an error names as the place of the rules.
        table: tells what columns hold whose levels a hand-written schema leaves open.

    Raises:
        SchemaError: naming the rule and what is wrong with it.
    """

    def __init__(
        self,
        rules: Sequence[str],
        columns: TableSchema | pd.DataFrame,
        source: str = "the schema",
        table: pd.DataFrame | None = None,
    ) -> None:
        self.rules = tuple(rules)
        expressions = [parse_constraint(rule, source) for rule in self.rules]
        self._named = [expression.names for expression in expressions]
        self._kinds = (
            kinds_of_schema(columns)
            if isinstance(columns, TableSchema)
            else kinds_of_table(columns)
        )
        if table is not None:
            still_open = [name for name in self.names if self._kinds.get(name, "") is None]
            self._kinds |= kinds_of_table(table[still_open])
        self._holds = [compile_rule(e, self._kinds, source) for e in expressions]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that the rules name, each once."""
        return tuple(dict.fromkeys(name for names in self._named for name in names))

    @property
    def names_by_rule(self) -> tuple[tuple[str, ...], ...]:
        """Columns that each of the rules names."""
        return tuple(tuple(named) for named in self._named)

    def without(self, names: Collection[str]) -> Constraints:
        """Return the rules that name none of some columns."""
        return self.select(
            [k for k, named in enumerate(self._named) if set(names).isdisjoint(named)]
        )

    def select(self, positions: Sequence[int]) -> Constraints:
        """Return the rules at some positions of :attr:`rules`."""
        selected = copy(self)
        selected.rules = tuple(self.rules[k] for k in positions)
        selected._named = [self._named[k] for k in positions]
        selected._holds = [self._holds[k] for k in positions]
        return selected

    def broken(self, table: Table) -> BoolArray:
        """Bool ``(n, m)``: which row breaks which rule.

        Args:
            table: n rows with at least :attr:`names`; a DataFrame, or Series by column.
        """
        n = _length(table)
        result = np.zeros((n, len(self.rules)), dtype=bool)
        for position, column in enumerate(self.broken_by_rule(table)):
            result[:, position] = column
        return result

    def violations(self, table: Table) -> npt.NDArray[np.int64]:
        """Int64 ``(n,)``: how many rules each row breaks; see :meth:`broken`."""
        counts = np.zeros(_length(table), dtype=np.int64)
        for column in self.broken_by_rule(table):
            counts += column
        return counts

    def broken_by_rule(self, table: Table) -> Iterator[BoolArray]:
        """Yield bool ``(n,)`` per rule: which rows break it; see :meth:`broken`."""
        columns = ColumnReader(table, self._kinds)
        for names, holds in zip(self._named, self._holds, strict=True):
            with np.errstate(all="ignore"):
                broken = ~holds(columns)
            for name in names:
                missing = columns.missing(name)
                if missing is not None:
                    broken &= ~missing
            yield broken


def _length(table: Table) -> int:
    if isinstance(table, pd.DataFrame):
        return len(table)
    return len(next(iter(table.values()), ()))
