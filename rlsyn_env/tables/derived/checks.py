"""Whether the formulas of a schema can be computed, and in which order."""

from __future__ import annotations

from typing import Any

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.derived.evaluation import bounds_of
from rlsyn_env.tables.derived.formulas import Formula, LevelTable, Steps
from rlsyn_env.tables.schema import (
    FEATURE_KINDS,
    LEVEL_KINDS,
    ORDERED_KINDS,
    ColumnKind,
    ColumnSchema,
    TableSchema,
    nearest,
)


def check_formulas(schema: TableSchema, source: str) -> None:
    """Raise SchemaError naming ``source``, the column and its formula where one is impossible.

    That is: an unknown or left-out input, text in arithmetic, a value that is not among the
    levels, a level without a value, a derived target or group, columns derived from one another.
    """
    for column in schema.columns:
        if column.derived is not None:
            _check(column, column.derived, schema, source)
    computing_order(schema, source)


def computing_order(schema: TableSchema, source: str = "the schema") -> tuple[Formula, ...]:
    """Return the formulas so that each follows those of its sources; SchemaError for a circle."""
    waiting = {c.name: c.derived for c in schema.columns if c.derived is not None}
    order: list[Formula] = []
    while waiting:
        ready = [f for f in waiting.values() if not any(name in waiting for name in f.sources)]
        if not ready:
            circle = ", ".join(repr(name) for name in waiting)
            raise SchemaError(
                f"{source}: columns {circle} are derived from one another; remove 'derived' from "
                "one of them"
            )
        order += ready
        for formula in ready:
            del waiting[formula.name]
    return tuple(order)


def _check(column: ColumnSchema, formula: Formula, schema: TableSchema, source: str) -> None:
    where = f"{source}, column {column.name!r}: derived is {formula.short_text!r}, but "
    for role in ("target", "group"):
        if column.name == getattr(schema, role):
            raise SchemaError(f"{where}the column is the {role}; remove the entry")
    if column.kind not in FEATURE_KINDS:
        raise SchemaError(f"{where}its kind is {column.kind.value}; remove the entry")
    if not formula.sources:
        raise SchemaError(f"{where}it uses no column; give the column the kind constant instead")
    for name in formula.sources:
        if name not in schema.names:
            raise SchemaError(
                f"{where}there is no column {name!r}{nearest(name, schema.names)} Correct it, or "
                "remove the entry to generate the column"
            )
        used = schema.column(name)
        if used.kind not in FEATURE_KINDS or name == schema.group:
            raise SchemaError(f"{where}{name!r} is not generated; remove the entry")
    rule = formula.rule
    if isinstance(rule, LevelTable):
        _check_pairs(rule, column, schema.column(rule.source), where)
    elif isinstance(rule, Steps):
        _check_steps(rule, column, schema.column(rule.source), where)
    else:
        for name in (*formula.sources, column.name):
            if not _is_numeric(schema.column(name)):
                raise SchemaError(
                    f"{where}{name!r} holds {schema.column(name).kind.value} text, not numbers; "
                    "use map(...), or remove the entry"
                )


def _is_numeric(column: ColumnSchema) -> bool:
    return column.kind in ORDERED_KINDS or all(
        isinstance(level, int | float) for level in column.levels
    )


def _key(value: Any) -> tuple[bool, Any]:
    return isinstance(value, bool), value


def _check_results(values: list[Any], column: ColumnSchema, where: str) -> None:
    levels = {_key(level) for level in column.levels}
    for value in values:
        if value is None:
            continue
        if column.kind in ORDERED_KINDS:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or column.kind is ColumnKind.DATETIME:
                raise SchemaError(
                    f"{where}{value!r} is not a value of a {column.kind.value} column"
                )
        elif levels and _key(value) not in levels:
            raise SchemaError(f"{where}{value!r} is not among the levels of {column.name!r}")


def _check_pairs(rule: LevelTable, column: ColumnSchema, used: ColumnSchema, where: str) -> None:
    _check_results([value for _, value in rule.pairs] + [rule.other], column, where)
    if rule.has_other:
        return
    named = {_key(level) for level, _ in rule.pairs}
    left = [level for level in used.levels if _key(level) not in named]
    if used.kind in LEVEL_KINDS and not left:
        return
    example = f"{left[0]!r}" if left else "other values"
    raise SchemaError(f"{where}it does not say what {example} becomes; add an 'else -> VALUE'")


def _check_steps(rule: Steps, column: ColumnSchema, used: ColumnSchema, where: str) -> None:
    _check_results([*rule.values, rule.missing], column, where)
    if used.kind not in ORDERED_KINDS:
        raise SchemaError(f"{where}{used.name!r} has no order; use map(...)")
    dates = [isinstance(bound, str) for bound in rule.bounds]
    if any(is_date != (used.kind is ColumnKind.DATETIME) for is_date in dates):
        kind = 'dates such as "2020-01-31"' if used.kind is ColumnKind.DATETIME else "numbers"
        raise SchemaError(f"{where}the bounds of {used.name!r} must be {kind}")
    try:
        bounds_of(rule)
    except ValueError as error:
        raise SchemaError(f"{where}a bound is not a date: {error}") from error
