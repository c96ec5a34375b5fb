"""AI-READI: from a raw release to one row per patient-day.

``files`` finds the release, ``readings`` reads the wearables' JSON, ``grid`` puts it on five
minutes, ``patient_days`` makes the days, ``ecg`` and ``clinical`` the static columns, ``cohort``
puts it together.
"""

from rlsyn_env.tables.datasets.ai_readi.cohort import load_ai_readi

__all__ = ["load_ai_readi"]
