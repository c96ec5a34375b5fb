"""Formulas as text: what is written is read back, and what is wrong gets one clear error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsyn_env.errors import SchemaError
from rlsyn_env.tables.derived.formulas import (
    Column,
    Formula,
    LevelTable,
    Number,
    Operation,
    Rounding,
    Steps,
)
from rlsyn_env.tables.derived.grammar import parse_formula

names = st.text(min_size=1, max_size=8).filter(lambda text: text == text.strip())
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: Number(x + 0.0))
values = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text(max_size=6),
    st.floats(-1e6, 1e6, allow_nan=False),
)  # fmt: skip
expressions = st.recursive(
    st.one_of(names.map(Column), numbers),
    lambda inner: st.one_of(
        st.builds(Operation, st.sampled_from("+-*/^"), inner, inner),
        st.builds(Rounding, st.sampled_from(["round", "round_half_up"]), inner, st.integers(0, 15)),
        st.builds(Rounding, st.just("floor"), inner),
    ),
    max_leaves=12,
)
tables = st.builds(
    LevelTable,
    names,
    st.lists(st.tuples(st.text(max_size=5), values), max_size=5, unique_by=lambda p: p[0]).map(
        tuple
    ),
    values,
    st.just(True),
)
PROPERTY = settings(max_examples=200, deadline=None, derandomize=True)


@given(name=names, rule=st.one_of(expressions, tables))
@PROPERTY
def test_text_round_trips(name: str, rule) -> None:
    formula = Formula(name, rule)
    again = parse_formula(formula.text, name, "here")
    assert again.text == formula.text
    assert again.sources == formula.sources
    assert again == formula


@given(text=st.text(max_size=40))
@PROPERTY
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"x = {text}"):
        try:
            formula = parse_formula(candidate, "x", "here")
        except SchemaError:
            continue  # the only error there may be
        assert parse_formula(formula.text, "x", "here") == formula


def test_steps_round_trip() -> None:
    for rule in (
        Steps("age", ("young", "old"), (40,)),
        Steps("day", (1, 2, 3), ("2020-01-01", "2021-06-30T12:00:00"), missing=0),
        Steps("x", (False, None), (-1.5,)),
    ):
        formula = Formula("band", rule)
        assert parse_formula(formula.text, "band", "here") == formula


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("y = a + b", "it computes 'y', not 'x'"),
        ("a + b", "it computes 'a', not 'x'"),
        ("x = a +", "a column is expected at the end"),
        ("x = (a + b", "')' is expected at the end"),
        ("x = a b", "'b' is not expected"),
        ("x = a ? b", "'? b' cannot be read"),
        ("x = __import__(os)", "'(' is not expected"),
        ("x = round(a, 99)", "99 is not a number of decimals"),
        ("x = map(a, 1 -> 2, 1 -> 3)", "it names a level twice"),
        ("x = map(a, 1 -> b)", "missing is expected where 'b' stands"),
        ("x = steps(a, 0, 3 -> 1, 2 -> 2)", "its bounds must rise"),
        ('x = steps(a, 0, 3 -> 1, "4" -> 2)', "'4' is not a bound like the others"),
        ("x = " + "(" * 5000, "nested too deeply"),
    ],
)
def test_wrong_text_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SchemaError, match=r"^here: derived is ") as refusal:
        parse_formula(text, "x", "here")
    assert problem in str(refusal.value)
