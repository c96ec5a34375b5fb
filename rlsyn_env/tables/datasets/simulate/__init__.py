"""Cohorts drawn from known populations: any number of rows, and the exact truth to judge by."""

from rlsyn_env.tables.datasets.simulate.ehr import SimulatedEhr, draw_patients, simulate_ehr
from rlsyn_env.tables.datasets.simulate.ehr_population import EhrPopulation
from rlsyn_env.tables.datasets.simulate.patient_days import (
    SimulatedPatientDays,
    draw_patient_days,
    simulate_patient_days,
)
from rlsyn_env.tables.datasets.simulate.patient_days_population import PatientDaysPopulation

__all__ = [
    "EhrPopulation",
    "PatientDaysPopulation",
    "SimulatedEhr",
    "SimulatedPatientDays",
    "draw_patient_days",
    "draw_patients",
    "simulate_ehr",
    "simulate_patient_days",
]
