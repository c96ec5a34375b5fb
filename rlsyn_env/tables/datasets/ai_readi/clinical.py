"""Conditions and measurements of each patient, from the clinical tables."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.ai_readi.daily_columns import TARGET
from rlsyn_env.tables.datasets.ai_readi.files import AiReadiFiles
from rlsyn_env.tables.datasets.release_files import read_columns

_TYPE_2_DIABETES = re.compile(r"type\s*(2|ii)\s*diabetes|diabetes[\s,]*type\s*(2|ii)\b", re.I)
LEAST_NUMERIC_SHARE = 0.5


def read_conditions(files: AiReadiFiles, patients: list[str]) -> pd.DataFrame:
    """Return one 0/1 column (uint8) per condition that any of ``patients`` has.

    A patient without an entry does not have the condition. Columns are named by the text after the
    item's code ("mhoccur_ca, Cancer" is "Cancer"); type 2 diabetes is always ``Type 2 Diabetes``.

    Raises:
        TableError: a column is missing, or no patient has type 2 diabetes, the target.
    """
    table = read_columns(files.conditions, {"person_id": str, "condition_source_value": str})
    table = table[table["person_id"].isin(patients)].dropna()
    names = table["condition_source_value"].map(_condition)
    columns = sorted(set(names) - {TARGET})
    if TARGET not in set(names):
        raise TableError(
            f"{files.conditions}: no participant with complete days has a condition_source_value "
            "that names type 2 diabetes, the target"
        )
    columns = [TARGET, *columns]
    bits = np.zeros((len(columns), len(patients)), dtype=np.uint8)
    row = pd.Index(columns).get_indexer(pd.Index(names))
    bits[row, pd.Index(patients).get_indexer(pd.Index(table["person_id"]))] = 1
    return pd.DataFrame(bits.T, index=patients, columns=columns)


def read_measurements(files: AiReadiFiles, patients: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the latest value of each measurement (float64), and those left out as not numeric.

    A measurement is a numeric column when at least half of its entries are numbers. One that comes
    in several units gives a column per unit, ``name [unit]``, as they cannot be compared.

    Raises:
        TableError: a column is missing.
    """
    table = read_columns(
        files.measurements,
        {
            "person_id": str,
            "measurement_date": str,
            "measurement_source_value": str,
            "unit_source_value": str,
            "value_source_value": str,
        },
    )
    table = table[table["person_id"].isin(patients)]
    table = table.dropna(subset=["measurement_source_value", "value_source_value"])
    table["value"] = pd.to_numeric(table["value_source_value"], errors="coerce")
    table["value"] = table["value"].where(np.isfinite(table["value"]))
    name = table["measurement_source_value"].map(_label)
    numeric = table["value"].notna().groupby(name).mean() >= LEAST_NUMERIC_SHARE
    left_out = sorted(str(label) for label in numeric.index[~numeric])
    unit = table["unit_source_value"].fillna("")
    several = unit.groupby(name).nunique() > 1
    table["column"] = np.where(
        name.map(several).fillna(False).astype(bool), name + " [" + unit + "]", name
    )
    table = table[name.map(numeric).fillna(False).astype(bool) & table["value"].notna()]
    day = pd.to_datetime(table["measurement_date"], errors="coerce", format="ISO8601")
    order = table.assign(day=day).sort_values("day", kind="stable", na_position="first")
    latest = order.drop_duplicates(["person_id", "column"], keep="last")
    wide = latest.pivot(index="person_id", columns="column", values="value")
    wide.columns.name = None
    return wide.reindex(patients).astype("float64"), left_out


def _condition(text: str) -> str:
    label = _label(text)
    return TARGET if _TYPE_2_DIABETES.search(label) else label


def _label(text: str) -> str:
    """Return the words after the item's code: "HbA1c (%)" of "import_hba1c, HbA1c (%)"."""
    code, comma, label = text.partition(",")
    return label.strip() if comma and label.strip() and " " not in code.strip() else text.strip()
