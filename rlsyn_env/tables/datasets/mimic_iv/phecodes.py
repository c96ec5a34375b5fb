"""ICD codes to phecodes, by the two official map files that users bring.

The maps are those of phecode 1.2 for ICD-9 and 1.2 beta for ICD-10 (Denny 2013; Wu 2019); they are
not ours to ship. Files are told apart by their columns, so that the names they were saved under do
not matter.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.release_files import check_columns, read_columns

TRUNCATIONS = {9: 2, 10: 3}
"""Trailing characters that may be cut from a code that is in no map, by ICD version."""

_ICD_COLUMNS = {9: ("icd9", "icd9cm"), 10: ("icd10", "icd10cm")}
_PHECODE_COLUMN = "phecode"
_PHECODE = re.compile(r"(\d{1,3})(?:\.(\d{1,2}))?")


class PhecodeMap:
    """Looks up the phecodes of an ICD code.

    Args:
        phecodes: phecodes by ICD code without dots, by ICD version.
    """

    def __init__(self, phecodes: dict[int, dict[str, tuple[str, ...]]]) -> None:
        self._phecodes = phecodes

    def __call__(self, code: str, version: int) -> tuple[str, ...]:
        """Return column names such as ``phe_250.2``; none for a code in no map.

        On a miss 1, then 2, then (ICD-10) 3 trailing characters are cut.
        """
        known = self._phecodes[version]
        for cut in range(TRUNCATIONS[version] + 1):
            found = known.get(code[: len(code) - cut])
            if found:
                return found
        return ()

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> PhecodeMap:
        """Read the map of each ICD version from the CSV files of ``folder`` (also gzipped).

        A map has a column ``icd9`` or ``icd10`` and a column ``phecode``, upper or lower case.

        Raises:
            TableError: the folder is missing, has no map for a version or two, or a map holds
                something that is no phecode.
        """
        root = Path(folder)
        if not root.is_dir():
            raise TableError(f"{root} is no folder: --phecode-map-dir holds the two phecode maps")
        maps: dict[int, dict[str, tuple[str, ...]]] = {}
        sources: dict[int, Path] = {}
        for path in sorted([*root.glob("*.csv"), *root.glob("*.csv.gz")]):
            header = check_columns(path, {})
            version, icd, phecode = _columns_of(header)
            if version is None or phecode is None or icd is None:
                continue
            if version in maps:
                raise TableError(
                    f"{root} holds two maps for ICD-{version}: {sources[version].name} and "
                    f"{path.name}; leave one"
                )
            maps[version], sources[version] = _read_map(path, icd, phecode), path
        for version in TRUNCATIONS:
            if version not in maps:
                raise TableError(
                    f"{root} has no phecode map for ICD-{version}: a CSV file with the columns "
                    f"icd{version} and phecode is expected there (phecode map 1.2"
                    f"{' beta' if version == 10 else ''})"
                )
        return cls(maps)


def _columns_of(header: list[str]) -> tuple[int | None, str | None, str | None]:
    """Return ICD version, its column and the phecode column, None for what is not there."""
    folded = {name.strip().lower(): name for name in header}
    for version, names in _ICD_COLUMNS.items():
        for name in names:
            if name in folded:
                return version, folded[name], folded.get(_PHECODE_COLUMN)
    return None, None, None


def _read_map(path: Path, icd: str, phecode: str) -> dict[str, tuple[str, ...]]:
    pairs = read_columns(path, {icd: str, phecode: str})
    pairs = pairs.dropna().drop_duplicates()
    codes = pairs[icd].str.replace(".", "", regex=False).str.strip().str.upper()
    names = pairs[phecode].map(lambda text: _column_name(text, path))
    grouped = pd.Series(names.to_numpy()).groupby(codes.to_numpy()).unique()
    return {str(code): tuple(sorted(found)) for code, found in grouped.items()}


def _column_name(text: str, path: Path) -> str:
    match = _PHECODE.fullmatch(text.strip())
    if match is None:
        raise TableError(f"{path}: {text!r} is no phecode (such as 250 or 250.2)")
    root, child = match.groups()
    child = (child or "").rstrip("0")
    return f"phe_{int(root):03d}" + (f".{child}" if child else "")
