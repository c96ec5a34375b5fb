"""A patient's wearables as one row per complete day."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.tables.datasets.ai_readi import readings as read
from rlsyn_env.tables.datasets.ai_readi.daily_columns import (
    ACTIVITIES,
    DAILY_COLUMNS,
    SLEEP_STAGES,
)
from rlsyn_env.tables.datasets.ai_readi.files import GLUCOSE, AiReadiFiles
from rlsyn_env.tables.datasets.ai_readi.grid import (
    SLOTS_PER_DAY,
    day_of,
    interpolate,
    slot_means,
    slot_overlaps,
)
from rlsyn_env.tables.datasets.ai_readi.readings import Readings

FloatArray = npt.NDArray[np.float64]

REQUIRED = ("heart rate", "respiration", "stress", "glucose", "steps", "activity")
"""A day is rejected when one of these is missing in any slot after interpolation."""
RESTING_SLOTS = 6
"""Resting heart rate: the lowest mean over 30 minutes, as the watch's maker defines it."""

_READERS = {
    "heart_rate": read.heart_rate,
    "respiratory_rate": read.respiration,
    "stress": read.stress,
    GLUCOSE: read.glucose,
    "physical_activity": read.activity,
    "physical_activity_calorie": read.calories,
    "sleep": read.sleep,
}


@dataclass
class PatientDays:
    """Days of one patient.

    Attributes:
        days: one row per complete day, columns DAILY_COLUMNS.
        candidates: days with a reading of any modality.
        rejected: number of days rejected for each of :data:`REQUIRED`; a day that lacks several
            counts for the first.
    """

    days: pd.DataFrame
    candidates: int = 0
    rejected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REQUIRED, 0))


def patient_days(files: AiReadiFiles, patient: str) -> PatientDays:
    """Build the rows of one patient; a missing file is a modality without readings.

    Raises:
        TableError: a file is no readable JSON of its modality.
    """
    readings = {}
    for modality, reader in _READERS.items():
        path = files.path(patient, modality)
        readings[modality] = _nothing() if path is None else reader(path)
    days = np.unique(np.concatenate([day_of(r.start) for r in readings.values()]))
    if not len(days):
        return PatientDays(pd.DataFrame(columns=list(DAILY_COLUMNS), dtype=float))
    first, n = int(days[0]), int(days[-1] - days[0]) + 1
    grids = _grids(readings, first, n)
    candidates = np.zeros(n, dtype=bool)
    candidates[days - first] = True
    result = PatientDays(pd.DataFrame(), int(candidates.sum()))
    left = candidates
    for name in REQUIRED:
        complete = ~np.isnan(grids[name].reshape(n, -1)).any(axis=1)
        result.rejected[name] = int((left & ~complete).sum())
        left = left & complete
    values = _daily_values(readings, grids, first, n)
    table = pd.DataFrame({name: value[left] for name, value in values.items()})
    result.days = table[list(DAILY_COLUMNS)]
    return result


def _grids(readings: dict[str, Readings], first: int, n: int) -> dict[str, FloatArray]:
    """(n * 288,) per required modality, (n * 288, 4) seconds for activity; gaps interpolated."""
    steps, activity = _activity_grids(readings["physical_activity"], first, n)
    return {
        "heart rate": interpolate(slot_means(readings["heart_rate"], first, n)),
        "respiration": interpolate(slot_means(readings["respiratory_rate"], first, n)),
        "stress": interpolate(slot_means(readings["stress"], first, n)),
        "glucose": interpolate(slot_means(readings[GLUCOSE], first, n)),
        "steps": interpolate(steps),
        "activity": interpolate(activity, nearest=True),
    }


def _activity_grids(readings: Readings, first: int, n: int) -> tuple[FloatArray, FloatArray]:
    """Steps (spread evenly over their interval) and seconds of each activity, per slot."""
    reading, slot, seconds = slot_overlaps(readings, first, n)
    n_slots = n * SLOTS_PER_DAY
    length = (readings.end - readings.start)[reading]
    share = np.where(length > 0, seconds / np.maximum(length, 1e-9), 1.0)
    value, label = readings.value[reading], readings.label[reading]
    counted = ~np.isnan(value)
    steps = np.full(n_slots, np.nan)
    steps[slot[counted]] = 0
    np.add.at(steps, slot[counted], (value * share)[counted])
    activity = np.full((n_slots, len(ACTIVITIES)), np.nan)
    activity[slot[label != ""]] = 0
    for column, name in enumerate(ACTIVITIES):
        named = label == name
        np.add.at(activity[:, column], slot[named], seconds[named])
    return steps, activity


def _daily_values(
    readings: dict[str, Readings], grids: dict[str, FloatArray], first: int, n: int
) -> dict[str, FloatArray]:
    by_day = {name: grid.reshape(n, SLOTS_PER_DAY, -1) for name, grid in grids.items()}
    heart = by_day["heart rate"][:, :, 0]
    windows = np.lib.stride_tricks.sliding_window_view(heart, RESTING_SLOTS, axis=1)
    burned = slot_means(readings["physical_activity_calorie"], first, n)
    kcal = _sums(readings["physical_activity_calorie"], first, n)
    kcal[np.isnan(burned.reshape(n, -1)).all(axis=1)] = np.nan
    hours = {
        f"hours_{name}": by_day["activity"][:, :, column].sum(axis=1) / 3600
        for column, name in enumerate(ACTIVITIES)
    }
    return {
        "mean_heart_rate": heart.mean(axis=1),
        "mean_glucose": by_day["glucose"][:, :, 0].mean(axis=1),
        "mean_respiration": by_day["respiration"][:, :, 0].mean(axis=1),
        "mean_stress": by_day["stress"][:, :, 0].mean(axis=1),
        "sd_glucose": by_day["glucose"][:, :, 0].std(axis=1, ddof=1),
        "total_steps": by_day["steps"][:, :, 0].sum(axis=1),
        "resting_heart_rate": windows.mean(axis=2).min(axis=1),
        "total_kcal": kcal,
        **_sleep_hours(readings["sleep"], first, n),
        **hours,
    }


def _sums(readings: Readings, first: int, n: int) -> FloatArray:
    day = day_of(readings.start) - first
    keep = ~np.isnan(readings.value)
    return np.bincount(day[keep], weights=readings.value[keep], minlength=n).astype(np.float64)


def _sleep_hours(readings: Readings, first: int, n: int) -> dict[str, FloatArray]:
    """Hours of each stage; missing on days without any record of sleep."""
    reading, slot, seconds = slot_overlaps(readings, first, n)
    day, label = slot // SLOTS_PER_DAY, readings.label[reading]
    staged = np.isin(label, SLEEP_STAGES)
    recorded = np.bincount(day[staged], minlength=n) > 0
    hours = {}
    for stage in SLEEP_STAGES:
        mine = label == stage
        total = np.bincount(day[mine], weights=seconds[mine], minlength=n) / 3600
        name = "hours_awake" if stage == "awake" else f"hours_{stage}_sleep"
        hours[name] = np.where(recorded, total, np.nan)
    return hours


def _nothing() -> Readings:
    empty = np.empty(0)
    return Readings(empty, empty, empty, np.empty(0, dtype=object))
