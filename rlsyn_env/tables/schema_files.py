"""The schema as YAML (for people) and as plain dictionaries (for the saved encoder)."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.column_values import TEXT_DTYPE, seconds_to_datetime
from rlsyn_env.tables.constraints import check_constraints, prune_constraints
from rlsyn_env.tables.derived.checks import check_formulas
from rlsyn_env.tables.derived.grammar import parse_formula
from rlsyn_env.tables.schema import ColumnKind, ColumnSchema, TableSchema, nearest

_HEADER = """\
# Columns of the table. Edit and pass back with --schema.
# kind: binary, boolean, categorical, integer, continuous, datetime;
#       identifier (left out), constant and all_missing (put back as they are).
# levels: every value that may be generated. bounds: range of generated values (may be widened).
# derived: the column is computed from others; remove the entry to generate it. Dates count in
#       seconds, and results are rounded to the column's decimals.
# A column that is listed under drop, or a group, is left out. min_prevalence: 0/1 columns that are
# rarer among the training rows are left out too.
# constraints: what every record must satisfy, such as DIASTOLIC < SYSTOLIC, age in [1, 2] or
#       not (sex == "M" and pregnant == 1); names that are no identifiers stand in backticks.
"""
_FIELDS = (
    "kind",
    "dtype",
    "levels",
    "bounds",
    "decimals",
    "missing",
    "resolution",
    "categories",
    "ordered",
    "derived",
)
_TOP = ("target", "group", "drop", "min_prevalence", "columns", "constraints")


def default_dtype(kind: ColumnKind, levels: tuple[Any, ...]) -> str:
    """Return the dtype that needs no mention in the YAML; "" when the kind does not tell."""
    fixed = {
        ColumnKind.INTEGER: "int64",
        ColumnKind.CONTINUOUS: "float64",
        ColumnKind.BOOLEAN: "bool",
        ColumnKind.ALL_MISSING: "float64",
    }
    if kind in fixed:
        return fixed[kind]
    types = {type(level) for level in levels}
    names = {str: TEXT_DTYPE, bool: "bool", int: "int64", float: "float64"}
    return names.get(types.pop(), "") if len(types) == 1 else ""


def to_yaml(schema: TableSchema) -> str:
    """Return the schema as YAML with what is worth reading."""
    data = schema_to_dict(schema, complete=False)
    constraints = {key: data.pop(key) for key in ("constraints",) if key in data}
    body = yaml.safe_dump(
        data, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    if constraints:  # one a line
        body += yaml.safe_dump(constraints, default_flow_style=False, allow_unicode=True, width=1e6)
    return _HEADER + str(body)


def load_yaml(path: str | os.PathLike[str]) -> TableSchema:
    """Read a schema from a YAML file; SchemaError naming the file and the column at fault."""
    source = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SchemaError(f"schema file {source} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SchemaError(f"cannot read schema {source}: {error}") from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise SchemaError(f"{source} is not valid YAML{where}: {problem}") from error
    return schema_from_dict(data, source)


def schema_to_dict(schema: TableSchema, *, complete: bool) -> dict[str, Any]:
    """Return plain types; ``complete`` keeps what the YAML leaves to defaults."""
    data: dict[str, Any] = {}
    if schema.target is not None:
        data["target"] = schema.target
    if schema.group is not None:
        data["group"] = schema.group
    if schema.dropped:
        data["drop"] = list(schema.dropped)
    if schema.min_prevalence:
        data["min_prevalence"] = schema.min_prevalence
    data["columns"] = {
        column.name: _column_to_dict(column, complete=complete) for column in schema.columns
    }
    if schema.constraints:
        data["constraints"] = list(schema.constraints)
    return data


def _column_to_dict(column: ColumnSchema, *, complete: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": column.kind.value}
    if column.dtype and (complete or column.dtype != default_dtype(column.kind, column.levels)):
        data["dtype"] = column.dtype
    if column.levels:
        data["levels"] = list(column.levels)
    if column.bounds is not None:
        data["bounds"] = [_bound_to_plain(bound, column.kind) for bound in column.bounds]
    if column.decimals is not None:
        data["decimals"] = column.decimals
    if column.missing:
        data["missing"] = column.missing
    if column.resolution is not None:
        data["resolution"] = _plain_number(column.resolution)
    if column.categories:
        data["categories"] = list(column.categories)
    if column.ordered:
        data["ordered"] = True
    if column.derived is not None:
        data["derived"] = column.derived.text
    return data


def _plain_number(value: float) -> float | int:
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def _bound_to_plain(bound: float, kind: ColumnKind) -> float | int | str:
    if kind is ColumnKind.DATETIME:
        return str(seconds_to_datetime(np.array([bound]))[0]).rstrip("0").rstrip(".")
    return _plain_number(bound)


def schema_from_dict(data: Any, source: str) -> TableSchema:
    """Build a schema from plain types; SchemaError naming ``source`` and the column at fault."""
    if not isinstance(data, dict) or not isinstance(data.get("columns"), dict):
        raise SchemaError(f"{source} has no 'columns' mapping; 'rlsyn schema table.csv' writes one")
    for key in data:
        if key not in _TOP:
            raise SchemaError(f"{source}: unknown entry {key!r}; known are {', '.join(_TOP)}")
    dropped = data.get("drop") or []
    if not isinstance(dropped, list):
        raise SchemaError(f"{source}: 'drop' must be a list of column names")
    dropped = [str(name) for name in dropped]
    columns = tuple(
        _column_from_dict(str(name), entry, source)
        for name, entry in data["columns"].items()
        if str(name) not in dropped
    )
    rare = data.get("min_prevalence") or 0.0
    if not _is_number(rare) or not 0 <= rare < 1:
        raise SchemaError(f"{source}: min_prevalence is {rare!r}, expected a share in [0, 1)")
    constraints = data.get("constraints") or []
    if not isinstance(constraints, list) or not all(isinstance(c, str) for c in constraints):
        raise SchemaError(
            f"{source}: 'constraints' must be a list of expressions such as DIASTOLIC < SYSTOLIC; "
            "put those that YAML reads as something else in quotes"
        )
    schema = TableSchema(
        columns,
        target=_name(data, "target"),
        group=_name(data, "group"),
        dropped=tuple(dropped),
        min_prevalence=float(rare),
        constraints=tuple(constraints),
    )
    for role in ("target", "group"):
        name = getattr(schema, role)
        if name is not None and name not in schema.names:
            raise SchemaError(
                f"{source}: {role} {name!r} is not among its columns{nearest(name, schema.names)}"
            )
    check_formulas(schema, source)
    schema = prune_constraints(schema, source)
    check_constraints(schema, source)
    return schema


def _name(data: dict[str, Any], key: str) -> str | None:
    return None if data.get(key) is None else str(data[key])


def _column_from_dict(name: str, entry: Any, source: str) -> ColumnSchema:
    where = f"{source}, column {name!r}"
    if isinstance(entry, str):
        entry = {"kind": entry}
    if not isinstance(entry, dict):
        raise SchemaError(f"{where}: expected a mapping such as {{kind: integer}}")
    for key in entry:
        if key not in _FIELDS:
            raise SchemaError(f"{where}: unknown entry {key!r}; known are {', '.join(_FIELDS)}")
    kinds = [kind.value for kind in ColumnKind]
    if entry.get("kind") not in kinds:
        raise SchemaError(
            f"{where}: kind is {entry.get('kind')!r}, expected one of {', '.join(kinds)}"
        )
    kind = ColumnKind(entry["kind"])
    levels = _levels(entry.get("levels", []), where, "levels")
    bounds = _bounds(entry.get("bounds"), kind, where)
    missing = entry.get("missing", 0.0)
    if not _is_number(missing) or not 0 <= missing <= 1:
        raise SchemaError(f"{where}: missing is {missing!r}, expected a share between 0 and 1")
    decimals = entry.get("decimals")
    if decimals is not None and (not isinstance(decimals, int) or not 0 <= decimals <= 15):
        raise SchemaError(f"{where}: decimals is {decimals!r}, expected a number from 0 to 15")
    derived = entry.get("derived")
    if derived is not None and not isinstance(derived, str):
        raise SchemaError(f"{where}: derived is {derived!r}, expected text such as 'total = a + b'")
    resolution = entry.get("resolution")
    if resolution is not None and (not _is_number(resolution) or resolution <= 0):
        raise SchemaError(f"{where}: resolution is {resolution!r}, expected seconds above 0")
    return ColumnSchema(
        name=name,
        kind=kind,
        dtype=str(entry.get("dtype") or default_dtype(kind, levels)),
        levels=levels,
        bounds=bounds,
        decimals=decimals,
        missing=float(missing),
        resolution=None if resolution is None else float(resolution),
        categories=_levels(entry.get("categories", []), where, "categories"),
        ordered=bool(entry.get("ordered", False)),
        derived=None if derived is None else parse_formula(derived, name, where),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _levels(value: Any, where: str, field: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise SchemaError(f"{where}: {field} is {value!r}, expected a list such as [a, b]")
    levels = tuple(
        level.isoformat() if isinstance(level, datetime.date) else level for level in value
    )
    for level in levels:
        if not isinstance(level, str | int | float | bool):
            raise SchemaError(f"{where}: {field} holds {level!r}, expected text or numbers")
    keys = [(isinstance(level, bool), level) for level in levels]
    if len(set(keys)) < len(keys):
        raise SchemaError(f"{where}: {field} names a value twice")
    return levels


def _bounds(value: Any, kind: ColumnKind, where: str) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise SchemaError(f"{where}: bounds is {value!r}, expected a list [low, high]")
    if kind is ColumnKind.DATETIME:
        try:
            low, high = (_seconds(bound) for bound in value)
        except ValueError as error:
            raise SchemaError(
                f"{where}: bounds {value!r} are not dates such as 2020-01-31"
            ) from error
    elif all(_is_number(bound) and np.isfinite(bound) for bound in value):
        low, high = float(value[0]), float(value[1])
    else:
        raise SchemaError(f"{where}: bounds {value!r} are not two numbers")
    if low > high:
        raise SchemaError(f"{where}: bounds {value!r} have the higher number first")
    return low, high


def _seconds(value: Any) -> float:
    text = value.isoformat() if isinstance(value, datetime.date) else str(value)
    return float(np.datetime64(text, "us").astype(np.int64)) / 1e6
