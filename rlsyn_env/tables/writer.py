"""Tables to CSV (also gzipped) and Parquet, whole or chunk by chunk, never half a file."""

from __future__ import annotations

import contextlib
import gzip
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.files import atomic_path
from rlsyn_env.tables.column_values import DATE_RESOLUTION, find_resolution, is_datetime, to_seconds
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.schema import ColumnKind, TableSchema

_PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = (*_PARQUET_SUFFIXES, ".csv.gz", ".csv")
"""How the name of a table's file may end."""


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write ``table`` to a CSV, CSV.gz or Parquet file, chosen by suffix, atomically."""
    with TableWriter(path) as writer:
        writer.write(table)


class TableWriter:
    """Writes one table chunk by chunk in constant memory.

    The file appears under its name when the writer is closed; after :meth:`abort`, or an exception
    inside the ``with`` block, nothing is left and an older file is untouched.

    Args:
        path: ``.parquet`` and ``.pq`` give Parquet (needs pyarrow), ``.csv`` CSV, ``.csv.gz``
            gzipped CSV.
        schema: tells which datetime columns are dates; without it the first chunk tells.

    Raises:
        TableError: another suffix.
    """

    def __init__(
        self, path: str | os.PathLike[str], schema: TableSchema | RecordEncoder | None = None
    ) -> None:
        self.path = Path(path)
        if not self.path.name.lower().endswith(TABLE_SUFFIXES):
            raise TableError(f"{self.path}: the name must end in {', '.join(TABLE_SUFFIXES)}")
        self.rows = 0
        self._schema = schema.schema if isinstance(schema, RecordEncoder) else schema
        if self.path.suffix.lower() in _PARQUET_SUFFIXES:
            self._chunks: _Chunks = _ParquetChunks(self.path)
        else:
            self._chunks = _CsvChunks(self._schema)
        with contextlib.ExitStack() as stack:  # a file that cannot be opened leaves nothing
            self._chunks.open(stack.enter_context(atomic_path(self.path)))
            self._stack = stack.pop_all()
        self._open = True

    def write(self, table: pd.DataFrame) -> None:
        """Append the rows of ``table``; every chunk has the same columns."""
        self._chunks.write(table, first=self.rows == 0)
        self.rows += len(table)

    def close(self) -> None:
        """Finish the file and give it its name."""
        if self._open:
            self._open = False
            try:
                self._chunks.close()
            except BaseException as error:
                self._stack.__exit__(type(error), error, error.__traceback__)
                raise
            self._stack.close()

    def abort(self) -> None:
        """Remove what was written so far."""
        if self._open:
            self._open = False
            with contextlib.suppress(_Abort):
                try:
                    self._chunks.close()
                finally:
                    error = _Abort()
                    self._stack.__exit__(_Abort, error, None)

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()


class _Abort(Exception):  # noqa: N818 - a signal, not an error
    """Unwinds the temporary file without an error of its own."""


class _Chunks(Protocol):
    def open(self, path: Path) -> None: ...

    def write(self, table: pd.DataFrame, *, first: bool) -> None: ...

    def close(self) -> None: ...


class _CsvChunks:
    def __init__(self, schema: TableSchema | None) -> None:
        self._file: IO[str] | None = None
        self._dates: set[str] | None = None
        if schema is not None:
            self._dates = {
                column.name
                for column in schema.columns
                if column.kind is ColumnKind.DATETIME and column.resolution == DATE_RESOLUTION
            }

    def open(self, path: Path) -> None:
        if path.suffix.lower() == ".gz":
            self._file = gzip.open(path, "wt", encoding="utf-8", newline="")  # noqa: SIM115
        else:
            self._file = path.open("w", encoding="utf-8", newline="")

    def write(self, table: pd.DataFrame, *, first: bool) -> None:
        if self._dates is None:
            self._dates = {name for name in table.columns if _holds_dates(table[name])}
        for name in self._dates & set(table.columns):
            if not pd.api.types.is_object_dtype(table[name].dtype):
                table = table.assign(**{name: table[name].dt.strftime("%Y-%m-%d")})
        table.to_csv(self._file, index=False, header=first, lineterminator="\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _holds_dates(series: pd.Series) -> bool:
    if not is_datetime(series) or not series.notna().any():
        return False
    return find_resolution(to_seconds(series.dropna())) == DATE_RESOLUTION


class _ParquetChunks:
    def __init__(self, path: Path) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise TableError(
                f"{path}: writing Parquet needs pyarrow: pip install 'rlsyn[parquet]', "
                "or choose a .csv file"
            ) from error
        self._arrow = pyarrow
        self._parquet = pyarrow.parquet
        self._path: Path | None = None
        self._writer: Any = None
        self._schema: Any = None

    def open(self, path: Path) -> None:
        self._path = path

    def write(self, table: pd.DataFrame, *, first: bool) -> None:
        if self._writer is None:
            schema = self._arrow.Schema.from_pandas(table, preserve_index=False)
            for index, field in enumerate(schema):
                if self._arrow.types.is_null(field.type):  # an all-missing first chunk of text
                    schema = schema.set(index, field.with_type(self._arrow.string()))
            self._schema = schema
            self._writer = self._parquet.ParquetWriter(self._path, schema)
        chunk = self._arrow.Table.from_pandas(table, schema=self._schema, preserve_index=False)
        self._writer.write_table(chunk)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
