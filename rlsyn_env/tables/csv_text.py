"""CSV text to a table: separators, missing marks, dates, leading zeros, ragged rows."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import Any

import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.column_values import is_text
from rlsyn_env.tables.table_check import check_duplicates

MISSING_MARKS = frozenset(
    {"NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "?", ".", "-"}
)
"""Text that means missing in a column whose every other value is a number or a date."""

# Floats must read as they were written; from pandas 3.1 on that is the default.
_PANDAS = tuple(int(part) for part in pd.__version__.split(".")[:2])
_EXACT_FLOATS: dict[str, Any] = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}

_SEPARATORS = ",;\t|"
_LEADING_ZERO = re.compile(rb'(?:^|[,;\t|"\n])-?0\d')
_LEADING_ZERO_CELL = re.compile(r"-?0\d+")
_DECIMAL_COMMA = re.compile(r"[-+]?(0|[1-9]\d*)(,\d+)?([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d*(,\d{3})?")
_INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)  # what pandas reads as a number
_QUOTED = re.compile(r'(?<![^,;\t|\r\n])"[^"]*(?:""[^"]*)*"')
_LONGEST_HEADER = 2**16  # characters that are searched for quoted names over several lines
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


def read_csv(path: Path, *, gzipped: bool = False) -> pd.DataFrame:
    """Read a CSV file with a header line (UTF-8; comma, semicolon, tab or bar).

    Empty cells are missing; "NA", "None", "?" and the like are missing only in a column whose other
    values are all numbers or dates, and real levels elsewhere. ISO dates become datetime64. Whole
    numbers with leading zeros (codes) stay text. Where commas do not separate, "65,4" is a number;
    "1,234" stays text in a column whose every comma may stand for thousands.

    Raises TableError naming the line when the file is no such table.
    """
    data = _read_bytes(path, gzipped=gzipped)
    if data[:2] in _UTF_16:
        raise TableError(f"{path} is UTF-16 text; save the table as CSV UTF-8")
    if b"\0" in data:
        raise TableError(f"{path} is not a CSV or Parquet file (it holds binary data)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"{path}, line {line}: not UTF-8 text; save the table as CSV UTF-8"
        ) from error
    if not text.strip():
        raise TableError(f"{path} is empty")
    separator = _find_separator(text)
    names = _check_lines(text, separator, path)
    table = _parse(text, separator, names, path)
    if _LEADING_ZERO.search(data):
        table = _keep_codes(table, text, separator, path)
    commas = separator != ","
    return pd.DataFrame(
        {name: _interpret(table[name], decimal_commas=commas) for name in table.columns}
    )


def _read_bytes(path: Path, *, gzipped: bool) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if gzipped else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"cannot read {path}: {error}") from error


def _find_separator(text: str) -> str:
    """Return the separator that the header has most of, those in quoted names aside."""
    text = text.lstrip("\r\n")
    start = text[: max(text.find("\n"), _LONGEST_HEADER)]
    header = _QUOTED.sub("", start).split("\n", 1)[0]
    return max(_SEPARATORS, key=header.count) if any(s in header for s in _SEPARATORS) else ","


def _check_lines(text: str, separator: str, path: Path) -> list[str]:
    """Return the column names; TableError for duplicate names and lines of unequal length."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names: list[str] = []
    first = 1  # line of the current record
    try:
        for fields in reader:
            if fields and not names:
                names = fields
                check_duplicates([name for name in names if name], str(path))
            elif fields and len(fields) != len(names):
                if reader.line_num > first:
                    raise TableError(
                        f"{path}, line {first}: {len(fields)} fields up to line {reader.line_num}, "
                        f"but the header has {len(names)}; is a quote opened in line {first} never "
                        "closed? Close it, or remove it"
                    )
                raise TableError(
                    f"{path}, line {reader.line_num}: {len(fields)} fields, but the header has "
                    f"{len(names)}; it is not a CSV table, or a value holds an unquoted "
                    f"{separator!r}"
                )
            first = reader.line_num + 1
    except csv.Error as error:
        if reader.line_num > first:  # a value of so many lines that the reader gives up
            raise TableError(
                f"{path}, line {first}: a quote is opened here and not closed for many lines "
                f"({error}); close it, or remove it"
            ) from error
        raise TableError(f"{path}, line {reader.line_num}: not a CSV table ({error})") from error
    return names


