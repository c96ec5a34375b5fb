"""The schema that a run trains with: inferred or given, checked, nothing learnt from test rows."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.datasets import Dataset
from rlsyn_env.tables.inference import complete_schema, infer_schema, load_schema
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
    ``RecordEncoder.fit`` takes them from the training rows alone.

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
        prepared = dataclasses.replace(
            _without_bounds(complete, stated),
            target=target or complete.target or dataset.target,
            group=group or complete.group or dataset.group,
        )
    check_trainable(table, prepared, source)
    return prepared


def infer_dataset_schema(
    dataset: Dataset,
    *,
    target: str | None = None,
    group: str | None = None,
    drop: Sequence[str] = (),
) -> TableSchema:
    """Return the schema of a dataset, without bounds: they are for the training rows to tell.

    Target, group and ``min_prevalence`` are the dataset's own where they are not given.
    """
    group = group or dataset.group
    drop = [name for name in drop if name != group]  # a group is no feature anyway
    target = target or (dataset.target if dataset.target not in drop else None)
    inferred = infer_schema(dataset.table, target=target, group=group, drop=drop)
    return dataclasses.replace(
        _without_bounds(inferred, stated=set()), min_prevalence=dataset.min_prevalence
    )


def _without_bounds(schema: TableSchema, stated: set[str]) -> TableSchema:
    columns = tuple(
        column if column.name in stated else dataclasses.replace(column, bounds=None)
        for column in schema.columns
    )
    return dataclasses.replace(schema, columns=columns)
