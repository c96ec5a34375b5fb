"""Which columns name a record instead of describing it."""

from __future__ import annotations

import re

import pandas as pd

from rlsyn_env.tables.column_values import is_text

_PERSON_NAMES = re.compile(
    r"(^|[_\s.-])(patient|subject|person|participant|member|client|customer|user|hadm|stay|visit|"
    r"encounter|admission|case|record|sample|row|index)[_\s.-]*(id|nr|no|num|number|nbr|key)s?$"
    r"|(^|[_\s.-])(mrn|ssn|uuid|guid|nhs[_\s.-]?number|mbi)$",
    re.IGNORECASE,
)
_ID_NAMES = re.compile(
    r"(^|[_\s.-])(id|ids|identifier|key|index|uid|pid)$|(?-i:[a-z]I[Dd])$|^unnamed: 0$|^id[_\s.-]",
    re.IGNORECASE,
)
_FEW_PERSONS = 20
_NEARLY_UNIQUE = 0.95
_LEAST_TEXTS = 20


def is_identifier(series: pd.Series, name: str) -> bool:
    """Tell whether a column identifies a record or person.

    That is: a name such as ``patient_id`` or ``mrn`` with 20 distinct values or more; a name such
    as ``id`` or ``lab_id`` with nearly unique whole numbers or text; text that is nearly unique;
    or whole numbers that are exactly a run 0..n-1 or 1..n. Unique measurements are not.
    """
    values = series.dropna()
    if isinstance(series.dtype, pd.CategoricalDtype) or not len(values):
        return False
    text = is_text(series)
    whole = pd.api.types.is_integer_dtype(series.dtype)
    if pd.api.types.is_float_dtype(series.dtype):
        whole = bool((values == values.round()).all())
    if not text and not whole:
        return False
    distinct = values.nunique()
    unique_share = distinct / len(values)
    if _PERSON_NAMES.search(name) and distinct >= _FEW_PERSONS:
        return True
    if unique_share < _NEARLY_UNIQUE:
        return False
    if text:
        return distinct >= _LEAST_TEXTS
    if _ID_NAMES.search(name):
        return distinct >= _FEW_PERSONS
    first, last = values.min(), values.max()
    is_run = distinct == len(series) and first in (0, 1) and last - first == len(series) - 1
    return bool(is_run and distinct >= _FEW_PERSONS)
