"""Patients drawn from a known population: wide, sparse tables of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.datasets.cohort_report import CohortReport
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.datasets.simulate.ehr_population import RACE_SHARES, RACES, EhrPopulation

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SimulatedEhr(Cohort):
    """A cohort drawn from a known population.

    Attributes:
        population: the exact truth: ``prevalences``, ``correlations()``, ``missing_shares()``.
    """

    population: EhrPopulation | None = None


def simulate_ehr(n_patients: int, n_codes: int, seed: int = 0) -> SimulatedEhr:
    """Draw a cohort in MIMIC-IV's shape whose truth is known exactly.

    Columns: AGE, GENDER, RACE, DIE_1y (the target), BMI, SYSTOLIC, DIASTOLIC (with values missing
    by age), and ``n_codes`` 0/1 columns (uint8) with long-tailed prevalences (0.4 down to 1e-5),
    latent disease clusters, sex-specific codes and children that need their parent.

    Args:
        n_patients: number of rows.
        n_codes: number of code columns, at least 10.
        seed: of the population and of the rows. More rows of the same population:
            ``draw_patients(cohort.population, n, seed=other)``.

    Raises:
        ConfigError: fewer than 1 patient or 10 codes.
    """
    population = EhrPopulation(n_codes, seed)
    return SimulatedEhr(
        name="simulated-ehr",
        table=draw_patients(population, n_patients, seed=seed),
        target="DIE_1y",
        description=f"simulated patients with {n_codes} codes; target: death within a year",
        report=CohortReport("patients", n_patients),
        constraints=population.constraints,
        population=population,
    )


def draw_patients(population: EhrPopulation, n_patients: int, *, seed: int) -> pd.DataFrame:
    """Draw ``n_patients`` rows; the codes are one block of uint8.

    Raises:
        ConfigError: fewer than 1 patient.
    """
    if n_patients < 1:
        raise ConfigError(f"a simulated cohort needs 1 patient or more, got {n_patients}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, n_patients, 1]))
    cell = _draw(population.cell_share, n_patients, rng)
    clusters = rng.random((population.cluster_share.shape[1], n_patients), dtype=np.float32)
    clusters = (clusters < population.cluster_share.astype(np.float32).T[:, cell]).astype(np.uint8)
    people = {
        "AGE": population.cell_age[cell].astype(np.uint8),
        "GENDER": np.where(population.cell_female[cell] == 1, "F", "M"),
        "RACE": np.array(RACES)[_draw(np.array(RACE_SHARES), n_patients, rng)],
        "DIE_1y": _draw_deaths(population, cell, clusters, rng),
        **_draw_vitals(population, cell, clusters, rng),
    }
    codes = pd.DataFrame(
        _draw_codes(population, cell, clusters, rng).T, columns=list(population.codes.names)
    )
    return pd.concat([pd.DataFrame(people), codes], axis=1)


def _draw(shares: FloatArray, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    edges = np.cumsum(shares)
    return np.minimum(np.searchsorted(edges / edges[-1], rng.random(n), "right"), len(shares) - 1)


def _draw_codes(
    population: EhrPopulation,
    cell: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.uint8],
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    codes = population.codes
    bits = np.empty((len(codes.names), len(cell)), dtype=np.uint8)
    shares = population.code_share.reshape(-1, len(codes.names)).astype(np.float32)
    for position, (cluster, parent) in enumerate(zip(codes.cluster, codes.parent, strict=True)):
        state = 2 * cell + clusters[cluster]
        bits[position] = rng.random(len(cell), dtype=np.float32) < shares[:, position][state]
        if parent >= 0:
            bits[position] &= bits[parent]
    return bits


def _draw_deaths(
    population: EhrPopulation,
    cell: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.uint8],
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    alive = 1 - population.base_death[cell]
    for cluster in np.flatnonzero(population.cluster_deadliness):
        alive *= 1 - population.cluster_deadliness[cluster] * clusters[cluster]
    return (rng.random(len(cell)) >= alive).astype(np.uint8)


def _draw_vitals(
    population: EhrPopulation,
    cell: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.uint8],
    rng: np.random.Generator,
) -> dict[str, FloatArray]:
    """BMI by the first cluster, blood pressure by the second and age; diastolic below systolic."""
    age = (population.cell_age[cell] - 55) / 20
    bmi = 14 + 46 * rng.beta(4.5 + 2 * clusters[0], 11)
    systolic = 95 + rng.binomial(24, np.clip(0.26 + 0.06 * age + 0.12 * clusters[1], 0, 1)) * 5
    systolic = systolic + rng.integers(0, 5, len(cell))
    pulse = (
        20 + 3 * rng.binomial(14, np.clip(0.6 + 0.08 * age, 0, 1)) + rng.integers(0, 3, len(cell))
    )
    no_bmi, no_pressure = (
        rng.random(len(cell)) < population.vitals_missing[cell, column] for column in (0, 1)
    )
    return {
        "BMI": np.where(no_bmi, np.nan, np.round(bmi, 1)),
        "SYSTOLIC": np.where(no_pressure, np.nan, systolic),
        "DIASTOLIC": np.where(no_pressure, np.nan, systolic - pulse),
    }
