"""The text of a constraint as a syntax tree: pandas' ``query`` syntax, what it allows of Python's.

``and or not & | ~``, comparisons (chained ones too), ``in`` and ``not in`` a list, ``+ - * / %``,
numbers, quoted text, ``True`` and ``False``, and columns by name; a name that is no Python
identifier stands in backticks. As in pandas, ``&`` and ``|`` bind like ``and`` and ``or``; unlike
there, computed sides are compared to nine digits.
"""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass
from itertools import pairwise

from rlsyn_env.errors import SchemaError

_TOKENS = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|`(?P<name>(?:[^`]|``)+)`|(?P<both>[&|])"""
)
_WORDS = {"&": " and ", "|": " or "}
_ALLOWED = (
    ast.expr_context,
    *(ast.Name, ast.Constant, ast.List, ast.Tuple, ast.Set),
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Invert, ast.USub, ast.UAdd),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
)
_REMEDIES = {
    ast.Call: "a call is not allowed: only columns, numbers, text and operators are",
    ast.Attribute: "a dot is not allowed: put the name of a column with a dot in backticks",
    ast.Subscript: "brackets after a name are not allowed: put a column's name in backticks",
    ast.Is: "'is' is not allowed: compare with ==",
    ast.IsNot: "'is not' is not allowed: compare with !=",
}


@dataclass(frozen=True)
class Expression:
    """A constraint's syntax tree, not yet checked against columns.

    Attributes:
        text: as it was written.
        tree: nodes of the kinds that are allowed; ``Name`` nodes hold names of columns.
        names: columns that it names, each once.
    """

    text: str
    tree: ast.expr
    names: tuple[str, ...]


def rule_error(text: str, problem: str, source: str) -> SchemaError:
    """Return the error that names a rule and what is wrong with it."""
    return SchemaError(f"{source}: constraint {text!r}: {problem}")


def quoted(name: str) -> str:
    """Return a column's name as a constraint writes it: in backticks unless an identifier."""
    if name.isidentifier() and not keyword.iskeyword(name):
        return name
    return "`" + name.replace("`", "``") + "`"


def parse_constraint(text: str, source: str = "the schema") -> Expression:
    """Read a constraint; SchemaError naming ``source``, the rule and what is wrong with it."""
    prefix = "_quoted"
    while prefix in text:
        prefix += "_"
    columns: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        if match["text"] is not None:
            return match["text"]
        if match["both"] is not None:
            return _WORDS[match["both"]]
        placeholder = f"{prefix}{len(columns)}"
        columns[placeholder] = match["name"].replace("``", "`")
        return placeholder

    try:
        # the brackets let a rule run over several lines
        tree = ast.parse("(" + _TOKENS.sub(plain, text) + "\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise rule_error(text, _syntax_problem(text), source) from error
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            name = type(node).__name__
            problem = _REMEDIES.get(type(node), f"{name} is not allowed in a constraint")
            raise rule_error(text, problem, source)
        if isinstance(node, ast.Name):
            node.id = columns.get(node.id, node.id)
            names[node.id] = None
    if not names:
        raise rule_error(text, "it names no column", source)
    return Expression(text, tree, tuple(names))


def compared_texts(expression: Expression) -> list[tuple[str, str]]:
    """Return each column that is compared with a quoted text, and the text."""
    pairs = []
    for node in ast.walk(expression.tree):
        if isinstance(node, ast.Compare):
            for one, two in pairwise([node.left, *node.comparators]):
                pairs += [*_texts_of(one, two), *_texts_of(two, one)]
    return pairs


def _texts_of(column: ast.expr, given: ast.expr) -> list[tuple[str, str]]:
    if not isinstance(column, ast.Name):
        return []
    texts = given.elts if isinstance(given, ast.List | ast.Tuple | ast.Set) else [given]
    return [
        (column.id, text.value)
        for text in texts
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    ]


def _syntax_problem(text: str) -> str:
    if re.search(r"(?<![=!<>])=(?!=)", text):
        return "it is no expression: compare with ==, not with ="
    return (
        "it is no expression; write it like DIASTOLIC < SYSTOLIC or not (sex == 'M' and "
        "pregnant == 1), with names that are no identifiers in backticks"
    )
