"""Patients and their last admission: age, sex, race, and who is in the cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.cohort_report import CohortReport
from rlsyn_env.tables.datasets.mimic_iv.files import MimicFiles
from rlsyn_env.tables.datasets.release_files import read_columns

MAX_AGE = 91
"""Ages are capped here: MIMIC gives everybody above 89 the anchor age 91."""
RACES = ("WHITE", "BLACK", "ASIAN", "HISPANIC", "UNKNOWN", "OTHER")
NO_ADMISSION = "no admission"
IN_HOSPITAL_DEATH = "died during the last admission"

_RACE_PREFIXES = {
    "WHITE": "WHITE",
    "BLACK": "BLACK",
    "ASIAN": "ASIAN",
    "HISPANIC": "HISPANIC",
    "UNKNOWN": "UNKNOWN",
    "UNABLE": "UNKNOWN",
}


def select_patients(files: MimicFiles) -> tuple[pd.DataFrame, CohortReport]:
    """Return the patients who left their last admission alive.

    The last admission is the one with the latest ``dischtime``.

    Returns:
        Table with index ``subject_id`` (ascending) and the columns AGE (uint8), GENDER and RACE
        (text), DIE_1y (uint8: ``dod`` is present, which MIMIC censors a year after the last
        discharge); and the report of the patients dropped.

    Raises:
        TableError: a file lacks a column, names a patient twice or holds an unreadable date.
    """
    patients = read_columns(
        files.patients,
        {
            "subject_id": "int64",
            "gender": str,
            "anchor_age": "int16",
            "anchor_year": "int16",
            "dod": str,
        },
    )
    if patients["subject_id"].duplicated().any():
        twice = patients["subject_id"][patients["subject_id"].duplicated()].iloc[0]
        raise TableError(f"{files.patients} names subject_id {twice} twice")
    patients = patients.set_index("subject_id").sort_index()
    report = CohortReport("patients", len(patients))
    last = last_admissions(files)
    patients = patients[patients.index.isin(last.index)]
    report.drop(NO_ADMISSION, report.left - len(patients))
    last = last.loc[patients.index]
    alive = last["deathtime"].isna().to_numpy()
    report.drop(IN_HOSPITAL_DEATH, int((~alive).sum()))
    patients, last = patients[alive], last[alive]
    age = patients["anchor_age"] + last["dischtime"].dt.year - patients["anchor_year"]
    cohort = pd.DataFrame(
        {
            "AGE": np.minimum(age, MAX_AGE).astype("uint8"),
            "GENDER": patients["gender"],
            "RACE": last["race"].map(race_of).astype(patients["gender"].dtype),
            "DIE_1y": patients["dod"].notna().astype("uint8"),
        },
        index=patients.index,
    )
    return cohort, report


def last_admissions(files: MimicFiles) -> pd.DataFrame:
    """Return ``dischtime``, ``deathtime`` and ``race`` of each patient's last admission.

    The index is ``subject_id``. TableError for a discharge time that is missing or unreadable.
    """
    admissions = read_columns(
        files.admissions,
        {
            "subject_id": "int64",
            "hadm_id": "int64",
            "dischtime": str,
            "deathtime": str,
            "race": "category",
        },
    )
    times = pd.to_datetime(admissions["dischtime"], errors="coerce", format="ISO8601")
    if times.isna().any():
        row = int(np.argmax(times.isna().to_numpy()))
        raise TableError(
            f"{files.admissions}, row {row + 1}: dischtime is "
            f"{admissions['dischtime'].iloc[row]!r}, expected a time such as 2180-05-07 17:15:00"
        )
    admissions["dischtime"] = times
    admissions["race"] = admissions["race"].astype(object)
    ordered = admissions.sort_values(["subject_id", "dischtime", "hadm_id"], kind="stable")
    return ordered.drop_duplicates("subject_id", keep="last").set_index("subject_id")


def race_of(race: object) -> str:
    """Return one of :data:`RACES` by the first word of MIMIC's entry; a missing one is UNKNOWN."""
    if not isinstance(race, str):
        return "UNKNOWN"
    return next(
        (group for prefix, group in _RACE_PREFIXES.items() if race.upper().startswith(prefix)),
        "OTHER",
    )
