"""Tables as arrays that every metric can read: columns matched by name, levels as codes.

Two synthetic files rarely agree on column order, on ``1`` against ``1.0`` or on how a level that
was never seen is written. All of that is settled here, once, so that the metrics work on plain
arrays: numbers and dates as floats with NaN for missing, levels as integer codes with -1 for
missing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError, short_repr
from rlsyn_env.tables.column_values import native
from rlsyn_env.tables.schema import LEVEL_KINDS, ColumnKind, ColumnSchema, TableSchema


@dataclass(frozen=True)
class Feature:
    """One compared column.

    Attributes:
        name: the column's name.
        numeric: True for integers, continuous values and dates, False for levels.
        n_known: number of levels in the schema (0 for numeric columns).
        n_codes: number of codes in use; codes ``n_known .. n_codes - 1`` are levels that some
            table holds and the schema does not.
    """

    name: str
    numeric: bool
    n_known: int = 0
    n_codes: int = 0


@dataclass(frozen=True)
class FeatureTable:
    """A table in arrays.

    Attributes:
        columns: per feature name an array ``(n,)``: float64 with NaN for missing (numeric), or
            codes with -1 for missing (levels): int8 where they fit, which makes a wide cohort an
            eighth as large, int64 elsewhere.
        n_rows: n.
        groups: int64 ``(n,)`` group of each row (a patient over several days), or None.
    """

    columns: Mapping[str, np.ndarray]
    n_rows: int
    groups: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> FeatureTable:
        """Return the rows with the given positions, in that order."""
        groups = None if self.groups is None else self.groups[rows]
        return FeatureTable({k: v[rows] for k, v in self.columns.items()}, len(rows), groups)

    def with_groups(self, groups: np.ndarray | None) -> FeatureTable:
        """Return the same table with another group per row."""
        return FeatureTable(self.columns, self.n_rows, groups)


def encode_tables(
    tables: Mapping[str, pd.DataFrame], schema: TableSchema, *, exclude: tuple[str, ...] = ()
) -> tuple[tuple[Feature, ...], dict[str, FeatureTable]]:
    """Turn tables into arrays that mean the same thing in each of them.

    Compared are the schema's features and derived columns (no identifiers, groups, constants or
    empty columns), by name. Features come back sorted by name, so the order of columns in a file
    changes no figure.

    Args:
        tables: tables by role ("train", "synthetic", ...); roles appear in error messages.
        schema: the schema of the training rows; its levels get the first codes (a hand-written
            one may leave levels open: then those of the first table do).
        exclude: further columns to leave out.

    Raises:
        TableError: a table is empty, repeats or lacks a column, or holds text or an infinite
            value in a numeric column. The message names table, column and row.
    """
    names = sorted(name for name in schema.compared_names if name not in exclude)
    if not names:
        raise TableError("the schema has no column to compare: every column is left out")
    for role, table in tables.items():
        _check_columns(role, table, names)
    features: list[Feature] = []
    columns: dict[str, dict[str, np.ndarray]] = {role: {} for role in tables}
    for name in names:
        column = schema.column(name)
        if column.kind in LEVEL_KINDS:
            codes, n_known, n_codes = _encode_levels(
                {role: table[name] for role, table in tables.items()}, column
            )
            features.append(Feature(name, False, n_known, n_codes))
            for role, values in codes.items():
                columns[role][name] = values
        else:
            features.append(Feature(name, True))
            for role, table in tables.items():
                convert = _dates if column.kind is ColumnKind.DATETIME else _numbers
                columns[role][name] = convert(table[name], role)
    encoded = {role: FeatureTable(columns[role], len(table)) for role, table in tables.items()}
    return tuple(features), encoded


def _check_columns(role: str, table: pd.DataFrame, names: list[str]) -> None:
    if len(table) == 0:
        raise TableError(f"the {role} table has no rows")
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise TableError(f"the {role} table has two columns named {repeated[0]!r}")
    missing = [name for name in names if name not in table.columns]
    if missing:
        listed = ", ".join(repr(name) for name in missing[:10])
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise TableError(
            f"the {role} table lacks {len(missing)} of the {len(names)} compared columns: "
            f"{listed}{more}. Columns are matched by name"
        )


def _encode_levels(
    columns: Mapping[str, pd.Series], schema: ColumnSchema
) -> tuple[dict[str, np.ndarray], int, int]:
    """Codes of every table's values, the number of known levels and of all levels.

    Known levels come first, unseen ones after them, sorted by how they are written.
    """
    boolean = schema.kind is ColumnKind.BOOLEAN
    factors = {role: pd.factorize(values) for role, values in columns.items()}
    levels: list[Any] = list(schema.levels)
    if not levels:
        levels = sorted(next(iter(factors.values()))[1], key=str)
    exact: dict[Hashable, int] = {level: code for code, level in enumerate(levels)}
    written = {level_text(level, boolean): code for code, level in enumerate(levels)}
    unseen = {
        level_text(value, boolean)
        for _, uniques in factors.values()
        for value in uniques
        if value not in exact
    } - written.keys()
    written |= {text: len(levels) + k for k, text in enumerate(sorted(unseen))}
    n_codes = len(levels) + len(unseen)
    # Codes plus one (missing as a level) must fit too.
    dtype = np.int8 if n_codes < np.iinfo(np.int8).max else np.int64
    codes: dict[str, np.ndarray] = {}
    for role, (positions, uniques) in factors.items():
        found = [exact.get(v, written.get(level_text(v, boolean), -1)) for v in uniques]
        codes[role] = np.array([*found, -1], dtype=dtype)[positions]
    return codes, len(levels), n_codes


def level_text(value: Any, boolean: bool) -> str:
    """Spell a level so that ``1``, ``1.0`` and ``"1"`` agree (and ``True``, ``"true"``, ``1``)."""
    if isinstance(value, (bool, np.bool_)):
        value = int(value) if boolean else str(bool(value))
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        value = int(value)
    text = str(value)
    if boolean:
        return {"true": "1", "false": "0"}.get(text.lower(), text)
    if text.endswith(".0") and text[:-2].lstrip("-").isdigit():
        return text[:-2]
    return text


def _numbers(values: pd.Series, role: str) -> np.ndarray:
    if pd.api.types.is_datetime64_any_dtype(values):
        raise TableError(
            f"column {values.name!r} of the {role} table holds dates, but the schema says it holds "
            "numbers"
        )
    try:
        numbers = pd.to_numeric(values, errors="coerce")
    except OverflowError:  # a whole number that no float holds
        numbers = pd.to_numeric(values.map(_without_overflow), errors="coerce")
    array = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(values, np.isnan(array) & values.notna().to_numpy(), role, "is not a number")
    _refuse(values, np.isinf(array), role, "is infinite or too large for a number")
    return array + 0.0  # no negative zero: rows are later compared byte by byte


def _without_overflow(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def refuse_far_values(
    features: Sequence[Feature],
    tables: Mapping[str, pd.DataFrame],
    encoded: Mapping[str, FeatureTable],
) -> None:
    """Raise TableError for a number so far from the training rows that no model can take it.

    Models work on numbers in units of their spread among the rows of ``train``, in float32.
    """
    for feature in features:
        if not feature.numeric:
            continue
        known = encoded["train"].columns[feature.name]
        known = known[~np.isnan(known)]
        if not known.size:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            center, spread = known.mean(), known.std()
            scale = spread if spread > 1e-12 * (1 + abs(center)) else 1.0
            for role, table in encoded.items():
                distances = np.abs(table.columns[feature.name] - center) / scale
                far = distances > np.finfo(np.float32).max
                _refuse(tables[role][feature.name], far, role, "is too far from all training rows")


def _dates(values: pd.Series, role: str) -> np.ndarray:
    """Days since 1970 (UTC where a time zone is given)."""
    if pd.api.types.is_numeric_dtype(values):  # would count as nanoseconds since 1970
        _refuse(values, values.notna().to_numpy(), role, "is not a date")
    text = not pd.api.types.is_datetime64_any_dtype(values)
    options: dict[str, Any] = {"format": "mixed"} if text else {}
    dates = pd.to_datetime(values, errors="coerce", utc=True, **options)
    _refuse(values, (dates.isna() & values.notna()).to_numpy(), role, "is not a date")
    elapsed = dates - pd.Timestamp("1970-01-01", tz="UTC")
    return elapsed.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan) / 86400.0 + 0.0


def _refuse(values: pd.Series, wrong: np.ndarray, role: str, what: str) -> None:
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    raise TableError(
        f"column {values.name!r} of the {role} table, row {row + 1}: "
        f"{short_repr(native(values.iloc[row]))} {what} "
        f"({int(wrong.sum())} such value(s)). Correct the table, or the column's kind in the schema"
    )


def group_codes(values: pd.Series, first: int = 0) -> np.ndarray:
    """Number the groups of a column from ``first``; a row without a group is a group of its own.

    Returns an int64 array ``(n,)``.
    """
    codes, uniques = pd.factorize(values)
    codes = np.asarray(codes, dtype=np.int64).copy()
    alone = codes < 0
    codes[alone] = len(uniques) + np.arange(int(alone.sum()))
    return codes + first


def subsample(n_rows: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Draw at most ``limit`` of ``n_rows`` positions without replacement; int64, sorted."""
    if n_rows <= limit:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, size=limit, replace=False))


def independent_marginals(
    table: FeatureTable, n_rows: int, rng: np.random.Generator
) -> FeatureTable:
    """Draw every column by itself from ``table``, with replacement: right marginals, no dependence.

    The floor that a generator has to clear. Missing values are drawn like any other.
    """
    columns = {
        name: values[rng.integers(table.n_rows, size=n_rows)]
        for name, values in table.columns.items()
    }
    return FeatureTable(columns, n_rows)
