"""The wearables' JSON files as arrays of times and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlsyn_env.errors import TableError

FloatArray = npt.NDArray[np.float64]

GLUCOSE_LIMITS = {"low": 40.0, "high": 400.0}
"""The sensor says "Low" and "High" outside the range that it can measure, in mg/dL."""


@dataclass(frozen=True)
class Readings:
    """Readings of one modality of one patient.

    Attributes:
        start: (n,) float64 seconds since 1970 UTC.
        end: (n,) the same as ``start`` for readings at one moment.
        value: (n,) float64, NaN for no value.
        label: (n,) text (an activity, a sleep stage), "" for none.
    """

    start: FloatArray
    end: FloatArray
    value: FloatArray
    label: npt.NDArray[np.object_]


def heart_rate(path: Path) -> Readings:
    """Beats per minute; 0 and below are no reading."""
    return _read(path, "heart_rate", lambda r: r["heart_rate"]["value"], least=1)


def respiration(path: Path) -> Readings:
    """Breaths per minute; 0 and below are no reading."""
    return _read(path, "breathing", lambda r: r["respiratory_rate"]["value"], least=1e-9)


def stress(path: Path) -> Readings:
    """Stress from 0 to 100; negative values are the watch's codes for no reading."""
    return _read(path, "stress", lambda r: r["stress"]["value"], least=0)


def glucose(path: Path) -> Readings:
    """Glucose in mg/dL; "Low" and "High" become the limits of the sensor."""
    return _read(path, "cgm", lambda r: r["blood_glucose"]["value"], least=1, words=GLUCOSE_LIMITS)


def activity(path: Path) -> Readings:
    """Steps of each interval, and the name of its activity."""
    return _read(
        path,
        "activity",
        lambda r: r["base_movement_quantity"]["value"],
        label=lambda r: r["activity_name"],
        least=0,
    )


def calories(path: Path) -> Readings:
    """Kilocalories burned."""
    return _read(path, "activity", lambda r: r["calories_value"]["value"], least=0)


def sleep(path: Path) -> Readings:
    """Intervals of sleep; the label is the stage."""
    return _read(path, "sleep", None, label=lambda r: r["sleep_stage_state"])


def _read(
    path: Path,
    key: str,
    value: Callable[[Mapping[str, Any]], Any] | None,
    *,
    label: Callable[[Mapping[str, Any]], Any] | None = None,
    least: float = -np.inf,
    words: Mapping[str, float] | None = None,
) -> Readings:
    """Read ``body.<key>``; TableError naming the file, the entry and what is wrong with it."""
    entries = _entries(path, key)
    starts, ends, values, labels = [], [], [], []
    for number, entry in enumerate(entries, start=1):
        try:
            frame = entry["effective_time_frame"]
            interval = frame.get("time_interval")
            if interval is None:
                starts.append(frame["date_time"])
                ends.append(frame["date_time"])
            else:
                starts.append(interval["start_date_time"])
                ends.append(interval["end_date_time"])
            values.append(np.nan if value is None else _number(value(entry), words or {}))
            labels.append("" if label is None else str(label(entry) or "").strip().lower())
        except (KeyError, TypeError, AttributeError) as error:
            raise TableError(
                f"{path}, entry {number} of body.{key}: expected a field that is not there "
                f"({type(error).__name__}: {error})"
            ) from error
    number_of = np.asarray(values, dtype=np.float64)
    number_of[number_of < least] = np.nan
    return Readings(
        _seconds(starts, path, key),
        _seconds(ends, path, key),
        number_of,
        np.asarray(labels, dtype=object),
    )


def _entries(path: Path, key: str) -> list[Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{path} is not readable JSON: {error}") from error
    body = content.get("body") if isinstance(content, dict) else None
    entries = body.get(key) if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise TableError(f"{path} has no list body.{key}: not a file of this modality")
    return entries


def _number(value: Any, words: Mapping[str, float]) -> float:
    if isinstance(value, str):
        text = value.strip().lower()
        if text in words:
            return words[text]
        try:
            return float(text)
        except ValueError:
            return np.nan
    return np.nan if value is None else float(value)


def _seconds(texts: list[Any], path: Path, key: str) -> FloatArray:
    times = pd.to_datetime(
        pd.Series(texts, dtype=object), utc=True, errors="coerce", format="ISO8601"
    )
    if times.isna().any():
        row = int(np.argmax(times.isna().to_numpy()))
        raise TableError(
            f"{path}, entry {row + 1} of body.{key}: {texts[row]!r} is no time such as "
            "2023-08-01T12:00:00Z"
        )
    epoch = pd.Timestamp("1970-01-01", tz="UTC")
    return np.asarray((times - epoch).dt.total_seconds(), dtype=np.float64)
