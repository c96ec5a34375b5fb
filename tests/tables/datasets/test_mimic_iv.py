"""The MIMIC-IV loader, rule by rule on a made-up release, and on the open demo where it is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.datasets import load_mimic_iv
from rlsyn_env.errors import ConfigError, TableError
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.datasets.mimic_iv import diagnoses
from rlsyn_env.tables.datasets.mimic_iv.admissions import IN_HOSPITAL_DEATH, NO_ADMISSION, race_of
from rlsyn_env.tables.datasets.mimic_iv.cohort import IMPLAUSIBLE_BMI, IMPLAUSIBLE_PRESSURE
from rlsyn_env.tables.datasets.mimic_iv.phecodes import PhecodeMap
from rlsyn_env.tables.datasets.release_files import read_chunks
from tests.tables.datasets.mimic_release import write_phecode_maps, write_release

PEOPLE = ["AGE", "GENDER", "RACE", "DIE_1y", "BMI", "SYSTOLIC", "DIASTOLIC"]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path / "mimic")


@pytest.fixture
def cohort(release: Path) -> Cohort:
    return load_mimic_iv(release)


def test_each_rule_drops_its_patient(cohort: Cohort) -> None:
    dropped = {entry.rule: entry.dropped for entry in cohort.report.rules}
    assert dropped == {
        NO_ADMISSION: 1,
        IN_HOSPITAL_DEATH: 1,
        IMPLAUSIBLE_BMI: 1,
        IMPLAUSIBLE_PRESSURE: 1,
    }
    assert cohort.report.start == 8
    assert cohort.report.left == len(cohort.table) == 4
    text = str(cohort.report)
    assert "-1  died during the last admission" in text
    assert "4  patients left" in text


def test_people(cohort: Cohort) -> None:
    expected = pd.DataFrame(
        {
            "AGE": [52, 91, 31, 20],  # patient 2 is 92
            "GENDER": ["F", "M", "F", "M"],
            "RACE": ["WHITE", "BLACK", "UNKNOWN", "UNKNOWN"],  # of the last admission
            "DIE_1y": [0, 1, 0, 0],
            "BMI": [28.5, np.nan, np.nan, np.nan],
            "SYSTOLIC": [131.0, np.nan, np.nan, np.nan],  # 150/-1 is no measurement
            "DIASTOLIC": [82.0, np.nan, np.nan, np.nan],
        }
    )
    pd.testing.assert_frame_equal(cohort.table[PEOPLE], expected, check_dtype=False)
    assert cohort.target == "DIE_1y"


def test_codes_are_categories_with_their_version_as_bytes(cohort: Cohort) -> None:
    codes = cohort.table.drop(columns=PEOPLE)
    assert list(codes) == ["icd10_E11", "icd10_V70", "icd9_001", "icd9_250", "icd9_401", "icd9_V70"]
    assert set(codes.dtypes) == {np.dtype("uint8")}
    assert codes.to_numpy().tolist() == [
        [1, 0, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [0, 1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ]


def test_phecodes_by_truncated_codes(release: Path, tmp_path: Path) -> None:
    maps = write_phecode_maps(tmp_path / "maps")
    cohort = load_mimic_iv(release, phecode_map_dir=maps)
    codes = cohort.table.drop(columns=PEOPLE)
    # 25000 -> 250 (two characters cut; two phecodes), E119 and E1165 -> E11 (one and two cut),
    # 0010 -> 001 -> 008; 4019 is cut to 401 and 40, which the map does not have; nor V707
    assert list(codes) == ["phe_008", "phe_250", "phe_250.2"]
    assert codes.to_numpy().tolist() == [[0, 1, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert any("3 in none" in note for note in cohort.report.notes)


def test_constraints_are_those_that_every_patient_keeps(release: Path, tmp_path: Path) -> None:
    maps = write_phecode_maps(tmp_path / "maps")
    assert load_mimic_iv(release).constraints == ("DIASTOLIC < SYSTOLIC",)
    cohort = load_mimic_iv(release, phecode_map_dir=maps)
    assert cohort.constraints == ("DIASTOLIC < SYSTOLIC",)
    note = "not a constraint, 1 rows break it: `phe_250.2` <= phe_250"  # the second patient
    assert note in cohort.report.notes


def test_phecode_truncations_depend_on_the_version() -> None:
    known = PhecodeMap({9: {"250": ("phe_250",)}, 10: {"E11": ("phe_250.2",)}})
    assert known("25000", 9) == ("phe_250",)
    assert known("250001", 9) == ()  # three cut: ICD-10 only
    assert known("E11651", 10) == ("phe_250.2",)
    assert known("E116511", 10) == ()


def test_phecode_maps_are_told_apart_and_missed(release: Path, tmp_path: Path) -> None:
    maps = write_phecode_maps(tmp_path / "maps")
    (maps / "map10.csv").unlink()
    with pytest.raises(
        TableError, match=r"maps has no phecode map for ICD-10: .*icd10 and phecode"
    ):
        load_mimic_iv(release, phecode_map_dir=maps)
    write_phecode_maps(maps)
    (maps / "again.csv").write_text("icd9,phecode\n1,2\n")
    with pytest.raises(TableError, match=r"two maps for ICD-9: again\.csv and map9\.csv"):
        load_mimic_iv(release, phecode_map_dir=maps)
    with pytest.raises(TableError, match="nowhere is no folder"):
        load_mimic_iv(release, phecode_map_dir=tmp_path / "nowhere")
    (maps / "again.csv").unlink()
    (maps / "map9.csv").write_text("icd9,phecode\n250,diabetes\n")
    with pytest.raises(TableError, match=r"map9\.csv: 'diabetes' is no phecode"):
        load_mimic_iv(release, phecode_map_dir=maps)


def test_published_choices(release: Path) -> None:
    cohort = load_mimic_iv(release, cohort="published", seed=3)
    table = cohort.table
    races = [name for name in table if name.startswith("RACE_")]
    assert len(races) == 6
    assert (table[races].sum(axis=1) == 1).all()
    assert "RACE" not in table
    assert not table.isna().any().any()
    assert set(table["BMI"]) == {28.5}  # drawn from the observed ones, after the rules
    assert cohort.min_prevalence == 0
    again = load_mimic_iv(release, cohort="published", seed=3)
    pd.testing.assert_frame_equal(table, again.table)
    with pytest.raises(ConfigError, match="it is default or published"):
        load_mimic_iv(release, cohort="new")  # type: ignore[arg-type]


def test_published_drops_rare_codes_and_default_leaves_them_to_training(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rlsyn_env.tables.datasets.mimic_iv import cohort as module

    monkeypatch.setattr(module, "MIN_PREVALENCE", 0.2)  # of the 6 patients before the last rules
    published = load_mimic_iv(release, cohort="published").table
    assert [name for name in published if name.startswith("icd")] == ["icd10_E11"]
    default = load_mimic_iv(release)
    assert default.min_prevalence == 0.2
    assert "icd9_250" in default.table


@pytest.mark.parametrize(
    ("race", "expected"),
    [
        ("WHITE - RUSSIAN", "WHITE"),
        ("HISPANIC OR LATINO", "HISPANIC"),
        ("UNKNOWN", "UNKNOWN"),
        ("ASIAN - CHINESE", "ASIAN"),
        ("AMERICAN INDIAN/ALASKA NATIVE", "OTHER"),
        (np.nan, "UNKNOWN"),
    ],
)
def test_race_groups(race: object, expected: str) -> None:
    assert race_of(race) == expected


@pytest.mark.parametrize("rows", [1, 3])  # a chunk of one row has nothing but numbers in it
def test_chunks_change_nothing(
    release: Path, cohort: Cohort, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    from rlsyn_env.tables.datasets.mimic_iv import measurements

    def small(path, columns):
        return read_chunks(path, columns, rows=rows)

    monkeypatch.setattr(measurements, "read_chunks", small)
    monkeypatch.setattr(diagnoses, "read_chunks", small)
    pd.testing.assert_frame_equal(load_mimic_iv(release).table, cohort.table)


def test_plain_csv(tmp_path: Path, cohort: Cohort) -> None:
    plain = load_mimic_iv(write_release(tmp_path / "plain", suffix=".csv"))
    pd.testing.assert_frame_equal(plain.table, cohort.table)


def test_wrong_folders_name_what_is_expected(release: Path, tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere does not exist: give the folder of .*MIMIC-IV"):
        load_mimic_iv(tmp_path / "nowhere")
    with pytest.raises(TableError, match="is a file: give the folder"):
        load_mimic_iv(release / "hosp" / "omr.csv.gz")
    with pytest.raises(TableError, match=rf"patients\.csv\.gz .*give {release}$"):
        load_mimic_iv(release / "hosp")
    with pytest.raises(TableError, match=rf"give {release}$"):
        load_mimic_iv(release.parent)
    (release / "hosp" / "omr.csv.gz").unlink()
    with pytest.raises(TableError, match=r"hosp/omr\.csv\.gz \(or \.csv\) does not exist"):
        load_mimic_iv(release)


def test_other_releases_are_named(release: Path, tmp_path: Path) -> None:
    (release / "core").mkdir()
    (release / "hosp" / "patients.csv.gz").rename(release / "core" / "patients.csv.gz")
    with pytest.raises(TableError, match=r"is MIMIC-IV 1\.x"):
        load_mimic_iv(release)
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "PATIENTS.csv.gz").write_bytes(b"")
    with pytest.raises(TableError, match="is MIMIC-III"):
        load_mimic_iv(tmp_path / "three")


def test_broken_files_are_named(release: Path) -> None:
    hosp = release / "hosp"
    admissions = pd.read_csv(hosp / "admissions.csv.gz")
    admissions.rename(columns={"race": "ethnicity"}).to_csv(hosp / "admissions.csv.gz", index=False)
    with pytest.raises(TableError, match=r"admissions\.csv\.gz lacks the column race; it has"):
        load_mimic_iv(release)
    admissions.assign(dischtime="soon").to_csv(hosp / "admissions.csv.gz", index=False)
    with pytest.raises(TableError, match=r"admissions\.csv\.gz, row 1: dischtime is 'soon'"):
        load_mimic_iv(release)
    write_release(release)
    whole = (hosp / "diagnoses_icd.csv.gz").read_bytes()
    (hosp / "diagnoses_icd.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match=r"cannot read .*diagnoses_icd\.csv\.gz"):
        load_mimic_iv(release)
    write_release(release)
    (hosp / "patients.csv.gz").unlink()
    patients = "subject_id,gender,anchor_age,anchor_year,dod\n1,F,fifty,2150,\n"
    (hosp / "patients.csv").write_text(patients)
    with pytest.raises(TableError, match=r"cannot read .*patients\.csv"):
        load_mimic_iv(release)


def test_an_unknown_icd_version_is_refused(release: Path) -> None:
    path = release / "hosp" / "diagnoses_icd.csv.gz"
    table = pd.read_csv(path, dtype={"icd_code": str})
    table.assign(icd_version=11).to_csv(path, index=False)
    with pytest.raises(TableError, match=r"icd_version 11 is not 9 or 10"):
        load_mimic_iv(release)


def _demo() -> Path | None:
    root = Path(os.environ.get("RLSYN_SHARED", Path(__file__).parents[4] / "shared"))
    found = sorted((root / "data" / "mimic-iv-demo").glob("mimic-iv-clinical-database-demo-*"))
    return found[0] if found else None


@pytest.mark.skipif(_demo() is None, reason="the MIMIC-IV demo is not here")
def test_open_demo() -> None:
    demo = _demo()
    assert demo is not None
    cohort = load_mimic_iv(demo)
    dropped = {entry.rule: entry.dropped for entry in cohort.report.rules}
    assert cohort.report.start == 100
    assert dropped == {
        NO_ADMISSION: 0,
        IN_HOSPITAL_DEATH: 15,
        IMPLAUSIBLE_BMI: 0,
        IMPLAUSIBLE_PRESSURE: 0,
    }
    assert cohort.table.shape == (85, 7 + 619)
    rows = {
        name: len(pd.read_csv(demo / "hosp" / f"{name}.csv.gz", usecols=["subject_id"]))
        for name in ("patients", "admissions", "diagnoses_icd", "omr")
    }
    assert rows == {"patients": 100, "admissions": 275, "diagnoses_icd": 4506, "omr": 2964}
    assert load_mimic_iv(demo, cohort="published").table.shape == (85, 12 + 619)
