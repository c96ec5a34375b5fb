"""The AI-READI cohort: one row per complete patient-day."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.ai_readi.clinical import read_conditions, read_measurements
from rlsyn_env.tables.datasets.ai_readi.daily_columns import (
    DAILY_COLUMNS,
    HEART_RATE_RULE,
    HOURS_RULE,
    PATIENT,
    TARGET,
)
from rlsyn_env.tables.datasets.ai_readi.ecg import INTERPRETATION, read_ecgs
from rlsyn_env.tables.datasets.ai_readi.files import AiReadiFiles
from rlsyn_env.tables.datasets.ai_readi.patient_days import REQUIRED, patient_days
from rlsyn_env.tables.datasets.cohort_choices import CohortChoice, check_choice
from rlsyn_env.tables.datasets.cohort_report import CohortReport
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.datasets.held_constraints import held_constraints
from rlsyn_env.tables.datasets.random_filling import fill_at_random


def load_ai_readi(
    data_dir: str | os.PathLike[str],
    *,
    cohort: CohortChoice = "default",
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Cohort:
    """Build the cohort from a release of AI-READI in the official layout.

    One row per patient-day: 24 hours from 08:00 UTC on a grid of five minutes, gaps of up to three
    hours interpolated; a day is rejected when heart rate, respiration, stress, glucose, steps or
    activity is missing in any slot. To its 16 columns come the patient's ECG, conditions and latest
    measurements, repeated over the patient's days (``static_columns``). ``person_id`` is the group:
    splits keep a patient's days together.

    ``cohort="default"`` keeps the ECG's interpretation one categorical column and missing values
    missing. ``cohort="published"`` makes the interpretation 0/1 columns and fills missing values
    by random draws of observed ones (a patient's static values once).

    Args:
        data_dir: root of the release.
        cohort: ``"default"`` or ``"published"``.
        seed: of the random draws of the published cohort.
        progress: called with the share of participants that are done.

    Raises:
        TableError: a folder, file or column is missing or unreadable; the message names it. Also
            when no day is complete.
        ConfigError: for an unknown ``cohort``.
    """
    check_choice(cohort)
    files = AiReadiFiles(data_dir)
    days, report = _all_days(files, progress)
    patients = list(dict.fromkeys(days[PATIENT]))
    measurements, left_out = read_measurements(files, patients)
    if left_out:
        report.notes.append(
            f"{len(left_out)} measurements are not numbers and left out: {', '.join(left_out[:5])}"
            f"{', ...' if len(left_out) > 5 else ''}"
        )
    ecgs = read_ecgs(files).reindex(patients)
    static = pd.concat([ecgs, read_conditions(files, patients), measurements], axis=1)
    clash = static.columns[static.columns.duplicated()].tolist()
    if clash:
        raise TableError(f"{files.root}: two clinical items are both called {clash[0]!r}")
    static = static.loc[:, static.notna().any()]
    if cohort == "published":
        days, static = _as_published(days, static, report, np.random.default_rng(seed))
    table = pd.concat(
        [
            days.reset_index(drop=True),
            static.loc[days[PATIENT]].reset_index(drop=True),
        ],
        axis=1,
    )
    if table[PATIENT].str.fullmatch(r"[1-9]\d*").all():
        table[PATIENT] = table[PATIENT].astype("int64")
    return Cohort(
        name="ai-readi",
        table=table,
        target=TARGET,
        description="AI-READI, one row per patient-day; target: type 2 diabetes",
        group=PATIENT,
        report=report,
        static_columns=tuple(static.columns),
        constraints=held_constraints((HEART_RATE_RULE, HOURS_RULE), table, report),
    )


def _all_days(
    files: AiReadiFiles, progress: Callable[[float], None] | None
) -> tuple[pd.DataFrame, CohortReport]:
    patients = files.patients()
    parts, candidates = [], 0
    rejected = dict.fromkeys(REQUIRED, 0)
    for done, patient in enumerate(patients, start=1):
        result = patient_days(files, patient)
        candidates += result.candidates
        for name, number in result.rejected.items():
            rejected[name] += number
        if len(result.days):
            result.days.insert(0, PATIENT, patient)
            parts.append(result.days)
        if progress is not None:
            progress(done / len(patients))
    report = CohortReport("patient-days", candidates)
    for name, number in rejected.items():
        report.drop(f"{name} missing for over 3 hours", number)
    if not parts:
        raise TableError(
            f"{files.root}: none of {candidates} days of {len(patients)} participants is complete "
            f"({', '.join(f'{number} lack {name}' for name, number in rejected.items())})"
        )
    days = pd.concat(parts, ignore_index=True)
    report.notes.append(f"{len(parts):,} of {len(patients):,} participants have complete days")
    return days, report


def _as_published(
    days: pd.DataFrame, static: pd.DataFrame, report: CohortReport, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if INTERPRETATION in static:
        bits = pd.get_dummies(static[INTERPRETATION], prefix=INTERPRETATION, dtype="uint8")
        static = pd.concat([static.drop(columns=INTERPRETATION), bits], axis=1)
    static, n_static = fill_at_random(static, static.columns, rng)
    days, n_daily = fill_at_random(days, DAILY_COLUMNS, rng)
    report.notes.append(f"{n_static + n_daily:,} missing values filled by random draws")
    return days, static
