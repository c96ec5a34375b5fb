"""Reading the CSV files of a release: found or named in the error, whole or chunk by chunk."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rlsyn_env.errors import TableError

CHUNK_ROWS = 500_000


def check_folder(data_dir: Path, release: str) -> None:
    """Raise TableError when ``data_dir`` is no folder."""
    if not data_dir.exists():
        raise TableError(f"{data_dir} does not exist: give the folder of your copy of {release}")
    if not data_dir.is_dir():
        raise TableError(f"{data_dir} is a file: give the folder of your copy of {release}")


def find_csv(folder: Path, stem: str) -> Path | None:
    """Return ``folder/stem.csv.gz`` or ``folder/stem.csv``, whichever exists; None for neither."""
    for suffix in (".csv.gz", ".csv"):
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            return path
    return None


def read_chunks(
    path: Path, columns: Mapping[str, Any], *, separator: str = ",", rows: int | None = CHUNK_ROWS
) -> Iterator[pd.DataFrame]:
    """Yield the named columns of a CSV file (also gzipped), ``rows`` rows at a time.

    Args:
        path: the file.
        columns: dtype by column; others are not read. ``"category"`` gives categories of text.
        separator: between fields.
        rows: rows of a chunk; None for one chunk with everything.

    Raises:
        TableError: the file is missing or damaged, lacks a column, or holds a value that its dtype
            cannot.
    """
    check_columns(path, columns, separator=separator)
    # pandas turns categories that all read as numbers into numbers: "0010" would become 10
    texts = [name for name, dtype in columns.items() if dtype == "category"]
    try:
        with pd.read_csv(
            path,
            sep=separator,
            usecols=list(columns),
            dtype={**columns, **dict.fromkeys(texts, str)},
            chunksize=rows or 1 << 60,
            keep_default_na=False,
            na_values=[""],
        ) as reader:
            for chunk in reader:
                yield chunk.astype(dict.fromkeys(texts, "category")) if texts else chunk
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, ValueError) as error:
        raise TableError(f"cannot read {path}: {_one_line(error)}") from error


def read_columns(path: Path, columns: Mapping[str, Any], *, separator: str = ",") -> pd.DataFrame:
    """Return the named columns of a CSV file; raises as :func:`read_chunks`."""
    chunks = list(read_chunks(path, columns, separator=separator, rows=None))
    if chunks:
        return chunks[0]
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})


def check_columns(path: Path, columns: Mapping[str, Any], *, separator: str = ",") -> list[str]:
    """Return the columns in the header of ``path``; TableError naming those of ours it lacks."""
    if not path.is_file():
        raise TableError(f"{path} does not exist")
    try:
        header = [str(n) for n in pd.read_csv(path, sep=separator, nrows=0, dtype=str).columns]
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise TableError(f"cannot read {path}: {_one_line(error)}") from error
    missing = [name for name in columns if name not in header]
    if missing:
        raise TableError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"it has {', '.join(header[:12])}{', ...' if len(header) > 12 else ''}"
        )
    return header


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
