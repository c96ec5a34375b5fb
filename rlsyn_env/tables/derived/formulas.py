"""What a derived column is computed from, and the text that says so.

Three forms, as they stand in a schema:

- ``bmi = round(weight / height ^ 2, 1)``: arithmetic over numbers (dates count in seconds);
- ``grade_number = map(grade, "low" -> 1, "high" -> 2, missing -> missing)``: a level per level;
- ``age_band = steps(age, "young", 40 -> "middle", 65 -> "old")``: ``"young"`` below 40, then as
  each bound is reached.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Names that mean something else, and how many numbers each function takes after its expression.
FUNCTIONS = {"round": 1, "round_half_up": 1, "floor": 0}
RESERVED = frozenset({*FUNCTIONS, "map", "steps", "missing", "else", "true", "false"})
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Column:
    """The value of another column."""

    name: str


@dataclass(frozen=True)
class Operation:
    """``left operator right`` with one of ``+ - * / ^``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Rounding:
    """``round``, ``round_half_up`` or ``floor`` of an expression, to ``decimals``."""

    function: str
    inner: Expression
    decimals: int = 0


Expression = Number | Column | Operation | Rounding


@dataclass(frozen=True)
class LevelTable:
    """``map(source, level -> value, ...)``.

    Attributes:
        source: column that is looked up.
        pairs: level and value; None means missing, on both sides.
        other: value of everything that no pair names.
        has_other: whether ``other`` was given (it may be None, missing).
    """

    source: str
    pairs: tuple[tuple[Any, Any], ...]
    other: Any = None
    has_other: bool = False


@dataclass(frozen=True)
class Steps:
    """``steps(source, first, bound -> value, ...)`` of an ordered column.

    Attributes:
        source: column that is compared with the bounds.
        values: (k + 1,) the value below the first bound, then from each bound on.
        bounds: (k,) increasing numbers, or ISO text for dates.
        missing: value where the source is missing; None for missing.
    """

    source: str
    values: tuple[Any, ...]
    bounds: tuple[float | str, ...]
    missing: Any = None


@dataclass(frozen=True)
class Formula:
    """A derived column and what it is computed by."""

    name: str
    rule: Expression | LevelTable | Steps

    @property
    def text(self) -> str:
        """The formula as it stands in a schema; :func:`grammar.parse_formula` reads it back."""
        return f"{name_text(self.name)} = {rule_text(self.rule)}"

    @property
    def short_text(self) -> str:
        """The text, cut where a long list of levels would fill the screen."""
        return self.text if len(self.text) <= 100 else self.text[:97] + "..."

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the columns it is computed from, each once, in order of appearance."""
        return tuple(dict.fromkeys(_sources(self.rule)))


def _sources(rule: Expression | LevelTable | Steps) -> list[str]:
    if isinstance(rule, LevelTable | Steps):
        return [rule.source]
    if isinstance(rule, Column):
        return [rule.name]
    if isinstance(rule, Operation):
        return _sources(rule.left) + _sources(rule.right)
    return _sources(rule.inner) if isinstance(rule, Rounding) else []


def name_text(name: str) -> str:
    """A column's name as a formula spells it: between backticks unless it is a plain word."""
    if _PLAIN_NAME.fullmatch(name) and name not in RESERVED:
        return name
    return "`" + name.replace("`", "``") + "`"


def value_text(value: Any) -> str:
    """A level as a formula spells it: JSON, or the word missing for None."""
    return "missing" if value is None else json.dumps(value, ensure_ascii=False)


def number_text(value: float) -> str:
    """A number without needless digits: ``2`` for 2.0."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def rule_text(rule: Expression | LevelTable | Steps) -> str:
    """The right-hand side of a formula."""
    if isinstance(rule, LevelTable):
        parts = [f"{value_text(level)} -> {value_text(value)}" for level, value in rule.pairs]
        if rule.has_other:
            parts.append(f"else -> {value_text(rule.other)}")
        return f"map({', '.join([name_text(rule.source), *parts])})"
    if isinstance(rule, Steps):
        parts = [name_text(rule.source), value_text(rule.values[0])]
        parts += [
            f"{_bound_text(bound)} -> {value_text(value)}"
            for bound, value in zip(rule.bounds, rule.values[1:], strict=True)
        ]
        if rule.missing is not None:
            parts.append(f"missing -> {value_text(rule.missing)}")
        return f"steps({', '.join(parts)})"
    return _expression_text(rule, 0)


def _bound_text(bound: float | str) -> str:
    return json.dumps(bound) if isinstance(bound, str) else number_text(bound)


def _expression_text(node: Expression, around: int) -> str:
    if isinstance(node, Number):
        text = number_text(node.value)
        return f"({text})" if node.value < 0 and around > _STRENGTH["^"] else text
    if isinstance(node, Column):
        return name_text(node.name)
    if isinstance(node, Rounding):
        inner = _expression_text(node.inner, 0)
        return f"{node.function}({inner}{f', {node.decimals}' if node.decimals else ''})"
    strength = _STRENGTH[node.operator]
    # a - (b + c), a / (b * c) and (a ^ b) ^ c need their parentheses; everything else reads left
    # to right.
    left = _expression_text(node.left, strength + (node.operator == "^"))
    right = _expression_text(node.right, strength + 1)
    text = f"{left} {node.operator} {right}"
    return f"({text})" if strength < around else text
