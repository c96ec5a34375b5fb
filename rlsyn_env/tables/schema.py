"""What the columns of a table are: the one description everything else reads.

A schema is inferred (:func:`rlsyn_env.tables.inference.infer_schema`), kept as a short YAML that a
person can edit, and passed back. It holds no value of a single row of a continuous column: bounds
are smoothed outer quantiles (design, section 1).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

import pandas as pd

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.derived.formulas import Formula
from rlsyn_env.tables.level_notices import level_notices


class ColumnKind(str, Enum):
    """How a column is encoded. The values are the words used in the YAML."""

    BINARY = "binary"
    BOOLEAN = "boolean"
    CATEGORICAL = "categorical"
    INTEGER = "integer"
    CONTINUOUS = "continuous"
    DATETIME = "datetime"
    IDENTIFIER = "identifier"
    CONSTANT = "constant"
    ALL_MISSING = "all_missing"


LEVEL_KINDS = frozenset({ColumnKind.BINARY, ColumnKind.BOOLEAN, ColumnKind.CATEGORICAL})
ORDERED_KINDS = frozenset({ColumnKind.INTEGER, ColumnKind.CONTINUOUS, ColumnKind.DATETIME})
FEATURE_KINDS = LEVEL_KINDS | ORDERED_KINDS
_MANY_DROPPED = 12


@dataclass(frozen=True)
class ColumnSchema:
    """One column.

    Attributes:
        name: column name.
        kind: how it is encoded.
        dtype: pandas dtype name to give back; "" when a hand-written schema leaves it to the table.
        levels: binary, boolean and categorical: the levels in order; constant: its one value.
        bounds: integer, continuous, datetime (seconds since 1970): range of generated values.
            Inferred bounds are smoothed outer quantiles, never the smallest or largest row.
        decimals: continuous: decimals of the input, kept in the output; None for full precision.
        missing: share of missing values, in [0, 1].
        resolution: datetime: step of the values in seconds (86400 for dates).
        categories: ``category`` dtype: all its categories where they differ from ``levels``.
        ordered: ``category`` dtype: whether it is ordered.
        derived: what the column is computed from; None when it is generated.
    """

    name: str
    kind: ColumnKind
    dtype: str = ""
    levels: tuple[Any, ...] = ()
    bounds: tuple[float, float] | None = None
    decimals: int | None = None
    missing: float = 0.0
    resolution: float | None = None
    categories: tuple[Any, ...] = ()
    ordered: bool = False
    derived: Formula | None = None


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table in their order, its target and its group column.

    Attributes:
        columns: one entry per column, in table order, dropped ones excluded.
        target: column to predict, for stratified splits and utility metrics.
        group: column whose rows must stay together in a split (a patient); never a feature.
        dropped: columns of the table that are left out on purpose.
        min_prevalence: 0/1 columns whose share of 1 among the training rows is below this are
            dropped once the training rows are known
            (:func:`rlsyn_env.tables.rare_columns.drop_rare`); 0 drops none.
        constraints: what every record must satisfy: boolean expressions over the columns that are
            given back (:mod:`rlsyn_env.tables.constraints`).
    """

    columns: tuple[ColumnSchema, ...]
    target: str | None = None
    group: str | None = None
    dropped: tuple[str, ...] = ()
    min_prevalence: float = 0.0
    constraints: tuple[str, ...] = ()

    def column(self, name: str) -> ColumnSchema:
        """Return the column called ``name``; SchemaError with the nearest names otherwise."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"no column {name!r} in the schema{nearest(name, self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, in table order."""
        return tuple(column.name for column in self.columns)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns that are generated: not identifiers, constants, all missing, derived, or the
        group.
        """
        return tuple(
            column.name
            for column in self.columns
            if column.kind in FEATURE_KINDS and column.name != self.group and column.derived is None
        )

    @property
    def compared_names(self) -> tuple[str, ...]:
        """Columns whose values differ from row to row: the features and the derived columns."""
        return tuple(
            column.name
            for column in self.columns
            if column.kind in FEATURE_KINDS and column.name != self.group
        )

    @property
    def output_names(self) -> tuple[str, ...]:
        """Columns of a decoded table: features, derived, constant and empty ones, in order."""
        return tuple(
            column.name
            for column in self.columns
            if column.kind is not ColumnKind.IDENTIFIER and column.name != self.group
        )

    def notices(self) -> list[str]:
        """Say in words which columns are not features, and why."""
        reasons = {
            ColumnKind.IDENTIFIER: "is an identifier: left out",
            ColumnKind.CONSTANT: "is constant: put back in the output as it is",
            ColumnKind.ALL_MISSING: "has no values: put back in the output as it is",
        }
        notices = []
        for column in self.columns:
            if column.name == self.group:
                notices.append(f"column {column.name!r} groups the rows of the split: left out")
            elif column.kind in reasons:
                notices.append(f"column {column.name!r} {reasons[column.kind]}")
            elif column.derived is not None:
                notices.append(f"column {column.name!r} is computed: {column.derived.short_text}")
            elif column.kind is ColumnKind.CATEGORICAL:
                notices += level_notices(column)
        if len(self.dropped) > _MANY_DROPPED:
            shown = ", ".join(repr(name) for name in self.dropped[:3])
            notices.append(f"{len(self.dropped):,} columns are dropped ({shown}, ...)")
        else:
            notices += [f"column {name!r} is dropped as asked" for name in self.dropped]
        return notices

    def check(self, table: pd.DataFrame, source: str = "the table") -> None:
        """Raise SchemaError naming the column and row where ``table`` does not fit the schema."""
        from rlsyn_env.tables.schema_check import check_matches

        check_matches(self, table, source)

    def to_yaml(self) -> str:
        """Return the schema as short YAML that a person can read and edit."""
        from rlsyn_env.tables.schema_files import to_yaml

        return to_yaml(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_yaml` to ``path``, atomically."""
        from rlsyn_env.files import write_text

        write_text(path, self.to_yaml())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TableSchema:
        """Read a YAML schema; SchemaError when it is missing or malformed.

        Details that a person left out (levels, bounds, dtype) are empty: fill them from the table
        with :func:`rlsyn_env.tables.inference.load_schema`, or let ``RecordEncoder.fit`` do it.
        """
        from rlsyn_env.tables.schema_files import load_yaml

        return load_yaml(path)


def nearest(name: str, names: tuple[str, ...] | list[str], *, show: bool = True) -> str:
    """Return a hint such as ``; did you mean 'age'?`` for a name that is not among ``names``.

    Without a near name it lists the first names, unless ``show`` is False.
    """
    folded = {str(known).lower(): str(known) for known in names}
    matches = get_close_matches(str(name).lower(), list(folded), n=3, cutoff=0.5)
    if matches:
        return "; did you mean " + " or ".join(repr(folded[match]) for match in matches) + "?"
    if not names or not show:
        return ""
    shown = ", ".join(repr(str(known)) for known in names[:8])
    return f"; columns are {shown}{', ...' if len(names) > 8 else ''}"
