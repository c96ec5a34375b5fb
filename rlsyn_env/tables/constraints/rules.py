"""A constraint as elementwise operations on whole columns, its types checked beforehand."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.constraints.columns import BoolArray, ColumnReader, TextColumn, ValueKind
from rlsyn_env.tables.constraints.grammar import Expression, rule_error
from rlsyn_env.tables.schema import nearest

Holds: TypeAlias = Callable[[ColumnReader], Any]

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _is_computed(side: ast.expr) -> bool:
    return any(isinstance(part, ast.BinOp) for part in ast.walk(side))


def _same(one: Any, two: Any) -> Any:
    """Whether numbers are equal but for what arithmetic in binary adds: 0.1 + 0.2 is 0.3."""
    with np.errstate(invalid="ignore"):  # infinity less infinity
        gap = np.abs(np.subtract(one, two))
    noise = _NOISE * np.maximum(np.abs(one), np.abs(two)) + _TINY
    return (one == two) | ((gap <= noise) & np.isfinite(gap))


_NOISE = 1e-9  # as the search for derived columns allows
_TINY = 1e-12  # where what is left of a difference is noise
_NEARLY: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: _same,
    ast.NotEq: lambda one, two: ~_same(one, two),
    ast.Lt: lambda one, two: (one < two) & ~_same(one, two),
    ast.LtE: lambda one, two: (one <= two) | _same(one, two),
    ast.Gt: lambda one, two: (one > two) & ~_same(one, two),
    ast.GtE: lambda one, two: (one >= two) | _same(one, two),
}
_LISTS = (ast.List, ast.Tuple, ast.Set)


@dataclass(frozen=True)
class _Operand:
    """A value: what may be done with it, how to get it, and its text where it is a constant."""

    kind: ValueKind
    get: Callable[[ColumnReader], Any]
    text: str | None = None


def compile_rule(
    expression: Expression, kinds: Mapping[str, ValueKind | None], source: str
) -> Callable[[ColumnReader], BoolArray]:
    """Return a function that tells for each row ``(n,)`` whether it satisfies the expression.

    What it says of rows with missing values means nothing.

    Raises:
        SchemaError: naming ``source``, the rule, and an unknown column with the nearest name, a
            rule that is neither true nor false, or an operation that its types do not allow.
    """
    check_names(expression, kinds, source)
    holds = _Compiler(expression.text, kinds, source).condition(expression.tree)
    return lambda columns: np.asarray(holds(columns), dtype=bool)


def check_names(expression: Expression, kinds: Mapping[str, ValueKind | None], source: str) -> None:
    """Raise SchemaError with the nearest name where a rule names a column that is not there."""
    for name in expression.names:
        if name not in kinds:
            hint = nearest(name, list(kinds))
            raise rule_error(expression.text, f"no column {name!r} is generated{hint}", source)


class _Compiler:
    def __init__(self, text: str, kinds: Mapping[str, ValueKind | None], source: str) -> None:
        self._text, self._kinds, self._source = text, kinds, source

    def condition(self, node: ast.expr) -> Holds:
        """What must be true or false."""
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(value) for value in node.values]
            joined = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return lambda columns: reduce(joined, (part(columns) for part in parts))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
            inner = self.condition(node.operand)
            return lambda columns: np.logical_not(inner(columns))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        operand = self._operand(node)
        if operand.kind is not ValueKind.BOOLEAN:
            written = ast.unparse(node)
            raise self._error(f"{written!r} is neither true nor false; compare it ({written} == 1)")
        return lambda columns: operand.get(columns) != 0

    def _operand(self, node: ast.expr) -> _Operand:
        """A number, a text, a date, or a truth as 0 or 1."""
        if isinstance(node, ast.Name):
            name, kind = node.id, self._kinds[node.id]
            return _Operand(kind or ValueKind.NUMBER, lambda columns: columns.column(name))
        if isinstance(node, ast.Constant):
            return self._constant(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            number = self._number(node.operand)
            sign = np.negative if isinstance(node.op, ast.USub) else np.positive
            return _Operand(ValueKind.NUMBER, lambda columns: sign(number(columns)))
        if isinstance(node, ast.BinOp):
            function = _ARITHMETIC[type(node.op)]
            left, right = self._number(node.left), self._number(node.right)
            return _Operand(
                ValueKind.NUMBER, lambda columns: function(left(columns), right(columns))
            )
        if isinstance(node, _LISTS):
            raise self._error(f"a list such as {ast.unparse(node)} may only follow 'in'")
        holds = self.condition(node)
        return _Operand(
            ValueKind.BOOLEAN, lambda columns: np.asarray(holds(columns), dtype=np.float64)
        )

    def _constant(self, value: Any) -> _Operand:
        if isinstance(value, str):
            return _Operand(ValueKind.TEXT, lambda columns: value, text=value)
        if not isinstance(value, bool | int | float):
            raise self._error(f"{value!r} is not a number, a text, True or False")
        kind = ValueKind.BOOLEAN if isinstance(value, bool) else ValueKind.NUMBER
        number = np.float64(value)
        return _Operand(kind, lambda columns: number)

    def _number(self, node: ast.expr) -> Callable[[ColumnReader], Any]:
        operand = self._operand(node)
        if operand.kind is ValueKind.TEXT:
            raise self._error(f"{ast.unparse(node)!r} is text: it cannot be computed with")
        return lambda columns: np.asarray(operand.get(columns), dtype=np.float64)

    def _comparison(self, node: ast.Compare) -> Holds:
        sides = [node.left, *node.comparators]
        links = [
            self._link(left, link, right)
            for left, link, right in zip(sides[:-1], node.ops, sides[1:], strict=True)
        ]
        return lambda columns: reduce(np.logical_and, (link(columns) for link in links))

    def _link(self, left: ast.expr, link: ast.cmpop, right: ast.expr) -> Holds:
        if not isinstance(link, ast.In | ast.NotIn):
            return self._pair(left, link, right)
        if not isinstance(right, _LISTS) or not right.elts:
            raise self._error("'in' needs a list of values, such as sex in ['F', 'M']")
        members = [self._pair(left, ast.Eq(), member) for member in right.elts]

        def among(columns: ColumnReader) -> Any:
            return reduce(np.logical_or, (member(columns) for member in members))

        return among if isinstance(link, ast.In) else lambda c: np.logical_not(among(c))

    def _pair(self, left: ast.expr, link: ast.cmpop, right: ast.expr) -> Holds:
        compare = _COMPARISONS[type(link)]
        one, two = self._operand(left), self._operand(right)
        if one.kind is ValueKind.DATE and two.text is not None:
            two = self._date(two.text)
        elif two.kind is ValueKind.DATE and one.text is not None:
            one = self._date(one.text)
        texts = [operand.kind is ValueKind.TEXT for operand in (one, two)]
        if not any(texts):
            if _is_computed(left) or _is_computed(right):
                compare = _NEARLY[type(link)]
            return lambda columns: compare(one.get(columns), two.get(columns))
        if not all(texts):
            text, other = (left, right) if texts[0] else (right, left)
            raise self._error(
                f"{ast.unparse(text)!r} is text and {ast.unparse(other)!r} is not: they cannot be "
                "compared (text stands in quotes, numbers do not)"
            )
        if not isinstance(link, ast.Eq | ast.NotEq):
            raise self._error("text has no order: use ==, != or in")
        return lambda columns: _compare_text(compare, one.get(columns), two.get(columns))

    def _date(self, text: str) -> _Operand:
        try:
            seconds = np.datetime64(text, "us").astype(np.int64) / 1e6
        except ValueError as error:
            raise self._error(f"{text!r} is no date such as '2020-01-31'") from error
        return _Operand(ValueKind.DATE, lambda columns: seconds)

    def _error(self, problem: str) -> SchemaError:
        return rule_error(self._text, problem, self._source)


def _compare_text(compare: Callable[[Any, Any], Any], one: Any, two: Any) -> Any:
    """Compare texts: with a constant once per distinct text, not once per row."""
    if isinstance(one, TextColumn) and isinstance(two, str):
        return compare(one.labels, two)[one.codes]
    if isinstance(two, TextColumn) and isinstance(one, str):
        return compare(two.labels, one)[two.codes]
    if isinstance(one, TextColumn):
        one, two = one.values(), two.values()
    return compare(one, two)
