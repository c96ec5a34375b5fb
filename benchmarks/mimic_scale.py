"""Seconds and peak memory of the MIMIC-IV loader on made-up tables of MIMIC-IV's size.

    python benchmarks/mimic_scale.py
    python benchmarks/mimic_scale.py --scale 0.1

It writes patients, admissions, 6.4 million diagnoses and 7 million omr rows in the official layout
into a temporary folder, loads them in a process of its own and prints what that took. Nothing in
them is of a patient.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

PATIENTS, ADMISSIONS, DIAGNOSES, OMR = 299_777, 431_088, 6_400_000, 7_000_000
CHUNK = 500_000
LOAD = """
import sys, time
from rlsyn_env.tables.datasets.mimic_iv import load_mimic_iv
start = time.perf_counter()
cohort = load_mimic_iv(sys.argv[1], cohort=sys.argv[2])
print(cohort.report)
rows, columns = cohort.table.shape
size = cohort.table.memory_usage(deep=True).sum() / 2**20
print(f"{rows:,} x {columns:,}, {size:,.0f} MiB, in {time.perf_counter() - start:.0f} s")
"""


def write_tables(hosp: Path, scale: float, rng: np.random.Generator) -> None:
    """Write the four files; ``scale`` multiplies every number of rows."""
    n = int(PATIENTS * scale)
    subjects = 10_000_000 + rng.permutation(10_000_000)[:n]
    year = rng.integers(2110, 2200, n)
    patients = pd.DataFrame(
        {
            "subject_id": subjects,
            "gender": rng.choice(["F", "M"], n),
            "anchor_age": rng.integers(18, 92, n),
            "anchor_year": year,
            "anchor_year_group": "2011 - 2013",
            "dod": np.where(rng.random(n) < 0.1, "2190-01-01", ""),
        }
    )
    patients.to_csv(hosp / "patients.csv.gz", index=False, compression=_gzip())
    m = int(ADMISSIONS * scale)
    who = rng.integers(0, int(n * 0.6), m)
    died = rng.random(m) < 0.02
    left = pd.to_datetime(pd.Series(year[who]).astype(str) + "-06-01 10:00:00") + pd.to_timedelta(
        rng.integers(0, 1500, m), "D"
    )
    admissions = pd.DataFrame(
        {
            "subject_id": subjects[who],
            "hadm_id": 20_000_000 + np.arange(m),
            "admittime": left - pd.Timedelta(days=3),
            "dischtime": left,
            "deathtime": left.where(died),
            "race": rng.choice(["WHITE", "BLACK/AFRICAN AMERICAN", "ASIAN", "OTHER"], m),
            "hospital_expire_flag": died.astype(int),
        }
    )
    admissions.to_csv(hosp / "admissions.csv.gz", index=False, compression=_gzip())
    _write_diagnoses(hosp / "diagnoses_icd.csv.gz", int(DIAGNOSES * scale), subjects[who], rng)
    _write_omr(hosp / "omr.csv.gz", int(OMR * scale), subjects, rng)


def _write_diagnoses(path: Path, rows: int, subjects: np.ndarray, rng: np.random.Generator) -> None:
    """About 28,000 distinct codes of both versions, with long tails, like MIMIC's."""
    letters = np.array(list("ABCDEFGHIJKLMNOPQRSTVZ"))
    nines = [f"{a:03d}{b}" for a in range(1, 1000) for b in ("", "0", "1", "11", "2", "9")]
    tens = [
        f"{letter}{number:02d}{tail}"
        for letter in letters
        for number in range(100)
        for tail in ("", "0", "1", "10", "2", "4", "8", "89", "9", "A")
    ]
    codes = np.array(nines + tens, dtype=object)
    versions = np.repeat([9, 10], [len(nines), len(tens)])
    order = rng.permutation(len(codes))
    for first in range(0, rows, CHUNK):
        size = min(CHUNK, rows - first)
        rank = np.minimum(len(codes) * rng.random(size) ** 3, len(codes) - 1).astype(int)
        pick = order[rank]
        chunk = pd.DataFrame(
            {
                "subject_id": rng.choice(subjects, size),
                "hadm_id": rng.integers(20_000_000, 30_000_000, size),
                "seq_num": rng.integers(1, 40, size),
                "icd_code": codes[pick],
                "icd_version": versions[pick],
            }
        )
        _append(chunk, path, first == 0)


def _write_omr(path: Path, rows: int, subjects: np.ndarray, rng: np.random.Generator) -> None:
    names = np.array(["Weight (Lbs)", "Blood Pressure", "BMI (kg/m2)", "Height (Inches)"])
    days = np.datetime64("2110-01-01") + np.arange(36_000)
    for first in range(0, rows, CHUNK):
        size = min(CHUNK, rows - first)
        kind = rng.choice(4, size, p=[0.35, 0.35, 0.2, 0.1])
        number = np.char.mod("%.1f", rng.normal(28, 6, size))
        pressure = np.char.add(
            np.char.mod("%d/", rng.normal(128, 18, size)),
            np.char.mod("%d", rng.normal(74, 11, size)),
        )
        chunk = pd.DataFrame(
            {
                "subject_id": rng.choice(subjects, size),
                "chartdate": rng.choice(days, size),
                "seq_num": rng.integers(1, 5, size),
                "result_name": names[kind],
                "result_value": np.where(kind == 1, pressure, number),
            }
        )
        _append(chunk, path, first == 0)


def _append(chunk: pd.DataFrame, path: Path, first: bool) -> None:
    chunk.to_csv(path, index=False, header=first, mode="w" if first else "a", compression=_gzip())


def _gzip() -> dict[str, object]:
    return {"method": "gzip", "compresslevel": 1}


def main() -> None:
    """Write, load, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every number of rows")
    parser.add_argument("--cohort", default="default", choices=["default", "published"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hosp = Path(folder) / "hosp"
        hosp.mkdir()
        start = time.perf_counter()
        write_tables(hosp, options.scale, np.random.default_rng(0))
        print(f"wrote made-up tables in {time.perf_counter() - start:.0f} s", flush=True)
        subprocess.run([sys.executable, "-c", LOAD, folder, options.cohort], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"peak memory of the loading process: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
