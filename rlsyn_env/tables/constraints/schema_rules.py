"""The constraints of a schema: whether they can be evaluated, and which columns take with them."""

from __future__ import annotations

import dataclasses

from rlsyn_env.tables.constraints.columns import kinds_of_schema
from rlsyn_env.tables.constraints.evaluation import Constraints
from rlsyn_env.tables.constraints.grammar import compared_texts, parse_constraint
from rlsyn_env.tables.constraints.rules import check_names, compile_rule
from rlsyn_env.tables.schema import TableSchema, nearest

_SHOWN = 5  # levels


def schema_constraints(schema: TableSchema) -> Constraints:
    """Return the constraints of a complete schema, ready to be evaluated."""
    return Constraints(schema.constraints, schema)


def check_constraints(schema: TableSchema, source: str) -> None:
    """Raise SchemaError naming ``source`` and the rule that cannot be evaluated.

    Columns whose levels a hand-written schema leaves to the table are taken at their word.
    """
    kinds = kinds_of_schema(schema)
    for text in schema.constraints:
        expression = parse_constraint(text, source)
        check_names(expression, kinds, source)
        if all(kinds[name] is not None for name in expression.names):
            compile_rule(expression, kinds, source)


def unknown_levels(schema: TableSchema) -> list[str]:
    """Return a line for each level that a constraint names and its column does not have.

    Such a comparison is always false. It is no error: a rule may well name a level that the rows at
    hand lack.
    """
    lines: dict[str, None] = {}  # in order, each once
    for rule in schema.constraints:
        for name, text in compared_texts(parse_constraint(rule)):
            levels = [str(level) for level in schema.column(name).levels]
            if not levels or text in levels:
                continue
            shown = ", ".join(map(repr, levels[:_SHOWN])) + (", ..." if levels[_SHOWN:] else "")
            hint = nearest(text, levels, show=False) or f"; its levels are {shown}"
            lines[f"constraint {rule!r}: column {name!r} has no level {text!r}{hint}"] = None
    return list(lines)


def prune_constraints(schema: TableSchema, source: str = "the schema") -> TableSchema:
    """Return ``schema`` without the rules that name a dropped column, an identifier or the group.

    A rule that names a column nobody knows stays: :func:`check_constraints` refuses it. SchemaError
    naming ``source`` for a rule that is no expression.
    """
    if not schema.constraints:
        return schema
    gone = (set(schema.names) | set(schema.dropped)) - set(schema.output_names)
    kept = tuple(
        rule for rule in schema.constraints if gone.isdisjoint(parse_constraint(rule, source).names)
    )
    return schema if kept == schema.constraints else dataclasses.replace(schema, constraints=kept)
