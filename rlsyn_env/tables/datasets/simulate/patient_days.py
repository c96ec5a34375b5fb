"""Patient-days drawn from a known population: several rows a patient, static columns repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.datasets.ai_readi.daily_columns import DAILY_COLUMNS, PATIENT, TARGET
from rlsyn_env.tables.datasets.cohort_report import CohortReport
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.datasets.simulate.patient_days_population import (
    DIABETES_SHARE,
    N_DAY_FACTORS,
    N_FACTORS,
    STATIC_BINARY,
    STATIC_CONTINUOUS,
    PatientDaysPopulation,
)

FEWEST_DAYS, MOST_DAYS = 7, 13


@dataclass(frozen=True, eq=False)
class SimulatedPatientDays(Cohort):
    """A cohort drawn from a known population.

    Attributes:
        population: the exact truth: ``prevalences``, ``latent_correlations()``,
            ``missing_shares()``.
    """

    population: PatientDaysPopulation | None = None


def simulate_patient_days(n_patients: int = 400, seed: int = 0) -> SimulatedPatientDays:
    """Draw patient-days in AI-READI's shape whose truth is known exactly.

    Columns: ``person_id`` (the group), 16 daily and 56 static continuous columns (static ones with
    missing values), ``Type 2 Diabetes`` (the target) and 35 static conditions. A patient has 7 to
    13 days, so 400 patients are about 4,000 rows.

    Args:
        n_patients: number of patients.
        seed: of the population and of the rows. More rows of the same population:
            ``draw_patient_days(cohort.population, n, seed=other)``.

    Raises:
        ConfigError: fewer than 1 patient.
    """
    population = PatientDaysPopulation(seed)
    table = draw_patient_days(population, n_patients, seed=seed)
    return SimulatedPatientDays(
        name="simulated-patient-days",
        table=table,
        target=TARGET,
        description="simulated patient-days; target: type 2 diabetes, group: the patient",
        group=PATIENT,
        report=CohortReport("patient-days", len(table)),
        static_columns=population.static_columns,
        constraints=population.constraints,
        population=population,
    )


def draw_patient_days(
    population: PatientDaysPopulation, n_patients: int, *, seed: int
) -> pd.DataFrame:
    """Draw the days of ``n_patients`` patients.

    Raises:
        ConfigError: fewer than 1 patient.
    """
    if n_patients < 1:
        raise ConfigError(f"a simulated cohort needs 1 patient or more, got {n_patients}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, n_patients, 3]))
    n_daily = len(DAILY_COLUMNS)
    diabetes = rng.random(n_patients) < DIABETES_SHARE
    factors = rng.normal(size=(n_patients, N_FACTORS)) + np.outer(diabetes, population.shift)
    noise = np.sqrt(population.own_variance)
    latent = factors @ population.loadings[n_daily:].T
    latent += rng.normal(size=latent.shape) * noise[n_daily:]
    static = (population.static_location + population.static_scale * latent).round(2)
    static[rng.random(static.shape) < population.static_missing] = np.nan
    binary = factors @ population.binary_loadings.T
    binary += rng.normal(size=binary.shape) * np.sqrt(
        1 - (population.binary_loadings**2).sum(axis=1)
    )
    flags = np.column_stack([diabetes, binary > population.thresholds]).astype(np.uint8)

    patient = np.repeat(np.arange(n_patients), rng.integers(FEWEST_DAYS, MOST_DAYS + 1, n_patients))
    daily = factors[patient] @ population.loadings[:n_daily].T
    daily += rng.normal(size=(len(patient), N_DAY_FACTORS)) @ population.day_loadings.T
    daily += rng.normal(size=daily.shape) * noise[:n_daily]
    values = {n: v.round(4) for n, v in population.daily_values(daily).items()}
    return pd.concat(
        [
            pd.DataFrame({PATIENT: patient + 1, **values}),
            pd.DataFrame(static[patient], columns=list(STATIC_CONTINUOUS)),
            pd.DataFrame(flags[patient], columns=[TARGET, *STATIC_BINARY]),
        ],
        axis=1,
    )
