"""The latest body mass index and blood pressure of each patient, from ``hosp/omr``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.tables.datasets.mimic_iv.files import MimicFiles
from rlsyn_env.tables.datasets.release_files import read_chunks

BMI_NAME = "BMI (kg/m2)"
PRESSURE_NAME = "Blood Pressure"
MEASUREMENTS = ("BMI", "SYSTOLIC", "DIASTOLIC")

FloatArray = npt.NDArray[np.float64]


def latest_measurements(files: MimicFiles, subjects: pd.Index) -> pd.DataFrame:
    """Return BMI, SYSTOLIC and DIASTOLIC (float64, NaN where never measured) for ``subjects``.

    Each is the value with the latest ``chartdate``, the highest ``seq_num`` of that day. Values
    that are no number or not above 0 are no measurement; a blood pressure needs both its numbers,
    so that systolic and diastolic come from one reading. The file is read in chunks.
    """
    columns = {
        "subject_id": "int64",
        "chartdate": "category",
        "seq_num": "float64",
        "result_name": "category",
        "result_value": "category",
    }
    found: dict[str, list[pd.DataFrame]] = {BMI_NAME: [], PRESSURE_NAME: []}
    for chunk in read_chunks(files.omr, columns):
        row = subjects.get_indexer(pd.Index(chunk["subject_id"]))
        for name, parts in found.items():
            keep = (chunk["result_name"] == name).to_numpy() & (row >= 0)
            values = _parse(chunk["result_value"][keep], pair=name == PRESSURE_NAME)
            days = pd.to_datetime(
                pd.Series(chunk["chartdate"].cat.categories), errors="coerce", format="ISO8601"
            ).to_numpy()
            codes = chunk["chartdate"].cat.codes.to_numpy()[keep]
            part = pd.DataFrame(
                {
                    "row": row[keep].astype(np.int32),
                    "day": np.append(days, np.datetime64("NaT"))[codes],
                    "seq": chunk["seq_num"].to_numpy()[keep],
                    "first": values[:, 0],
                    "second": values[:, 1],
                }
            )
            parts.append(_latest(part[~np.isnan(values).any(axis=1)]))
    bmi, pressure = (_latest(pd.concat(parts)) for parts in found.values())
    table = pd.DataFrame(
        np.full((len(subjects), 3), np.nan), index=subjects, columns=list(MEASUREMENTS)
    )
    table.iloc[bmi["row"].to_numpy(), 0] = bmi["first"].to_numpy()
    table.iloc[pressure["row"].to_numpy(), [1, 2]] = pressure[["first", "second"]].to_numpy()
    return table


def _parse(values: pd.Series, *, pair: bool) -> FloatArray:
    """Return the numbers (n, 2) in "27.5" (twice) or "120/80"; NaN where there are none above 0."""
    texts = pd.Series(values.cat.categories, dtype=object)
    parts = texts.str.split("/", expand=False) if pair else texts.map(lambda text: [text, text])
    numbers = np.full((len(texts) + 1, 2), np.nan)  # the last row stands for missing values
    for side in (0, 1):
        text = parts.map(lambda part, side=side: part[side] if len(part) == 2 else None)
        numbers[:-1, side] = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    numbers[~((numbers > 0) & np.isfinite(numbers))] = np.nan
    return numbers[values.cat.codes.to_numpy()]


def _latest(readings: pd.DataFrame) -> pd.DataFrame:
    ordered = readings.sort_values(["row", "day", "seq"], kind="stable", na_position="first")
    return ordered.drop_duplicates("row", keep="last")
