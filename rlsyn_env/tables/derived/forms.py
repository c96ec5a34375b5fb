"""Arithmetic of two columns that the search tries, as values and as expressions."""

from __future__ import annotations

import math

import numpy as np

from rlsyn_env.tables.column_values import FloatArray
from rlsyn_env.tables.derived.chance import BITS_PER_DIGIT
from rlsyn_env.tables.derived.formulas import Column, Expression, Number, Operation
from rlsyn_env.tables.derived.simple_numbers import digits_of, simplest

SUMS = ("a - b", "a + b")
#: Powers of a and b in the products and ratios.
POWERS = {
    "a * b": (1, 1),
    "a / b": (1, -1),
    "b / a": (-1, 1),
    "a / b ^ 2": (1, -2),
    "b / a ^ 2": (-2, 1),
}
#: Seconds of what differences of dates are told in: second, minute, hour, day, week, mean year.
_UNITS = (1.0, 60.0, 3600.0, 86400.0, 604800.0, 31557600.0)
N_FORMS = len(SUMS) + len(POWERS)


def form_values(form: str, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the values of a form of two arrays, infinite or NaN where it divides by zero."""
    if form in SUMS:
        return a - b if form == "a - b" else a + b
    one, two = POWERS[form]
    with np.errstate(all="ignore"):
        return np.asarray(a ** float(one) * b ** float(two))


def form_expression(form: str, a: str, b: str) -> Expression:
    """Return the expression of a form of two columns."""
    one, two = Column(a), Column(b)
    if form.startswith("b"):
        one, two, form = two, one, form.translate(str.maketrans("ab", "ba"))
    if form == "a * b" and a == b:
        return Operation("^", one, Number(2.0))
    right: Expression = Operation("^", two, Number(2.0)) if form.endswith("^ 2") else two
    return Operation(form[2], one, right)


def scaled(expression: Expression, k: float) -> Expression:
    """Return ``k`` times an expression, in as few digits as it takes."""
    if k == 1:
        return expression
    if isinstance(expression, Operation) and expression.operator == "-" and k < 0:
        return scaled(Operation("-", expression.right, expression.left), -k)
    if abs(k) < 1 and digits_of(1 / k) <= digits_of(k):
        return Operation("/", expression, Number(float(f"{1 / k:.12g}")))
    return Operation("*", Number(k), expression)


def scale_bits(k: float) -> float:
    """Return what writing the factor ``k`` down costs."""
    return BITS_PER_DIGIT * min(digits_of(k), digits_of(1 / k))


def scale_intervals(
    values: FloatArray, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the interval of k for which ``low <= k values <= high`` in all rows, per form.

    Args:
        values: (p, r), one row per form; a form that is not finite everywhere gets no interval.
        low, high: (r,).

    Returns:
        Two arrays (p,): the first above the second where no k fits.
    """
    with np.errstate(all="ignore"):
        one, two = low / values, high / values
    first = np.fmax.reduce(np.fmin(one, two), axis=1)
    last = np.fmin.reduce(np.fmax(one, two), axis=1)
    bad = ~np.isfinite(values).all(axis=1)
    return np.where(bad, np.inf, first), np.where(bad, -np.inf, last)


def simplest_scale(low: float, high: float) -> float | None:
    """Return a factor in [low, high], None if zero is among them.

    One or a unit of time if possible, otherwise a k with few digits, or with few digits of 1 / k.
    """
    if low > high or not (math.isfinite(low) and math.isfinite(high)) or low <= 0 <= high:
        return None
    for seconds in _UNITS:
        for k in (1 / seconds, -1 / seconds):
            if low <= k <= high:
                return k
    factor, divisor = simplest(low, high), simplest(1 / high, 1 / low)
    if divisor and factor and digits_of(divisor) < digits_of(factor):
        return 1 / divisor
    return factor
