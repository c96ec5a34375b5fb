"""What the tables hold: rows, columns, missing values, and cells of few people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from rlsyn_env.metrics.full_suite.quasi_identifiers import combinations, group_counts
from rlsyn_env.metrics.html_report import markup
from rlsyn_env.metrics.preparation import Feature, FeatureTable
from rlsyn_env.metrics.rows import JudgedRows
from rlsyn_env.tables.schema import TableSchema


def counted_unit(rows: JudgedRows) -> str:
    """What small cells count: groups, where training rows have them."""
    return "training rows" if rows.train.groups is None else "groups of training rows"


def small_cells(
    rows: JudgedRows, schema: TableSchema, limit: int, quasi_identifiers: Sequence[str] = ()
) -> list[str]:
    """Name what fewer than ``limit`` training rows (groups, where rows have them) share.

    That are levels, and combinations of the quasi-identifiers, if declared.
    """
    found = []
    groups = rows.train.groups
    who = counted_unit(rows)
    for feature in rows.features:
        if feature.numeric:
            continue
        counts = group_counts(rows.train.columns[feature.name] + 1, groups, feature.n_known + 1)
        levels = level_names(feature, schema)
        found += [
            f"{feature.name} = {levels[code]}: {counts[code + 1]} {who}"
            for code in range(feature.n_known)
            if 0 < counts[code + 1] < limit
        ]
    by_name = {feature.name: feature for feature in rows.features}
    known = [by_name[name] for name in quasi_identifiers if name in by_name]
    if known:
        (keys,) = combinations(known, [rows.train], rows.train)
        sizes = group_counts(keys, groups)
        small = (sizes > 0) & (sizes < limit)
        inside = np.arange(len(keys)) if groups is None else groups
        n_inside = len(np.unique(inside[small[keys]]))
        names = ", ".join(feature.name for feature in known)
        found.append(
            f"{int(small.sum()):,} of {int((sizes > 0).sum()):,} combinations of {names} are "
            f"shared by fewer than {limit} {who} ({n_inside:,} in all)"
        )
    return found


def level_names(feature: Feature, schema: TableSchema) -> list[str]:
    """Names ``n_known`` of the levels; numbered where a hand-written schema leaves them open."""
    levels = [str(level) for level in schema.column(feature.name).levels]
    return levels + [f"level {k + 1}" for k in range(len(levels), feature.n_known)]


def columns_table(
    rows: JudgedRows, schema: TableSchema, shapes: Mapping[str, float], train: pd.DataFrame
) -> str:
    """Return the table of all compared columns."""

    def missing(table: FeatureTable, feature: Feature) -> str:
        values = table.columns[feature.name]
        absent = np.isnan(values) if feature.numeric else values < 0
        return f"{100 * float(absent.mean()):.1f} %"

    body = []
    for feature in rows.features:
        distance = shapes.get(feature.name)
        body.append(
            [
                feature.name,
                schema.column(feature.name).kind.value,
                f"{train[feature.name].nunique(dropna=True):,}",
                missing(rows.train, feature),
                missing(rows.test, feature),
                missing(rows.synthetic, feature),
                "-" if distance is None else f"{distance:.3f}",
            ]
        )
    headings = (
        "column",
        "type",
        "values in train",
        "missing, train",
        "missing, test",
        "missing, synthetic",
        "distance",
    )
    return markup.table(headings, body)
