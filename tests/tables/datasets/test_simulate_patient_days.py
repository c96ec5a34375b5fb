"""Simulated patient-days: the stated truth is the truth of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.datasets import simulate_patient_days
from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.datasets.simulate import PatientDaysPopulation, draw_patient_days
from rlsyn_env.tables.splits import split_rows


@pytest.fixture(scope="module")
def population() -> PatientDaysPopulation:
    return PatientDaysPopulation(seed=0)


@pytest.fixture(scope="module")
def many(population: PatientDaysPopulation) -> pd.DataFrame:
    return draw_patient_days(population, 8000, seed=5)


def test_shape() -> None:
    cohort = simulate_patient_days()
    features = cohort.table.drop(columns="person_id")
    assert 3500 < len(features) < 4500
    binary = [name for name in features if features[name].dtype == np.uint8]
    assert (features.shape[1], len(binary)) == (108, 36)
    assert (cohort.target, cohort.group) == ("Type 2 Diabetes", "person_id")
    assert len(cohort.static_columns) == 92
    pd.testing.assert_frame_equal(simulate_patient_days().table, cohort.table)


def test_static_columns_repeat_and_daily_ones_do_not(many: pd.DataFrame) -> None:
    cohort = simulate_patient_days(50)
    values = cohort.table.groupby("person_id").nunique(dropna=False)
    static = list(cohort.static_columns)
    assert (values[static] == 1).all(axis=None)
    assert (values.drop(columns=static) > 1).all(axis=None)


def test_latents_have_the_stated_correlations(
    population: PatientDaysPopulation, many: pd.DataFrame
) -> None:
    latents = population.latents(many)
    truth = population.latent_correlations()
    gap = np.abs(latents.corr() - truth).to_numpy()
    assert gap.max() < 0.05
    assert gap[np.triu_indices_from(gap, 1)].mean() < 0.01
    with_target = latents.corrwith(many["Type 2 Diabetes"])
    assert (with_target - population.latent_correlations_with_target()).abs().max() < 0.04
    assert population.latent_correlations_with_target().abs().max() > 0.3


def test_prevalences_and_missing_shares(
    population: PatientDaysPopulation, many: pd.DataFrame
) -> None:
    patients = many.drop_duplicates("person_id")
    truth = population.prevalences
    assert (patients[truth.index].mean() - truth).abs().max() < 0.025
    missing = population.missing_shares()
    assert (patients[missing.index].isna().mean() - missing).abs().max() < 0.015
    assert (missing > 0).any()


def test_constraints_hold_and_bind(population: PatientDaysPopulation, many: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame({n: rng.permutation(v.to_numpy()) for n, v in many.items()})
    for rule in population.constraints:
        assert many.eval(rule).all()
        assert not shuffled.eval(rule).all()


def test_days_of_a_patient_are_never_split() -> None:
    cohort = simulate_patient_days(60)
    split = split_rows(cohort.table, target=cohort.target, group=cohort.group)
    parts = [
        set(cohort.table["person_id"].iloc[rows])
        for rows in (split.train, split.validation, split.test)
    ]
    assert sum(map(len, parts)) == 60 == len(set.union(*parts))


def test_too_small() -> None:
    with pytest.raises(ConfigError, match="needs 1 patient or more"):
        simulate_patient_days(0)
