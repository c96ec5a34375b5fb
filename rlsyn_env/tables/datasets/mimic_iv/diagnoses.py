"""Every diagnosis a patient ever had, as one 0/1 column per group of ICD codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.mimic_iv.files import MimicFiles
from rlsyn_env.tables.datasets.release_files import read_chunks

GroupsOf = Callable[[str, int], tuple[str, ...]]
"""Column names for an ICD code without dots and its version (9 or 10); none for unknown codes."""

IntArray = npt.NDArray[np.int32]
ICD_VERSIONS = (9, 10)


def icd_category(code: str, version: int) -> tuple[str, ...]:
    """Return the 3-character ICD category with its version: ``icd10_E11``, ``icd9_250``.

    The version is in the name because V and E codes of ICD-9 look like codes of ICD-10.
    """
    return (f"icd{version}_{code[:3]}",) if code else ()


def diagnosis_columns(
    files: MimicFiles, subjects: pd.Index, groups_of: GroupsOf
) -> tuple[pd.DataFrame, int, int]:
    """Return the diagnoses of ``subjects``, and how many codes there are and were in no group.

    The file is read in chunks; of its rows only pairs of 4-byte numbers are kept, and the table is
    one block of uint8, a byte per patient and column.

    Returns:
        Table (n, groups) of 0/1 with columns in sorted order; number of distinct codes (with
        their versions) of these patients; how many of them ``groups_of`` knows no group for.

    Raises:
        TableError: a column is missing, or an ICD version is neither 9 nor 10.
    """
    codes: dict[tuple[str, int], int] = {}
    rows = [np.empty(0, dtype=np.int32)]
    numbers = [np.empty(0, dtype=np.int32)]
    columns = {"subject_id": "int64", "icd_code": "category", "icd_version": "int8"}
    for chunk in read_chunks(files.diagnoses_icd, columns):
        row = subjects.get_indexer(pd.Index(chunk["subject_id"])).astype(np.int32)
        known = (row >= 0) & chunk["icd_code"].notna().to_numpy()
        version = chunk["icd_version"].to_numpy()[known]
        unknown = set(np.unique(version).tolist()) - set(ICD_VERSIONS)
        if unknown:
            raise TableError(f"{files.diagnoses_icd}: icd_version {unknown.pop()} is not 9 or 10")
        texts = [_plain(text) for text in chunk["icd_code"].cat.categories]
        keys = chunk["icd_code"].cat.codes.to_numpy()[known].astype(np.int64) * 16 + version
        distinct, position = np.unique(keys, return_inverse=True)
        number = np.array(
            [
                codes.setdefault((texts[key // 16], int(key % 16)), len(codes))
                for key in distinct.tolist()
            ],
            dtype=np.int32,
        )
        pairs = np.unique(np.stack([row[known], number[position.ravel()]]), axis=1)
        rows.append(pairs[0])
        numbers.append(pairs[1])
    groups = [groups_of(code, version) for code, version in codes]
    table = _indicators(subjects, np.concatenate(rows), np.concatenate(numbers), groups)
    return table, len(codes), sum(not group for group in groups)


def _plain(text: str) -> str:
    return str(text).strip().upper().replace(".", "")


def _indicators(
    subjects: pd.Index, rows: IntArray, numbers: IntArray, groups: list[tuple[str, ...]]
) -> pd.DataFrame:
    names = sorted({name for group in groups for name in group})
    column = {name: index for index, name in enumerate(names)}
    bits = np.zeros((len(names), len(subjects)), dtype=np.uint8)  # a column's values side by side
    order = np.argsort(numbers, kind="stable")
    rows, numbers = rows[order], numbers[order]
    starts = np.searchsorted(numbers, np.arange(len(groups) + 1))
    for number, group in enumerate(groups):
        members = rows[starts[number] : starts[number + 1]]
        for name in group:
            bits[column[name], members] = 1
    return pd.DataFrame(bits.T, index=subjects, columns=names, copy=False)
