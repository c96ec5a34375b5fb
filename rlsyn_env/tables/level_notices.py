"""What is odd about the levels of a column: they look like dates, numbers or names of persons."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from rlsyn_env.errors import short_repr

if TYPE_CHECKING:
    from rlsyn_env.tables.schema import ColumnSchema

_MANY_LEVELS = 50
_NEARLY_ALL = 0.9
_LARGEST_WHOLE = 2**64 - 1
_DATE_LEVEL = re.compile(r"\d{1,2}([./-])\d{1,2}\1(\d{4}|\d{2})|\d{4}([./])\d{1,2}\3\d{1,2}")
_ISO_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_CODE = re.compile(r"-?0\d+")


def level_notices(column: ColumnSchema) -> list[str]:
    """Warn of levels that are no classes.

    That is: dates in another form, names of persons, and dates or numbers among which a few values
    are none, which makes levels of them all.
    """
    texts = [level for level in column.levels if isinstance(level, str)]
    if texts and all(_DATE_LEVEL.fullmatch(text) for text in texts):
        return [
            f"column {column.name!r} looks like dates, which are read as YYYY-MM-DD only: taken as "
            f"{len(texts):,} levels"
        ]
    spoiled = _spoiled(column)
    if spoiled:
        return [spoiled]
    if len(texts) > _MANY_LEVELS:
        return [
            f"column {column.name!r} has {len(texts):,} levels, which are written as they are: "
            "drop it if they name persons"
        ]
    return []


def _spoiled(column: ColumnSchema) -> str:
    """Tell of a column that a few values keep from being dates or numbers; "" for others."""
    if any(isinstance(level, bool) for level in column.levels):
        return ""
    texts = [str(level).strip() for level in column.levels]
    if any(_CODE.fullmatch(text) for text in texts):  # leading zeros: codes, which stay levels
        return ""
    for what, fits in (("dates (YYYY-MM-DD)", _is_iso_date), ("numbers", _is_number)):
        odd = _exceptions(texts, fits)
        if odd:
            return (
                f"column {column.name!r} holds {what} but for {len(odd):,} of its {len(texts):,} "
                f"distinct values, such as {short_repr(odd[0])}: taken as levels; correct such "
                "values or leave them empty if they are mistakes"
            )
    return ""


def _exceptions(texts: list[str], fits: Callable[[str], bool]) -> list[str]:
    """The texts that do not fit; none where more than a few do not."""
    allowed = (1 - _NEARLY_ALL) * len(texts) + 1e-9
    odd: list[str] = []
    for text in texts:
        if not fits(text):
            odd.append(text)
            if len(odd) > allowed:
                return []
    return odd


def _is_iso_date(text: str) -> bool:
    if not _ISO_SHAPE.fullmatch(text):
        return False
    try:
        pd.Timestamp(text)
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    """Tell whether text reads as a number that a column of numbers can hold."""
    try:
        value = float(text)
    except ValueError:
        return False
    digits = text.lstrip("+-").isdigit()
    return math.isfinite(value) and not (digits and abs(int(text)) > _LARGEST_WHOLE)
