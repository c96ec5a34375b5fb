"""Columns as numbers and back: dtypes, dates, decimals.

Ordered columns (integer, continuous, datetime) are worked on as float64 with NaN for missing;
datetimes as seconds since 1970 UTC.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import pandas_dtype

from rlsyn_env.tables.schema import ColumnKind, ColumnSchema

FloatArray = npt.NDArray[np.float64]

TEXT_DTYPE = str(pd.Series(["text"]).dtype)
"""Dtype name of plain text: ``str`` in pandas 3, ``object`` in pandas 2."""

DATE_RESOLUTION = 86400.0
_RESOLUTIONS = (DATE_RESOLUTION, 60.0, 1.0, 1e-3, 1e-6)
_MAX_DECIMALS = 12
_GRID_SHARE = 0.99
_WHOLE_STEPS = 1e-9  # how near to a whole number of steps 1 has to be


def is_text(series: pd.Series) -> bool:
    """Tell whether a column holds text or mixed Python objects."""
    return pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype)


def is_dates(series: pd.Series) -> bool:
    """Tell whether an object column holds nothing but ``datetime.date`` (and missing)."""
    if not pd.api.types.is_object_dtype(series.dtype):
        return False
    values = series.dropna()
    return len(values) > 0 and all(isinstance(value, datetime.date) for value in values)


def is_datetime(series: pd.Series) -> bool:
    """Tell whether a column is datetime64 (with or without time zone) or Python dates."""
    return pd.api.types.is_datetime64_any_dtype(series.dtype) or is_dates(series)


def to_seconds(series: pd.Series) -> FloatArray:
    """Return datetimes as float64 seconds since 1970 UTC, NaN where missing."""
    stamps = pd.to_datetime(series, utc=True).dt.tz_localize(None)
    micros = stamps.to_numpy().astype("datetime64[us]")
    seconds = micros.astype(np.int64).astype(np.float64) / 1e6
    seconds[np.isnat(micros)] = np.nan
    return seconds


def to_axis(series: pd.Series) -> FloatArray:
    """Return a numeric, boolean or datetime column as float64 with NaN for missing.

    Raises ValueError when a value is not a number.
    """
    if is_datetime(series):
        return to_seconds(series)
    if is_text(series):
        series = pd.to_numeric(series)
    return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def find_decimals(values: FloatArray, *, single: bool = False) -> int | None:
    """Return how many decimals the values carry, or None for full precision.

    A column where at least 99 % of the values have d decimals counts as d: one imputed mean
    among whole numbers does not turn the rest into fractions.

    Args:
        values: (n,) float64 without NaN.
        single: the values come from a float32 column, whose decimals show only in float32.
    """
    if len(values) == 0:
        return None
    for decimals in range(6 if single else _MAX_DECIMALS):
        rounded = np.round(values, decimals)
        if single:
            same = rounded.astype(np.float32) == values.astype(np.float32)
        else:
            same = rounded == values
        if np.mean(same) >= _GRID_SHARE:
            return decimals
    return None


def find_resolution(seconds: FloatArray) -> float:
    """Return the coarsest of day, minute, second, millisecond, microsecond that all share."""
    for resolution in _RESOLUTIONS[:-1]:
        ratio = np.round(seconds * 1e6) / (resolution * 1e6)
        if np.all(ratio == np.round(ratio)):
            return resolution
    return _RESOLUTIONS[-1]


def is_whole(values: FloatArray) -> bool:
    """Tell whether all values (without NaN) are integers that float64 holds exactly."""
    return bool(np.all((values == np.round(values)) & (np.abs(values) < 2**53)))


def to_grid(values: FloatArray, step: float) -> FloatArray:
    """Round to the nearest multiple of ``step``, exactly as decimal text would read; no -0.0.

    Dividing by how many steps make 1 gives the decimals of 0.01 exactly; 0.06, the thousandth of a
    minute, has no such number.
    """
    per_one = round(1 / step) if step < 1 else 0
    if per_one and abs(per_one * step - 1) < _WHOLE_STEPS:
        return np.asarray(np.round(values / step) / per_one + 0.0)
    return np.asarray(np.round(values / step) * step + 0.0)


def native(value: Any) -> Any:
    """Return a NumPy scalar as the plain Python value that YAML and JSON can hold."""
    return value.item() if isinstance(value, np.generic) else value


def level_codes(series: pd.Series, levels: tuple[Any, ...]) -> npt.NDArray[np.int64]:
    """Return the index of each value in ``levels`` (n,), -1 where missing, -2 where unknown.

    1 and 1.0 are the same level, True and 1 are not.
    """
    values = series.astype(object) if isinstance(series.dtype, pd.CategoricalDtype) else series
    codes, labels = pd.factorize(values, use_na_sentinel=True)
    known = {_level_key(level): code for code, level in enumerate(levels)}
    found = [known.get(_level_key(native(label)), -2) for label in labels]
    return np.asarray([*found, -1], dtype=np.int64)[codes]


def _level_key(value: Any) -> tuple[bool, Any]:
    return isinstance(value, bool), value


def cast(values: Any, column: ColumnSchema) -> pd.Series:
    """Return values as a Series of the column's dtype (missing as that dtype's missing value)."""
    series = pd.Series(values)
    dtype = column.dtype
    if column.kind is ColumnKind.DATETIME:
        stamps = pd.Series(seconds_to_datetime(np.asarray(values, dtype=np.float64)))
        if dtype == "object":
            return stamps.dt.date.astype(object).where(stamps.notna(), None)
        if "," in dtype:  # datetime64[ns, Europe/Paris]
            return stamps.dt.tz_localize("UTC").astype(pandas_dtype(dtype))
        return stamps.astype(pandas_dtype(dtype or "datetime64[us]"))
    if dtype == "category":
        categories = list(column.categories or column.levels)
        return series.astype(pd.CategoricalDtype(categories, ordered=column.ordered))
    if dtype in ("", TEXT_DTYPE) and series.dtype == TEXT_DTYPE:
        return series
    return series.astype(pandas_dtype(dtype)) if dtype else series


def seconds_to_datetime(seconds: FloatArray) -> npt.NDArray[np.datetime64]:
    """Return seconds since 1970 as datetime64[us], NaT where NaN."""
    missing = np.isnan(seconds)
    micros = np.round(np.where(missing, 0.0, seconds) * 1e6).astype(np.int64)
    stamps = micros.astype("datetime64[us]")
    stamps[missing] = np.datetime64("NaT")
    return stamps
