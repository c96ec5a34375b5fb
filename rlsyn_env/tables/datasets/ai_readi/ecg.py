"""The electrocardiograph's own measurements, from the comments of WFDB headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.ai_readi.files import AiReadiFiles
from rlsyn_env.tables.datasets.release_files import check_columns, read_columns

MEASURES = ("Rate", "PR", "QRSD", "QT", "QTc", "P", "QRS", "T")
INTERPRETATION = "ecg_interpretation"

_PATH_COLUMN = "wfdb_hea_filepath"
_ID_COLUMNS = ("person_id", "participant_id")
_SUMMARY_KEYS = ("interpretation_comment_2", "interpretation")


def read_ecgs(files: AiReadiFiles) -> pd.DataFrame:
    """Return one row per patient: ``ecg_Rate``, ... (float64) and ``ecg_interpretation`` (text).

    The index holds patient ids as text. Of several recordings of a patient the first counts. The
    interpretation is the overall one, such as ``NORMAL`` of "- NORMAL ECG -".

    Raises:
        TableError: the manifest lacks its column, or a header it names is missing or unreadable.
    """
    header = check_columns(files.ecg_manifest, {_PATH_COLUMN: str}, separator="\t")
    id_column = next((name for name in _ID_COLUMNS if name in header), None)
    columns = {_PATH_COLUMN: str} | ({id_column: str} if id_column else {})
    manifest = read_columns(files.ecg_manifest, columns, separator="\t")
    rows: dict[str, dict[str, object]] = {}
    for record in manifest.dropna(subset=[_PATH_COLUMN]).to_dict("records"):
        path = files.root / str(record[_PATH_COLUMN]).lstrip("/")
        patient = str(record[id_column]) if id_column else path.parent.name
        if patient not in rows:
            rows[patient] = _read_header(path, files.ecg_manifest)
    names = [*(f"ecg_{name}" for name in MEASURES), INTERPRETATION]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return table.astype({name: "float64" for name in names[:-1]})


def _read_header(path: Path, manifest: Path) -> dict[str, object]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise TableError(
            f"{path}, named by {manifest}, cannot be read: {error.strerror}"
        ) from error
    comments: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.lstrip("# ").partition(":")
        if line.startswith("#") and colon:
            comments.setdefault(key.strip(), value.strip())
    row: dict[str, object] = {f"ecg_{name}": _number(comments.get(name, "")) for name in MEASURES}
    summary = next((comments[key] for key in _SUMMARY_KEYS if comments.get(key)), None)
    row[INTERPRETATION] = None if summary is None else _plain(summary)
    return row


def _number(text: str) -> float:
    try:
        return float(text.split()[0])
    except (ValueError, IndexError):
        return np.nan


def _plain(summary: str) -> str | None:
    """Return ``NORMAL`` of ``- NORMAL ECG -``; None of nothing."""
    text = summary.strip(" -").upper()
    return text.removesuffix("ECG").strip() or None
