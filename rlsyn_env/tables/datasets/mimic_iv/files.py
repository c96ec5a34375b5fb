"""Where the files of a MIMIC-IV release are, and what is wrong where one is not."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.release_files import check_folder, find_csv

RELEASES = "MIMIC-IV 2.0 or later"


@dataclass(frozen=True)
class MimicFiles:
    """The four files of ``hosp/`` that the cohort is built from, ``.csv`` or ``.csv.gz``."""

    patients: Path
    admissions: Path
    diagnoses_icd: Path
    omr: Path


def find_files(data_dir: str | os.PathLike[str]) -> MimicFiles:
    """Find the files of a release in the official layout.

    Args:
        data_dir: folder that holds ``hosp/``.

    Raises:
        TableError: it is no such folder, belongs to a release before 2.0, or lacks a file.
    """
    root = Path(data_dir)
    check_folder(root, RELEASES)
    _refuse_old_releases(root)
    found = {}
    for name in MimicFiles.__dataclass_fields__:
        path = find_csv(root / "hosp", name)
        if path is None:
            raise TableError(
                f"{root / 'hosp' / name}.csv.gz (or .csv) does not exist; --data-dir is the folder "
                f"of {RELEASES} that holds hosp/{_hint(root)}"
            )
        found[name] = path
    return MimicFiles(**found)


def _refuse_old_releases(root: Path) -> None:
    if find_csv(root / "core", "patients") and not find_csv(root / "hosp", "patients"):
        raise TableError(
            f"{root} is MIMIC-IV 1.x: its patients are in core/, and hosp/omr.csv.gz does not "
            f"exist there; {RELEASES} is needed"
        )
    if any(find_csv(root, name) for name in ("PATIENTS", "ADMISSIONS", "DIAGNOSES_ICD")):
        raise TableError(f"{root} is MIMIC-III: {RELEASES}, with hosp/patients.csv.gz, is needed")


def _hint(root: Path) -> str:
    if find_csv(root, "patients"):
        return f": give {root.resolve().parent}"
    with contextlib.suppress(PermissionError):  # a hint is not worth a second error
        inner = [*sorted(root.glob("*")), *sorted(root.glob("*/*"))]
        for path in inner:
            if find_csv(path / "hosp", "patients"):
                return f": give {path}"
    return ""
