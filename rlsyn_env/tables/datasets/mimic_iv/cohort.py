"""The MIMIC-IV cohort of Yan et al. (2024), one row per patient."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.cohort_choices import CohortChoice, check_choice
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.datasets.held_constraints import held_constraints
from rlsyn_env.tables.datasets.mimic_iv.admissions import RACES, select_patients
from rlsyn_env.tables.datasets.mimic_iv.diagnoses import diagnosis_columns, icd_category
from rlsyn_env.tables.datasets.mimic_iv.files import find_files
from rlsyn_env.tables.datasets.mimic_iv.measurements import MEASUREMENTS, latest_measurements
from rlsyn_env.tables.datasets.mimic_iv.phecodes import PhecodeMap
from rlsyn_env.tables.datasets.random_filling import fill_at_random
from rlsyn_env.tables.phecode_constraints import phecode_constraints

TARGET = "DIE_1y"
PRESSURE_RULE = "DIASTOLIC < SYSTOLIC"
MIN_PREVALENCE = 5e-5
BMI_RANGE = (10.0, 60.0)
MIN_DIASTOLIC = 30.0
IMPLAUSIBLE_BMI = f"BMI below {BMI_RANGE[0]:g} or above {BMI_RANGE[1]:g}"
IMPLAUSIBLE_PRESSURE = f"diastolic blood pressure below {MIN_DIASTOLIC:g}"


def load_mimic_iv(
    data_dir: str | os.PathLike[str],
    *,
    phecode_map_dir: str | os.PathLike[str] | None = None,
    cohort: CohortChoice = "default",
    seed: int = 0,
) -> Cohort:
    """Build the cohort from a release of MIMIC-IV (2.0 or later) in the official layout.

    One row per patient whose last admission (latest ``dischtime``) did not end in death: AGE,
    GENDER, RACE, BMI, SYSTOLIC, DIASTOLIC, DIE_1y (the target), and a 0/1 column per phecode
    (``phe_250.2``) or, without maps, per 3-character ICD category (``icd10_E11``). Patients with an
    implausible BMI or diastolic pressure are dropped; a missing value is no reason to drop.

    ``cohort="default"`` keeps race one categorical column and missing values missing, and leaves
    the rare-code filter to the training rows (:attr:`Dataset.min_prevalence`).
    ``cohort="published"`` does as the publication: race as six bits, missing measurements filled
    by random draws of observed ones, codes rarer than 5e-5 among all patients dropped.

    Of the order of the two pressures, the phecodes of one sex and those with a parent, the
    constraints are what every row keeps.

    Args:
        data_dir: folder that holds ``hosp/``.
        phecode_map_dir: folder with the official phecode maps (ICD-9: 1.2, ICD-10: 1.2 beta).
        cohort: ``"default"`` or ``"published"``.
        seed: of the random draws of the published cohort.

    Raises:
        TableError: a file or column is missing or unreadable; the message names it.
        ConfigError: for an unknown ``cohort``.
    """
    check_choice(cohort)
    files = find_files(data_dir)
    groups_of = icd_category if phecode_map_dir is None else PhecodeMap.load(phecode_map_dir)
    people, report = select_patients(files)
    if not len(people):
        raise TableError(f"{files.admissions}: no patient left the last admission alive")
    codes, n_codes, unmapped = diagnosis_columns(files, people.index, groups_of)
    report.notes.append(
        f"{n_codes:,} distinct ICD codes in {codes.shape[1]:,} columns, {unmapped:,} in none"
    )
    people = people.join(latest_measurements(files, people.index))
    names = codes.columns[codes.to_numpy().mean(axis=0) >= MIN_PREVALENCE]
    kept = people
    for rule, drops in (
        (IMPLAUSIBLE_BMI, (kept["BMI"] < BMI_RANGE[0]) | (kept["BMI"] > BMI_RANGE[1])),
        (IMPLAUSIBLE_PRESSURE, kept["DIASTOLIC"] < MIN_DIASTOLIC),
    ):
        left = kept[~drops.loc[kept.index]]
        report.drop(rule, len(kept) - len(left))
        kept = left
    if len(kept) < len(people):
        codes = codes[people.index.isin(kept.index)]
    if cohort == "published":
        report.notes.append(
            f"{codes.shape[1] - len(names):,} columns rarer than {MIN_PREVALENCE:g} dropped"
        )
        codes = codes[names]
        kept, filled = fill_at_random(kept, MEASUREMENTS, np.random.default_rng(seed))
        report.notes.append(f"{filled:,} missing measurements filled by random draws")
        kept = _race_bits(kept)
    present = np.asarray(codes.to_numpy().any(axis=0))
    if not present.all():
        codes = codes[codes.columns[present]]
    table = pd.concat([kept, codes], axis=1).reset_index(drop=True)
    rules = (PRESSURE_RULE, *phecode_constraints(codes.columns, sex="GENDER"))
    return Cohort(
        name="mimic-iv",
        table=table,
        target=TARGET,
        description="MIMIC-IV, one row per patient; target: death within a year of discharge",
        min_prevalence=0.0 if cohort == "published" else MIN_PREVALENCE,
        report=report,
        constraints=held_constraints(rules, table, report),
    )


def _race_bits(people: pd.DataFrame) -> pd.DataFrame:
    bits = {f"RACE_{race}": (people["RACE"] == race).astype("uint8") for race in RACES}
    return pd.concat([people.drop(columns="RACE"), pd.DataFrame(bits)], axis=1)
