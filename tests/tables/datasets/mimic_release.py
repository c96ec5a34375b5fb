"""A made-up MIMIC-IV release in the official layout; every row is written for a rule."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

PATIENTS = [  # subject_id, gender, anchor_age, anchor_year, dod
    (1, "F", 50, 2150, None),
    (2, "M", 89, 2150, "2154-01-02"),  # three years later: 92, capped
    (3, "F", 40, 2150, None),  # no admission
    (4, "M", 60, 2150, "2151-03-02"),  # died during the last admission
    (5, "F", 30, 2150, None),  # died during no admission; an earlier deathtime does not count
    (6, "M", 45, 2150, None),  # BMI 61
    (7, "F", 45, 2150, None),  # diastolic 29
    (8, "M", 20, 2150, None),  # nothing measured, no diagnosis
]
ADMISSIONS = [  # subject_id, hadm_id, dischtime, deathtime, race
    (1, 11, "2152-05-01 10:00:00", None, "WHITE - OTHER EUROPEAN"),
    (1, 12, "2151-05-01 10:00:00", None, "ASIAN"),
    (2, 21, "2153-01-01 10:00:00", None, "BLACK/AFRICAN AMERICAN"),
    (4, 41, "2150-03-01 10:00:00", None, "WHITE"),
    (4, 42, "2151-03-02 10:00:00", "2151-03-02 09:00:00", "WHITE"),
    (5, 51, "2151-01-01 10:00:00", "2151-01-01 09:00:00", "PORTUGUESE"),
    (5, 52, "2151-02-01 10:00:00", None, "UNABLE TO OBTAIN"),
    (6, 61, "2151-01-01 10:00:00", None, "HISPANIC/LATINO - CUBAN"),
    (7, 71, "2151-01-01 10:00:00", None, "PATIENT DECLINED TO ANSWER"),
    (8, 81, "2150-01-01 10:00:00", None, None),
]
DIAGNOSES = [  # subject_id, icd_code, icd_version
    (1, "25000", 9),
    (1, "E119", 10),
    (1, "E119", 10),
    (2, "4019", 9),
    (2, "E1165", 10),
    (5, "V707", 9),  # a V code of ICD-9 ...
    (5, "V707", 10),  # ... is not one of ICD-10
    (5, "0010", 9),  # leading zeros stay
    (6, "I10", 10),  # only patients who are dropped have it
    (4, "Z00", 10),
]
OMR = [  # subject_id, chartdate, seq_num, result_name, result_value
    (1, "2151-01-01", 1, "BMI (kg/m2)", "22.5"),
    (1, "2152-01-01", 1, "BMI (kg/m2)", "27.5"),
    (1, "2152-01-01", 2, "BMI (kg/m2)", "28.5"),  # the latest
    (1, "2153-01-01", 1, "BMI (kg/m2)", "0"),  # no measurement
    (1, "2150-01-01", 1, "Blood Pressure", "120/80"),
    (1, "2151-01-01", 1, "Blood Pressure", "131/82"),  # the latest
    (1, "2152-01-01", 1, "Blood Pressure", "refused"),
    (1, "2152-02-01", 1, "Blood Pressure Sitting", "90/50"),
    (2, "2151-01-01", 1, "Blood Pressure", "150/-1"),
    (6, "2151-01-01", 1, "BMI (kg/m2)", "61"),
    (7, "2151-01-01", 1, "Blood Pressure", "110/29"),
    (9, "2151-01-01", 1, "BMI (kg/m2)", "25"),  # of no patient
]


def write_release(root: Path, *, suffix: str = ".csv.gz", copies: int = 1) -> Path:
    """Write the four files under ``root/hosp``; columns we do not read are there too.

    ``copies`` repeats everybody under other ids.
    """
    hosp = root / "hosp"
    hosp.mkdir(parents=True, exist_ok=True)
    tables = {
        "patients": (PATIENTS, ["subject_id", "gender", "anchor_age", "anchor_year", "dod"]),
        "admissions": (ADMISSIONS, ["subject_id", "hadm_id", "dischtime", "deathtime", "race"]),
        "diagnoses_icd": (DIAGNOSES, ["subject_id", "icd_code", "icd_version"]),
        "omr": (OMR, ["subject_id", "chartdate", "seq_num", "result_name", "result_value"]),
    }
    for name, (rows, columns) in tables.items():
        table = pd.concat(
            [pd.DataFrame(rows, columns=columns).assign(copy=copy) for copy in range(copies)]
        )
        table["subject_id"] += 100 * table.pop("copy")
        table.insert(1, "unused", "x")
        table.to_csv(hosp / f"{name}{suffix}", index=False)
    return root


def write_phecode_maps(folder: Path) -> Path:
    """Write two maps with made-up entries under the official column names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "map9.csv").write_text(
        '"icd9","phecode"\n"250","250"\n"250","250.2"\n"401.1","401.1"\n"001","008"\n'
    )
    (folder / "map10.csv").write_text(
        '"ICD10","PHECODE","Exl. Phecodes"\n"E11","250.20","249"\n"I10","401.1","401"\n'
    )
    (folder / "definitions.csv").write_text('"phecode","phenotype"\n"250","Diabetes"\n')
    return folder
