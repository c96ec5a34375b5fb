"""Where the files of an AI-READI release are, and what is wrong where one is not."""

from __future__ import annotations

import os
from pathlib import Path

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.release_files import check_folder

RELEASE = "AI-READI"
GLUCOSE = "glucose"
GLUCOSE_FOLDER = Path("wearable_blood_glucose/continuous_glucose_monitoring/dexcom_g6")
ACTIVITY_MONITOR = Path("wearable_activity_monitor")
WATCH = "garmin_vivosmart5"
WATCH_FILES = {
    "heart_rate": "heartrate",
    "respiratory_rate": "respiratoryrate",
    "stress": "stress",
    "physical_activity": "activity",
    "physical_activity_calorie": "calorie",
    "sleep": "sleep",
}
"""Folder of each modality of the watch, and how its files' names end."""


class AiReadiFiles:
    """The files of a release in the official layout.

    Args:
        data_dir: the dataset's root.

    Raises:
        TableError: it is no such folder, or lacks the folder of a modality or a clinical file.
    """

    def __init__(self, data_dir: str | os.PathLike[str]) -> None:
        self.root = Path(data_dir)
        check_folder(self.root, RELEASE)
        self._folders = {GLUCOSE: self.root / GLUCOSE_FOLDER} | {
            name: self.root / ACTIVITY_MONITOR / name / WATCH for name in WATCH_FILES
        }
        self.ecg_manifest = self.root / "cardiac_ecg" / "manifest.tsv"
        self.conditions = self.root / "clinical_data" / "condition_occurrence.csv"
        self.measurements = self.root / "clinical_data" / "measurement.csv"
        for folder in self._folders.values():
            if not folder.is_dir():
                raise TableError(self._missing(folder, "folder"))
        for file in (self.ecg_manifest, self.conditions, self.measurements):
            if not file.is_file():
                raise TableError(self._missing(file, "file"))

    def patients(self) -> list[str]:
        """Return the ids that have a folder in any modality, in order."""
        found = {
            path.name
            for folder in self._folders.values()
            for path in folder.iterdir()
            if path.is_dir()
        }
        if not found:
            raise TableError(f"{self.root}: no participant has a folder in any wearable's folder")
        return sorted(found, key=lambda name: (len(name), name))

    def path(self, patient: str, modality: str) -> Path | None:
        """Return a patient's file of a modality; None where the release has none."""
        ending = "DEX" if modality == GLUCOSE else WATCH_FILES[modality]
        path = self._folders[modality] / patient / f"{patient}_{ending}.json"
        return path if path.is_file() else None

    def _missing(self, path: Path, what: str) -> str:
        inner = [p for p in sorted(self.root.glob("*")) if (p / ACTIVITY_MONITOR).is_dir()]
        hint = f": give {inner[0]}" if inner and inner[0] != self.root / ACTIVITY_MONITOR else ""
        return (
            f"the {what} {path} does not exist; --data-dir is the root of a release of {RELEASE}, "
            f"with wearable_activity_monitor/, cardiac_ecg/ and clinical_data/ in it{hint}"
        )
