"""Columns too rare to learn from, told by the training rows alone."""

from __future__ import annotations

import dataclasses

import pandas as pd

from rlsyn_env.tables.constraints import prune_constraints
from rlsyn_env.tables.schema import ColumnKind, TableSchema

_FLAG_KINDS = (ColumnKind.BINARY, ColumnKind.BOOLEAN)


def rare_columns(
    train: pd.DataFrame, schema: TableSchema, min_prevalence: float
) -> tuple[str, ...]:
    """Return the 0/1 and boolean columns whose share of 1 in ``train`` is below ``min_prevalence``.

    The target, the group and what a derived column needs are never among them. Missing
    values count as absent.

    Args:
        train: training rows, of which at least the columns of ``schema``.
        schema: tells which columns hold 0 and 1.
        min_prevalence: share in [0, 1).
    """
    rare = []
    needed = {name for c in schema.columns if c.derived is not None for name in c.derived.sources}
    needed |= {name for name in (schema.target, schema.group) if name is not None}
    for column in schema.columns:
        if column.name in needed or column.kind not in _FLAG_KINDS:
            continue
        if column.levels != (0, 1):  # True and False are equal to 1 and 0
            continue
        share = float((train[column.name] == 1).sum()) / max(len(train), 1)
        if share < min_prevalence:
            rare.append(column.name)
    return tuple(rare)


def drop_rare(schema: TableSchema, train: pd.DataFrame) -> TableSchema:
    """Return ``schema`` without the columns that its ``min_prevalence`` rules out in ``train``.

    They are listed under ``dropped``, and constraints that name them are gone. To look at other
    rows for this would tell the generator which rare codes the test rows have.
    """
    if not schema.min_prevalence:
        return schema
    rare = frozenset(rare_columns(train, schema, schema.min_prevalence))
    return prune_constraints(
        dataclasses.replace(
            schema,
            columns=tuple(column for column in schema.columns if column.name not in rare),
            dropped=schema.dropped + tuple(c.name for c in schema.columns if c.name in rare),
        )
    )
