"""From a raw release to a table with its schema, and to a judged run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from rlsyn_env.tables.schema import TableSchema
from tests.tables.datasets.ai_readi_release import write_release as write_ai_readi
from tests.tables.datasets.mimic_release import write_release as write_mimic

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mimic(work: Path) -> Path:
    return write_mimic(work / "mimic", copies=10)


def test_cohort_writes_table_schema_and_report(cli: Cli, work: Path, mimic: Path) -> None:
    code, out, err = cli("cohort", "mimic-iv", "--data-dir", mimic, "--out", "m.parquet")
    assert (code, err) == (0, "")
    assert "       -10  died during the last admission" in out
    assert "m.parquet  (40 x 13)" in out
    table = pd.read_parquet(work / "m.parquet")
    assert table["icd9_250"].dtype == np.uint8
    schema = TableSchema.load(work / "m.schema.yaml")
    assert (schema.target, schema.group, schema.min_prevalence) == ("DIE_1y", None, 5e-5)
    assert all(column.bounds is None for column in schema.columns)


def test_the_table_trains_with_its_schema(cli: Cli, work: Path, tiny: tuple[str, ...]) -> None:
    code, out, _ = cli("cohort", "simulated-patient-days", "--rows", 80, "--out", "d.csv.gz")
    assert code == 0
    assert "schema  d.schema.yaml  (target 'Type 2 Diabetes', group 'person_id')" in out
    run = ("train", "--data", "d.csv.gz", "--schema", "d.schema.yaml", "--out", "run", *tiny)
    code, _, err = cli(*run)
    assert (code, "groups the rows" in err) == (0, True)
    split = json.loads((work / "run" / "split.json").read_text())
    people = pd.read_csv(work / "d.csv.gz")["person_id"]
    parts = [set(people.iloc[split[role]]) for role in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 8


def test_output_files_are_never_replaced(cli: Cli, work: Path) -> None:
    (work / "e.schema.yaml").write_text("mine")
    make = ("cohort", "simulated-ehr", "--rows", 40, "--codes", 12, "--out")
    code, _, err = cli(*make, "e.csv")
    assert (code, "e.schema.yaml exists" in err) == (2, True)
    assert not (work / "e.csv").exists()
    code, _, err = cli(*make, "e.xlsx")
    assert (code, "must end in .parquet, .pq, .csv.gz, .csv" in err) == (2, True)
    assert cli(*make, "f.csv")[0] == 0
    assert pd.read_csv(work / "f.csv").shape == (40, 19)


def test_bad_releases_are_one_line(cli: Cli, work: Path) -> None:
    code, _, err = cli("cohort", "mimic-iv", "--data-dir", work, "--out", "m.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "hosp/patients.csv.gz (or .csv) does not exist" in err
    code, _, err = cli("cohort", "ai-readi", "--data-dir", work, "--out", "m.csv")
    assert (code, "dexcom_g6 does not exist" in err) == (2, True)
    assert list(work.iterdir()) == []


def test_ai_readi(cli: Cli, work: Path) -> None:
    release = write_ai_readi(work / "release")
    code, out, _ = cli("cohort", "ai-readi", "--data-dir", release, "--out", "days.csv")
    assert code == 0
    assert "        -1  glucose missing for over 3 hours" in out
    assert TableSchema.load(work / "days.schema.yaml").group == "person_id"


def test_run_on_a_cohort_is_judged_and_remembers_it(
    cli: Cli, work: Path, mimic: Path, tiny: tuple[str, ...]
) -> None:
    code, out, err = cli(
        "train", "--dataset", "mimic-iv", "--data-dir", "mimic", "--out", "r", *tiny
    )
    assert (code, "-10  no admission" in out) == (0, True), err
    assert "r2r" in out
    options = yaml.safe_load((work / "r" / "config.yaml").read_text())["options"]
    assert options["data_dir"] == str(mimic)
    assert cli("evaluate", "r")[0] == 0

    shutil.move(mimic, work / "moved")
    code, _, err = cli("evaluate", "r")
    assert (code, f"{mimic} does not exist" in err) == (2, True)
    assert cli("evaluate", "r", "--data-dir", work / "moved")[0] == 0
    code, _, err = cli(
        "train", "--resume", "r", "--data-dir", "moved", "--total-records", 128, "--no-progress"
    )
    assert code == 0, err
    assert cli("evaluate", "r")[0] == 0  # the run knows the new place

    write_mimic(work / "moved", copies=11)
    code, _, err = cli("evaluate", "r", "--data-dir", work / "moved")
    assert (code, "44 rows now, 40 then" in err, "--data-dir" in err) == (2, True, True)


def test_codes_absent_from_the_training_rows_are_left_out(
    cli: Cli, work: Path, tiny: tuple[str, ...]
) -> None:
    write_mimic(work / "mimic", copies=10)
    diagnoses = work / "mimic" / "hosp" / "diagnoses_icd.csv.gz"
    table = pd.read_csv(diagnoses, dtype={"icd_code": str})
    first = table.drop_duplicates("subject_id").assign(
        icd_code=[f"A{i:02d}" for i in range(table["subject_id"].nunique())], icd_version=10
    )
    pd.concat([table, first]).to_csv(diagnoses, index=False)
    code, _, err = cli("train", "--dataset", "mimic-iv", "--data-dir", "mimic", "--out", "r", *tiny)
    assert code == 0, err
    schema = TableSchema.load(work / "r" / "schema.yaml")
    split = json.loads((work / "r" / "split.json").read_text())
    cli("cohort", "mimic-iv", "--data-dir", "mimic", "--out", "m.csv")
    train = pd.read_csv(work / "m.csv").iloc[split["train"]]
    codes = [name for name in train if name.startswith("icd")]
    absent = {name for name in codes if not train[name].any()}
    assert absent == set(schema.dropped)
    assert len(absent) > 5
    synthetic = pd.read_csv(work / "r" / "synthetic.csv")
    assert not absent & set(synthetic)
    assert cli("evaluate", "r")[0] == 0


def test_cohort_options_need_their_cohort(cli: Cli) -> None:
    code, _, err = cli("train", "--rows", 50)
    assert code == 2
    assert "--rows goes with --dataset simulated-ehr or simulated-patient-days only" in err
    code, _, err = cli("train", "--dataset", "mimic-iv")
    assert (code, "give --data-dir" in err) == (2, True)
    code, _, err = cli("train", "--dataset", "simulated-ehr", "--cohort", "published")
    assert (code, "--cohort is no option of the cohort simulated-ehr" in err) == (2, True)


def test_simulated_cohort_is_rebuilt(cli: Cli, work: Path, tiny: tuple[str, ...]) -> None:
    options = ("--dataset", "simulated-ehr", "--rows", 80, "--codes", 12)
    assert cli("train", *options, "--out", "r", *tiny)[0] == 0
    assert cli("evaluate", "r")[0] == 0
    config = work / "r" / "config.yaml"
    config.write_text(config.read_text().replace("codes: 12", "codes: 13"))
    code, _, err = cli("evaluate", "r")
    assert (code, "SHA-256 differs" in err) == (2, True)
