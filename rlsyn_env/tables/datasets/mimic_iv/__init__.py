"""MIMIC-IV: from a raw release to one row per patient.

``files`` finds the release, ``admissions`` selects patients, ``measurements`` and ``diagnoses``
read the large tables in chunks, ``phecodes`` maps ICD codes, ``cohort`` puts it together.
"""

from rlsyn_env.tables.datasets.mimic_iv.cohort import load_mimic_iv

__all__ = ["load_mimic_iv"]