def _parse(text: str, separator: str, names: list[str], path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(
            io.StringIO(text, newline=""),
            sep=separator,
            keep_default_na=False,
            na_values=[""],
            index_col=False,
            low_memory=False,
            skip_blank_lines=len(names) > 1,
            **_EXACT_FLOATS,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        if "EOF inside string" in str(error):  # its row counts neither blank nor quoted lines
            raise TableError(
                f"{path}, line {_last_record(text, separator)}: a quote is opened here and never "
                "closed; close it, or remove it"
            ) from error
        raise TableError(f"{path} is not a CSV table: {error}") from error


def _last_record(text: str, separator: str) -> int:
    """Return the line, from 1, in which the last record begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    first = following = 1
    for _ in reader:
        first, following = following, reader.line_num + 1
    return first


def _keep_codes(table: pd.DataFrame, text: str, separator: str, path: Path) -> pd.DataFrame:
    """Give whole-number columns with leading zeros (007) back as text."""
    candidates = [name for name in table.columns if not is_text(table[name])]
    if not candidates:
        return table
    raw = pd.read_csv(
        io.StringIO(text, newline=""),
        sep=separator,
        keep_default_na=False,
        na_values=[""],
        index_col=False,
        dtype=str,
        skip_blank_lines=table.shape[1] > 1,
    )
    for name in candidates:
        values = raw[name].dropna()
        if values.str.fullmatch(_LEADING_ZERO_CELL).any():
            table[name] = raw[name]
    return table


def _interpret(series: pd.Series, *, decimal_commas: bool) -> pd.Series:
    """Turn text into numbers or dates where every value that is not a missing mark is one."""
    if not is_text(series):
        return series
    values = series.dropna()
    distinct = list(values.unique())
    if distinct and all(isinstance(value, bool) for value in distinct):
        return series.astype("boolean")
    texts = [str(value) for value in distinct]
    marks = [value for value in texts if value.strip() in MISSING_MARKS]
    others = [value for value in texts if value.strip() not in MISSING_MARKS]
    if not others:
        return series
    if decimal_commas and _have_decimal_commas(others):
        known = series.mask(series.isin(marks)) if marks else series
        return pd.to_numeric(known.astype(object).map(_with_point, na_action="ignore"))
    if marks and not any(_LEADING_ZERO_CELL.fullmatch(value) for value in others):
        numbers = pd.to_numeric(pd.Series(others, dtype=object), errors="coerce")
        if numbers.notna().all():
            return pd.to_numeric(series.mask(series.isin(marks)))
    if all(_ISO_DATE.fullmatch(value.strip()) for value in others):
        stamps = series.mask(series.isin(marks)) if marks else series
        try:
            return pd.to_datetime(stamps, format="ISO8601", utc=_has_zone(others))
        except ValueError:
            return series
    return series


def _have_decimal_commas(values: list[str]) -> bool:
    # Infinite values are numbers here too, so that they are refused and not taken for levels.
    finite = [value for value in values if not _INFINITE.fullmatch(value.strip())]
    fractions = [_DECIMAL_COMMA.fullmatch(value.strip()) for value in finite]
    sure = [match is not None and not _THOUSANDS.fullmatch(match[0]) for match in fractions]
    return all(fractions) and any(sure)


def _with_point(value: object) -> str:
    return str(value).strip().replace(",", ".")


def _has_zone(values: list[str]) -> bool:
    return any(re.search(r"(Z|[+-]\d{2}:?\d{2})$", value[10:]) for value in values)
