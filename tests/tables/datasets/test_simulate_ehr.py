"""Simulated patients: the stated truth is the truth of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.datasets import simulate_ehr
from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.datasets.simulate import EhrPopulation, SimulatedEhr, draw_patients

N = 60_000
MOST_STANDARD_ERRORS = 5.0


@pytest.fixture(scope="module")
def cohort() -> SimulatedEhr:
    return simulate_ehr(N, 60, seed=1)


def population_of(cohort: SimulatedEhr) -> EhrPopulation:
    assert cohort.population is not None
    return cohort.population


def test_shape_and_types(cohort: SimulatedEhr) -> None:
    table = cohort.table
    assert table.shape == (N, 7 + 60)
    assert list(table)[:7] == ["AGE", "GENDER", "RACE", "DIE_1y", "BMI", "SYSTOLIC", "DIASTOLIC"]
    codes = table[list(population_of(cohort).codes.names)]
    assert set(codes.dtypes) == {np.dtype("uint8")}
    assert codes.memory_usage(index=False).sum() == N * 60
    assert cohort.target == "DIE_1y"


def test_prevalences_are_exact(cohort: SimulatedEhr) -> None:
    truth = population_of(cohort).prevalences
    found = cohort.table[truth.index].mean()
    error = np.sqrt(truth * (1 - truth) / N)
    assert ((found - truth).abs() < MOST_STANDARD_ERRORS * error).all()
    assert truth.max() / truth.drop("DIE_1y").min() > 50  # a long tail
    assert truth["DIE_1y"] == pytest.approx(0.113)


def test_correlations_are_exact(cohort: SimulatedEhr) -> None:
    population = population_of(cohort)
    truth = population.correlations()
    table = cohort.table.assign(GENDER=(cohort.table["GENDER"] == "F").astype(int))
    found = table[truth.columns].corr()
    common = [n for n in truth if n in ("AGE", "GENDER") or population.prevalences[n] > 0.02]
    gap = (found - truth).loc[common, common].to_numpy()
    assert np.abs(gap).max() < 0.02
    assert np.abs(gap[np.triu_indices_from(gap, 1)]).mean() < 0.006
    off = truth.to_numpy()[np.triu_indices_from(truth.to_numpy(), 1)]
    assert (np.abs(off) > 0.1).sum() > 20  # there is something to learn
    assert np.allclose(np.diag(truth), 1)


def test_correlations_of_rare_families_are_exact() -> None:
    """The sums over clusters against plain enumeration of clusters and codes, cell by cell."""
    population = EhrPopulation(10, seed=3)
    codes = population.codes
    assert (codes.parent >= 0).any()
    truth = population.correlations()
    share = population.cell_share
    for child in np.flatnonzero(codes.parent >= 0):
        parent = codes.parent[child]
        both = 0.0
        for z in (0, 1):
            present = population.cluster_share[:, codes.cluster[child]]
            weight = share * (present if z else 1 - present)
            family = population.code_share[:, z, child] * population.code_share[:, z, parent]
            both += float((weight * family).sum())
        p = population.prevalences
        a, b = p.iloc[child], p.iloc[parent]
        expected = (both - a * b) / np.sqrt(a * (1 - a) * b * (1 - b))
        assert both == pytest.approx(a)
        assert truth.iloc[child, parent] == pytest.approx(expected)


def test_missing_shares_are_exact(cohort: SimulatedEhr) -> None:
    truth = population_of(cohort).missing_shares()
    assert np.allclose(cohort.table[truth.index].isna().mean(), truth, atol=0.01)
    assert cohort.table["AGE"].notna().all()


def test_every_row_keeps_the_constraints(cohort: SimulatedEhr) -> None:
    measured = cohort.table.dropna()
    kinds = {"dx": 0, "sex": 0, "pressure": 0}
    for rule in cohort.constraints:
        assert measured.eval(rule).all(), rule
        kinds["pressure" if "SYSTOLIC" in rule else "sex" if "GENDER" in rule else "dx"] += 1
    assert all(kinds.values())


def test_constraints_bind(cohort: SimulatedEhr) -> None:
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame(
        {name: rng.permutation(values.to_numpy()) for name, values in cohort.table.items()}
    ).dropna()
    broken = np.zeros(len(shuffled), dtype=bool)
    for rule in cohort.constraints:
        broken |= ~shuffled.eval(rule).to_numpy()
    assert broken.mean() > 0.1


def test_more_rows_of_the_same_population(cohort: SimulatedEhr) -> None:
    population = population_of(cohort)
    other = draw_patients(population, N, seed=7)
    assert not other.equals(cohort.table)
    gap = other[list(population.codes.names)].mean() - population.prevalences.drop("DIE_1y")
    assert gap.abs().max() < 0.02
    pd.testing.assert_frame_equal(simulate_ehr(N, 60, seed=1).table, cohort.table)
    pd.testing.assert_series_equal(EhrPopulation(60, 1).prevalences, population.prevalences)
    assert not EhrPopulation(60, 2).prevalences.equals(population.prevalences)


def test_too_small() -> None:
    with pytest.raises(ConfigError, match="needs 10 codes or more, got 3"):
        simulate_ehr(100, 3)
    with pytest.raises(ConfigError, match="needs 1 patient or more, got 0"):
        simulate_ehr(0, 20)
