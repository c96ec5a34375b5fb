"""Finds which columns of the training rows are exact functions of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

import pandas as pd

from rlsyn_env.tables.derived.chance import LEAST_ROWS
from rlsyn_env.tables.derived.formulas import Formula
from rlsyn_env.tables.derived.level_relations import LevelSearch
from rlsyn_env.tables.derived.numeric_relations import NumericSearch
from rlsyn_env.tables.derived.table_view import TableView
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.splits import first_of_groups


def derive_columns(
    schema: TableSchema, train: pd.DataFrame, *, keep: Collection[str] = ()
) -> TableSchema:
    """Return ``schema`` with a formula for every column that the others of ``train`` determine.

    A relation must hold on every training row, up to the column's rounding and with its missing
    values, and be worth more than chance (``chance.py``). A column is computed from earlier ones
    if possible, otherwise from later ones; never from one that is computed from it.

    The rows of a group repeat much of one another (a patient's days the patient's laboratory
    values), so they are no independent evidence: a relation must also be found among one row of
    each group. Otherwise any rare condition would be steps of a value that tells patients apart.

    Args:
        schema: complete schema; formulas that it has already stay.
        train: training rows (n, columns); nothing is found among fewer than 30, or fewer than 30
            groups where the schema's group is among the columns.
        keep: columns that are generated in any case; so is the target.
    """
    kept = {*keep, schema.target}
    found = _search(schema, train, kept)
    if found:
        lone = train[first_of_groups(train, schema.group)]
        if len(lone) < len(train):
            seen = {_relation(formula) for formula in _search(schema, lone, kept).values()}
            found = {name: rule for name, rule in found.items() if _relation(rule) in seen}
    columns = tuple(
        dataclasses.replace(column, derived=found.get(column.name, column.derived))
        for column in schema.columns
    )
    return dataclasses.replace(schema, columns=columns)


def _search(schema: TableSchema, rows: pd.DataFrame, kept: set[str | None]) -> dict[str, Formula]:
    view = TableView(rows, schema)
    return _Search(view).run(kept) if view.n_rows >= LEAST_ROWS else {}


def _relation(formula: Formula) -> tuple[object, ...]:
    """What two formulas share that differ in constants alone (fewer rows, fewer levels seen)."""
    return formula.name, type(formula.rule), frozenset(formula.sources)


class _Search:
    """Two passes over the columns: from the left with earlier sources, from the right with all."""

    def __init__(self, view: TableView) -> None:
        self._view = view
        self._place = {name: number for number, name in enumerate(view.names)}
        self._levels = LevelSearch(view)
        self._numbers = NumericSearch(view)
        self._found: dict[str, Formula] = {}

    def run(self, kept: Collection[str | None]) -> dict[str, Formula]:
        """Return the formulas by column."""
        names = self._view.names
        for name in names:
            if name not in kept:
                self._explain(name, self._earlier(name))
        for name in reversed(names):
            if name not in kept and name not in self._found:
                self._explain(name, self._independent(name))
        return self._found

    def _earlier(self, name: str) -> Callable[[str], bool]:
        """Tell columns that stand before ``name``."""
        here = self._place[name]
        return lambda other: self._place[other] < here

    def _independent(self, name: str) -> Callable[[str], bool]:
        """Tell columns that are not computed from ``name``."""
        users = {other for other in self._found if self._uses(other, name)} | {name}
        return lambda other: other not in users

    def _uses(self, name: str, other: str) -> bool:
        """Tell whether the formula of ``name``, if any, leads to ``other``."""
        formula = self._found.get(name)
        return formula is not None and any(
            source == other or self._uses(source, other) for source in formula.sources
        )

    def _explain(self, name: str, allowed: Callable[[str], bool]) -> None:
        formula = self._numbers.find(name, allowed, lambda other: other not in self._found)
        if formula is None:
            choices = self._levels.find(name, allowed)
            formula = min(
                choices,
                key=lambda choice: choice.sources[0] in self._found,
                default=None,
            )
        if formula is not None:
            self._found[name] = formula
