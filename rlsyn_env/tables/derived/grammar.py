"""Reads the text of a formula. Nothing is executed: a formula is data.

::

    formula    = name "=" ( map | steps | sum )
    map        = "map" "(" name { "," ( value | "else" ) "->" value } ")"
    steps      = "steps" "(" name "," value { "," ( number | text | "missing" ) "->" value } ")"
    sum        = product { ("+" | "-") product }
    product    = signed { ("*" | "/") signed }
    signed     = [ "-" ] power
    power      = atom [ "^" signed ]
    atom       = number | name | "(" sum ")" | function "(" sum [ "," number ] ")"
    value      = number | text | "true" | "false" | "missing"

A name is a plain word, or anything between backticks; text stands between double quotes as in JSON.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.derived.formulas import (
    FUNCTIONS,
    RESERVED,
    Column,
    Expression,
    Formula,
    LevelTable,
    Number,
    Operation,
    Rounding,
    Steps,
)

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<quoted>`(?:[^`]|``)+`)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>->|[-+*/^(),=])
    )""",
    re.VERBOSE,
)
_DEEPEST = 100


def parse_formula(text: str, name: str, where: str) -> Formula:
    """Read ``text``, the formula of the column ``name``.

    Args:
        text: such as ``total = a + b``.
        name: the column it stands under, which must be the one before ``=``.
        where: names file and column in the error.

    Raises:
        SchemaError: the text is not a formula, or is that of another column.
    """
    return _Parser(text, where).formula(name)


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0

    def formula(self, name: str) -> Formula:
        found = self._name()
        if found != name:
            raise self._error(f"it computes {found!r}, not {name!r}")
        self._expect("=")
        rule: Expression | LevelTable | Steps
        if self._accept("map"):
            rule = self._map()
        elif self._accept("steps"):
            rule = self._steps()
        else:
            rule = self._sum()
        if self._peek()[1]:
            raise self._error(f"{self._peek()[1]!r} is not expected")
        return Formula(name, rule)

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error(f"{text[position:].strip()[:20]!r} cannot be read")
            tokens.append((str(match.lastgroup), match.group().strip()))
            position = match.end()
        return tokens

    def _error(self, problem: str) -> SchemaError:
        return SchemaError(
            f"{self._where}: derived is {self._text!r}: {problem}; write it as in "
            "'total = a + b', or remove the entry to generate the column"
        )

    @staticmethod
    def _place(found: str) -> str:
        return f"where {found!r} stands" if found else "at the end"

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _accept(self, token: str) -> bool:
        if self._peek()[1] != token or self._peek()[0] not in ("sign", "word"):
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            found = self._peek()[1]
            raise self._error(f"{token!r} is expected {self._place(found)}")

    def _name(self) -> str:
        kind, text = self._peek()
        if kind == "quoted":
            name = text[1:-1].replace("``", "`")
        elif kind == "word" and text not in RESERVED:
            name = text
        else:
            raise self._error(f"a column is expected {self._place(text)}")
        self._at += 1
        return name

    def _sum(self) -> Expression:
        node = self._product()
        while (operator := self._peek()[1]) in ("+", "-"):
            self._at += 1
            node = Operation(operator, node, self._product())
        return node

    def _product(self) -> Expression:
        node = self._signed()
        while (operator := self._peek()[1]) in ("*", "/"):
            self._at += 1
            node = Operation(operator, node, self._signed())
        return node

    def _signed(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("it is nested too deeply")
        if self._accept("-"):
            inner = self._signed()
            node: Expression = (
                Number(-inner.value)
                if isinstance(inner, Number)
                else Operation("*", Number(-1.0), inner)
            )
        else:
            node = self._power()
        self._depth -= 1
        return node

    def _power(self) -> Expression:
        base = self._atom()
        return Operation("^", base, self._signed()) if self._accept("^") else base

    def _atom(self) -> Expression:
        kind, text = self._peek()
        if kind == "number":
            return Number(float(self._number()))
        if self._accept("("):
            node = self._sum()
            self._expect(")")
            return node
        if kind == "word" and text in FUNCTIONS:
            return self._rounding()
        return Column(self._name())

    def _rounding(self) -> Rounding:
        function = self._peek()[1]
        self._at += 1
        self._expect("(")
        inner = self._sum()
        decimals = 0
        if FUNCTIONS[function] and self._accept(","):
            number = self._number()
            if not 0 <= number <= 15 or number != int(number):
                raise self._error(f"{number:g} is not a number of decimals from 0 to 15")
            decimals = int(number)
        self._expect(")")
        return Rounding(function, inner, decimals)

    def _number(self) -> float | int:
        negative = self._accept("-")
        kind, text = self._peek()
        if kind != "number":
            raise self._error(f"a number is expected {self._place(text)}")
        self._at += 1
        value = int(text) if text.isdigit() else float(text)
        return -value if negative else value

    def _value(self) -> Any:
        kind, text = self._peek()
        words: dict[str, Any] = {"missing": None, "true": True, "false": False}
        if kind == "word" and text in words:
            self._at += 1
            return words[text]
        if kind == "text":
            self._at += 1
            try:
                return json.loads(text)
            except ValueError as error:
                raise self._error(f"{text} is not text as in JSON") from error
        if kind == "number" or text == "-":
            return self._number()
        raise self._error(
            f'a number, "text", true, false or missing is expected {self._place(text)}'
        )

    def _map(self) -> LevelTable:
        self._expect("(")
        source = self._name()
        pairs: list[tuple[Any, Any]] = []
        other, has_other = None, False
        while self._accept(","):
            if self._accept("else"):
                self._expect("->")
                other, has_other = self._value(), True
            else:
                level = self._value()
                self._expect("->")
                pairs.append((level, self._value()))
        self._expect(")")
        keys = [(isinstance(level, bool), level) for level, _ in pairs]
        if len(set(keys)) < len(keys):
            raise self._error("it names a level twice")
        return LevelTable(source, tuple(pairs), other, has_other)

    def _steps(self) -> Steps:
        self._expect("(")
        source = self._name()
        self._expect(",")
        values = [self._value()]
        bounds: list[float | str] = []
        missing = None
        while self._accept(","):
            bound = self._value()
            self._expect("->")
            if bound is None:
                missing = self._value()
                continue
            if isinstance(bound, bool) or any(
                isinstance(bound, str) != isinstance(other, str) for other in bounds
            ):
                raise self._error(f"{bound!r} is not a bound like the others")
            bounds.append(bound)
            values.append(self._value())
        self._expect(")")
        if any(not low < high for low, high in pairwise(bounds)):  # type: ignore[operator]
            raise self._error("its bounds must rise")
        return Steps(source, tuple(values), tuple(bounds), missing)
