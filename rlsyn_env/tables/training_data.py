"""The schema that a run trains with: inferred or given, checked.

What is inferred here is the form of a column in the whole table: kind, levels, decimals,
resolution, whether and how often values are missing. Bounds, quantiles and shares of levels are
those of the training rows. A schema that is given counts as a person's knowledge, whatever it was
made from.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.constraints import check_constraints, prune_constraints
from rlsyn_env.tables.datasets import Dataset
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.derived.detection import derive_columns
from rlsyn_env.tables.inference import complete_schema, infer_schema, load_schema
from rlsyn_env.tables.rare_columns import drop_rare
from rlsyn_env.tables.schema import TableSchema
from rlsyn_env.tables.table_check import check_trainable


def prepare_schema(
    dataset: Dataset,
    *,
    target: str | None = None,
    group: str | None = None,
    schema: TableSchema | str | os.PathLike[str] | None = None,
    drop: Sequence[str] = (),
) -> TableSchema:
    """Return a checked schema whose kinds and levels are those of the whole table.

    Bounds are left empty unless the given schema states them: they are quantiles, and
    ``RecordEncoder.fit`` takes them from the training rows alone. What else only the training rows
    may tell is for :func:`settle_schema` to add.

    Args:
        dataset: the table and its default target.
        target: column to predict; default: the schema's, then the dataset's own.
        group: column whose rows stay together; default: the schema's, then the dataset's own.
        schema: a TableSchema, or the path of one (YAML, or SDV metadata JSON); inferred when None.
        drop: columns to leave out; not together with a schema, which says itself what is dropped.

    Raises:
        ConfigError: for ``drop`` together with a schema.
        SchemaError: the schema is malformed or does not match the table.
        TableError: the table, its target or its group cannot be used.
    """
    table, source = dataset.table, str(dataset.source_path or dataset.name)
    if schema is None:
        prepared = infer_dataset_schema(dataset, target=target, group=group, drop=drop)
    else:
        if drop:
            raise ConfigError(
                "drop columns in the schema itself (remove them from 'columns' and list them under "
                "'drop'), or give no schema"
            )
        if isinstance(schema, TableSchema):
            given = schema
            complete = complete_schema(schema, table)
        else:
            complete = load_schema(schema, table)
            is_sdv = Path(schema).suffix.lower() == ".json"
            given = _without_bounds(complete, set()) if is_sdv else TableSchema.load(schema)
        stated = {column.name for column in given.columns if column.bounds is not None}
        prepared = prune_constraints(
            dataclasses.replace(
                _without_bounds(complete, stated),
                target=target or complete.target or dataset.target,
                group=group or complete.group or dataset.group,
            )
        )
    check_trainable(table, prepared, source)
    return prepared


def settle_schema(
    schema: TableSchema, train: pd.DataFrame, *, derive: bool = True, given: bool = False
) -> TableSchema:
    """Return a prepared schema with what the training rows alone may tell.

    That is: which columns are too rare, and which are functions of others.

    Args:
        schema: of :func:`prepare_schema`.
        train: training rows.
        derive: compute such columns instead of generating them; False also undoes the formulas
            that the schema has.
        given: a person wrote the schema: its formulas are used as they stand, and none is sought.
    """
    schema = drop_rare(schema, train)
    if not derive:
        columns = tuple(dataclasses.replace(column, derived=None) for column in schema.columns)
        return dataclasses.replace(schema, columns=columns)
    return schema if given else derive_columns(schema, train)


def infer_dataset_schema(
    dataset: Dataset,
    *,
    target: str | None = None,
    group: str | None = None,
    drop: Sequence[str] = (),
    derive: bool = False,
) -> TableSchema:
    """Return the schema of a dataset, without bounds: they are for the training rows to tell.

    Target, group and ``min_prevalence`` are the dataset's own where they are not given, and so are
    the constraints of a cohort whose columns remain. ``derive`` also finds the columns that the
    others determine, on all rows.
    """
    group = group or dataset.group
    drop = [name for name in drop if name != group]  # a group is no feature anyway
    target = target or (dataset.target if dataset.target not in drop else None)
    inferred = infer_schema(dataset.table, target=target, group=group, drop=drop, derive=derive)
    schema = prune_constraints(
        dataclasses.replace(
            _without_bounds(inferred, stated=set()),
            min_prevalence=dataset.min_prevalence,
            constraints=dataset.constraints if isinstance(dataset, Cohort) else (),
        )
    )
    check_constraints(schema, f"the cohort {dataset.name}")
    return schema


def _without_bounds(schema: TableSchema, stated: set[str]) -> TableSchema:
    columns = tuple(
        column if column.name in stated else dataclasses.replace(column, bounds=None)
        for column in schema.columns
    )
    return dataclasses.replace(schema, columns=columns)
