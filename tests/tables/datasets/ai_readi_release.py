"""A made-up AI-READI release in the official layout; a person's readings follow a simple course."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MORNING = np.datetime64("2023-08-01T08:00:00")
SLOT = np.timedelta64(5, "m")
SLOTS = 288

Gap = tuple[str, int, int]
"""Modality, first slot and end slot (of the whole recording) that are left out."""


@dataclass
class Person:
    """One participant.

    Attributes:
        id: folder name.
        days: whole days recorded, from 08:00 UTC.
        diabetes: whether there is a condition entry for type 2 diabetes.
        gaps: slots without readings.
        without: modalities without a file.
        glucose: overrides of glucose values by slot ("Low", "High").
    """

    id: str
    days: int = 2
    diabetes: bool = False
    gaps: tuple[Gap, ...] = ()
    without: tuple[str, ...] = ()
    glucose: dict[int, Any] = field(default_factory=dict)


PEOPLE = (
    Person("1001", diabetes=True, gaps=(("heart_rate", 100, 136),), glucose={5: "Low", 6: "High"}),
    Person("1002", gaps=(("glucose", 300, 337),)),  # 37 slots: over three hours, on the second day
    Person("1003", without=("stress",)),
    Person("1004", without=("sleep", "ecg")),
)


def write_release(root: Path, people: Iterable[Person] = PEOPLE) -> Path:
    """Write the wearables, the ECG headers and the clinical tables of ``people``."""
    people = list(people)
    for person in people:
        _write_wearables(root, person)
    _write_ecgs(root, people)
    clinical = root / "clinical_data"
    clinical.mkdir(parents=True, exist_ok=True)
    conditions = ["person_id,condition_source_value,other"]
    measurements = [
        "person_id,measurement_date,measurement_source_value,unit_source_value,value_source_value"
    ]
    for number, person in enumerate(people):
        if person.diabetes:
            conditions.append(f'{person.id},"mhterm_dm2, Type II Diabetes",x')
        if number % 2:
            conditions.append(f'{person.id},"mhoccur_ca, Cancer (any type)",x')
        measurements += [
            f'{person.id},2023-08-03,"import_hba1c, HbA1c (%)",%,{5 + number}.5',
            f'{person.id},2023-08-01,"import_hba1c, HbA1c (%)",%,9.9',  # earlier
            f'{person.id},2023-08-01,"import_insulin, Insulin",{"ng/mL" if number % 2 else "uU"},7',
            f'{person.id},2023-08-01,"moca_comment, Comment",,fine',
        ]
    (clinical / "condition_occurrence.csv").write_text("\n".join(conditions) + "\n")
    (clinical / "measurement.csv").write_text("\n".join(measurements) + "\n")
    return root


def heart_rate_of(slots: np.ndarray) -> np.ndarray:
    """Beats per minute by slot of the day: a straight line, which interpolation gives back."""
    return 60 + 0.1 * (slots % SLOTS)


def _write_wearables(root: Path, person: Person) -> None:
    slots = np.arange(person.days * SLOTS)
    moments = {
        "heart_rate": ("heartrate", "heart_rate", "heart_rate", heart_rate_of),
        "respiratory_rate": ("respiratoryrate", "breathing", "respiratory_rate", lambda s: 14.0),
        "stress": ("stress", "stress", "stress", lambda s: 25),
        "physical_activity_calorie": ("calorie", "activity", "calories_value", lambda s: 5),
    }
    monitor = root / "wearable_activity_monitor"
    for modality, (ending, key, name, value) in moments.items():
        entries = [
            {"effective_time_frame": {"date_time": _time(s)}, name: {"value": value(s)}}
            for s in slots
            if not _in_gap(person, modality, s)
        ]
        _write(monitor / modality, person, modality, ending, key, entries)
    activity = [
        {
            "effective_time_frame": _interval(s, s + 1),
            "activity_name": "walking" if s % SLOTS < 24 else "sedentary",
            "base_movement_quantity": {"value": 100 if s % SLOTS < 24 else 0, "unit": "steps"},
        }
        for s in slots
        if not _in_gap(person, "physical_activity", s)
    ]
    _write(
        monitor / "physical_activity", person, "physical_activity", "activity", "activity", activity
    )
    sleep = [
        {
            "effective_time_frame": _interval(day * SLOTS + a, day * SLOTS + b),
            "sleep_stage_state": s,
        }
        for day in range(person.days)
        for a, b, s in ((170, 218, "light"), (218, 230, "deep"), (230, 236, "awake"))
    ]
    _write(monitor / "sleep", person, "sleep", "sleep", "sleep", sleep)
    glucose = [
        {
            "effective_time_frame": _interval(s, s),
            "blood_glucose": {"value": person.glucose.get(int(s), 110)},
        }
        for s in slots
        if not _in_gap(person, "glucose", s)
    ]
    folder = root / "wearable_blood_glucose/continuous_glucose_monitoring/dexcom_g6"
    _write(folder, person, "glucose", "DEX", "cgm", glucose)


def _write(
    folder: Path, person: Person, modality: str, ending: str, key: str, entries: list[Any]
) -> None:
    folder = folder if ending == "DEX" else folder / "garmin_vivosmart5"
    (folder / person.id).mkdir(parents=True, exist_ok=True)
    if modality not in person.without:
        path = folder / person.id / f"{person.id}_{ending}.json"
        path.write_text(json.dumps({"header": {}, "body": {key: entries}}))


def _write_ecgs(root: Path, people: list[Person]) -> None:
    lines = ["person_id\twfdb_hea_filepath"]
    for number, person in enumerate(people):
        if "ecg" in person.without:
            continue
        relative = f"cardiac_ecg/ecg_12lead/philips_tc30/{person.id}/{person.id}_ecg.hea"
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        summary = "NORMAL" if number % 2 == 0 else "BORDERLINE"
        path.write_text(
            f"{person.id}_ecg 12 500 5500\n{person.id}_ecg.dat 16 200/mV 16 0 1 2 0 I\n"
            f"#Rate: {60 + number}\n#PR: 150\n#QRSD: 90\n#QT: 400\n#QTc: 410\n#P: 50\n#QRS: -12\n"
            f"#T: --\n#interpretation_comment_1: Sinus rhythm\n"
            f"#interpretation_comment_2: - {summary} ECG -\n"
        )
        lines.append(f"{person.id}\t/{relative}")
    (root / "cardiac_ecg").mkdir(exist_ok=True)
    (root / "cardiac_ecg" / "manifest.tsv").write_text("\n".join(lines) + "\n")


def _in_gap(person: Person, modality: str, slot: int) -> bool:
    return any(name == modality and a <= slot < b for name, a, b in person.gaps)


def _time(slot: int) -> str:
    return f"{MORNING + int(slot) * SLOT}Z"


def _interval(first: int, end: int) -> dict[str, Any]:
    return {"time_interval": {"start_date_time": _time(first), "end_date_time": _time(end)}}
