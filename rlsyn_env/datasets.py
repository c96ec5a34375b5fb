"""Datasets and cohorts by name: ``from rlsyn_env.datasets import simulate_ehr``.

Modules are imported on first use, so that importing this one costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlsyn_env.tables.datasets import Dataset, load_dataset
    from rlsyn_env.tables.datasets.ai_readi import load_ai_readi
    from rlsyn_env.tables.datasets.dataset import Cohort
    from rlsyn_env.tables.datasets.mimic_iv import load_mimic_iv
    from rlsyn_env.tables.datasets.simulate import simulate_ehr, simulate_patient_days

__all__ = [
    "Cohort",
    "Dataset",
    "load_ai_readi",
    "load_dataset",
    "load_mimic_iv",
    "simulate_ehr",
    "simulate_patient_days",
]

_MODULES = {
    "Cohort": "dataset",
    "Dataset": "dataset",
    "load_ai_readi": "ai_readi",
    "load_dataset": "",
    "load_mimic_iv": "mimic_iv",
    "simulate_ehr": "simulate",
    "simulate_patient_days": "simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"rlsyn_env.tables.datasets.{_MODULES[name]}".rstrip("."))
    return getattr(module, name)
