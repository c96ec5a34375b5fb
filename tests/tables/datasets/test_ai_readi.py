"""The AI-READI loader on a made-up release in the exact layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.datasets import load_ai_readi
from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets.ai_readi.daily_columns import DAILY_COLUMNS, HEART_RATE_RULE
from rlsyn_env.tables.datasets.ai_readi.grid import LONGEST_GAP, interpolate
from rlsyn_env.tables.datasets.ai_readi.readings import activity, heart_rate, stress
from rlsyn_env.tables.datasets.dataset import Cohort
from rlsyn_env.tables.splits import split_rows
from tests.tables.datasets.ai_readi_release import (
    PEOPLE,
    SLOTS,
    Person,
    heart_rate_of,
    write_release,
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("ai_readi"))


@pytest.fixture(scope="module")
def cohort(release: Path) -> Cohort:
    return load_ai_readi(release)


def days_of(cohort: Cohort, patient: int) -> pd.DataFrame:
    table = cohort.table
    return table[table["person_id"] == patient].reset_index(drop=True)


def test_days_and_rejections(cohort: Cohort) -> None:
    assert cohort.table["person_id"].tolist() == [1001, 1001, 1002, 1004, 1004]
    dropped = {entry.rule.split(" missing")[0]: entry.dropped for entry in cohort.report.rules}
    assert cohort.report.start == 8
    assert dropped == {
        "heart rate": 0, "respiration": 0, "stress": 2, "glucose": 1, "steps": 0, "activity": 0,
    }  # fmt: skip
    assert cohort.report.left == len(cohort.table)
    assert "3 of 4 participants have complete days" in str(cohort.report)


def test_daily_values(cohort: Cohort) -> None:
    day = days_of(cohort, 1002).iloc[0]
    line = heart_rate_of(np.arange(SLOTS))
    assert day["mean_heart_rate"] == pytest.approx(line.mean())
    assert day["resting_heart_rate"] == pytest.approx(line[:6].mean())
    assert day["mean_glucose"] == 110
    assert day["sd_glucose"] == 0
    assert day["mean_stress"] == 25
    assert day["mean_respiration"] == 14
    assert day["total_steps"] == 2400
    assert day["total_kcal"] == 5 * SLOTS
    hours = [day[name] for name in DAILY_COLUMNS[8:]]
    assert hours == pytest.approx([4, 1, 0, 0.5, 0, 0, 2, 22])


def test_a_gap_of_three_hours_is_interpolated(cohort: Cohort) -> None:
    first, second = days_of(cohort, 1001).to_dict("records")
    assert first["mean_heart_rate"] == pytest.approx(second["mean_heart_rate"])


def test_low_and_high_are_the_limits_of_the_sensor(cohort: Cohort) -> None:
    first = days_of(cohort, 1001).iloc[0]
    assert first["mean_glucose"] == pytest.approx((286 * 110 + 40 + 400) / SLOTS)


def test_missing_sleep_and_ecg_stay_missing(cohort: Cohort) -> None:
    days = days_of(cohort, 1004)
    sleep = ["hours_light_sleep", "hours_deep_sleep", "hours_rem_sleep", "hours_awake"]
    assert days[sleep].isna().all(axis=None)
    assert days["ecg_Rate"].isna().all()
    assert days["ecg_interpretation"].isna().all()
    assert days["hours_walking"].tolist() == [2, 2]


def test_static_columns(cohort: Cohort) -> None:
    assert set(cohort.static_columns) == set(cohort.table) - {"person_id", *DAILY_COLUMNS}
    static = cohort.table.groupby("person_id")[list(cohort.static_columns)]
    assert (static.nunique(dropna=False) == 1).all(axis=None)
    row = days_of(cohort, 1001).iloc[0]
    assert row["Type 2 Diabetes"] == 1
    assert row["Cancer (any type)"] == 0
    assert row["HbA1c (%)"] == 5.5  # the latest
    assert row["ecg_QRS"] == -12
    assert row["ecg_interpretation"] == "NORMAL"
    assert "ecg_T" not in cohort.table  # "--" everywhere
    assert {"Insulin [uU]", "Insulin [ng/mL]"} <= set(cohort.table)
    assert "Comment" not in cohort.table
    assert any("Comment" in note for note in cohort.report.notes)
    assert (cohort.group, cohort.target) == ("person_id", "Type 2 Diabetes")


def test_constraints_are_those_that_hold(cohort: Cohort) -> None:
    assert cohort.constraints == (HEART_RATE_RULE,)  # the made-up watch counts sleep as sedentary
    assert any("2 rows" in n or "3 rows" in n for n in cohort.report.notes if "hours" in n)


def test_published_choices(release: Path) -> None:
    table = load_ai_readi(release, cohort="published", seed=1).table
    assert not table.isna().any(axis=None)
    bits = [name for name in table if name.startswith("ecg_interpretation")]
    assert bits == ["ecg_interpretation_BORDERLINE", "ecg_interpretation_NORMAL"]
    assert table[table["person_id"] == 1004]["ecg_Rate"].nunique() == 1  # drawn once a patient
    again = load_ai_readi(release, cohort="published", seed=1).table
    pd.testing.assert_frame_equal(table, again)


def test_days_of_a_patient_are_never_split(tmp_path: Path) -> None:
    people = [Person(str(2000 + i), days=1 + i % 2, diabetes=i % 3 == 0) for i in range(9)]
    cohort = load_ai_readi(write_release(tmp_path, people))
    patients = cohort.table[cohort.group]
    for seed in range(5):
        split = split_rows(
            cohort.table, seed=seed, target=cohort.target, group=cohort.group, test_size=0.3
        )
        parts = [set(patients.iloc[rows]) for rows in (split.train, split.validation, split.test)]
        assert all(parts)
        assert not (parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2])


def test_missing_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="nowhere does not exist"):
        load_ai_readi(tmp_path / "nowhere")
    with pytest.raises(TableError, match=r"dexcom_g6 does not exist; --data-dir is the root"):
        load_ai_readi(tmp_path)
    root = write_release(tmp_path / "dataset", [Person("1", diabetes=True, days=1)])
    with pytest.raises(TableError, match=rf"give {root}$"):
        load_ai_readi(tmp_path)
    (root / "clinical_data" / "measurement.csv").unlink()
    with pytest.raises(TableError, match=r"the file .*measurement\.csv does not exist"):
        load_ai_readi(root)


def test_broken_files_are_named(tmp_path: Path) -> None:
    people = [Person("1", diabetes=True, days=1)]
    root = write_release(tmp_path, people)
    monitor = root / "wearable_activity_monitor"
    rates = monitor / "heart_rate" / "garmin_vivosmart5" / "1" / "1_heartrate.json"
    rates.write_text('{"body": {"heart_rate": [')
    with pytest.raises(TableError, match=r"1_heartrate\.json is not readable JSON"):
        load_ai_readi(root)
    rates.write_text('{"body": {"stress": []}}')
    with pytest.raises(TableError, match=r"1_heartrate\.json has no list body\.heart_rate"):
        load_ai_readi(root)
    rates.write_text('{"body": {"heart_rate": [{"effective_time_frame": {"date_time": "x"}}]}}')
    with pytest.raises(TableError, match=r"entry 1 of body\.heart_rate: expected a field"):
        load_ai_readi(root)
    rates.write_text(
        '{"body": {"heart_rate": [{"effective_time_frame": {"date_time": "noon"},'
        ' "heart_rate": {"value": 60}}]}}'
    )
    with pytest.raises(TableError, match=r"entry 1 of body\.heart_rate: 'noon' is no time"):
        load_ai_readi(root)
    write_release(root, people)
    (root / "clinical_data" / "condition_occurrence.csv").write_text("person_id\n1\n")
    with pytest.raises(TableError, match=r"lacks the column condition_source_value"):
        load_ai_readi(root)
    write_release(root, [Person("1", days=1)])
    with pytest.raises(TableError, match="names type 2 diabetes, the target"):
        load_ai_readi(root)
    write_release(root, people)
    (root / "cardiac_ecg/ecg_12lead/philips_tc30/1/1_ecg.hea").unlink()
    with pytest.raises(TableError, match=r"1_ecg\.hea, named by .*manifest\.tsv, cannot be read"):
        load_ai_readi(root)


def test_no_complete_day_is_an_error(tmp_path: Path) -> None:
    root = write_release(tmp_path, [PEOPLE[2]])
    with pytest.raises(TableError, match=r"none of 2 days of 1 participants .*2 lack stress"):
        load_ai_readi(root)


def test_codes_for_no_reading(tmp_path: Path) -> None:
    path = tmp_path / "1.json"
    moment = '"effective_time_frame": {"date_time": "2023-08-01T08:00:00Z"}'
    path.write_text(f'{{"body": {{"stress": [{{{moment}, "stress": {{"value": -2}}}}]}}}}')
    assert np.isnan(stress(path).value).all()
    path.write_text(f'{{"body": {{"heart_rate": [{{{moment}, "heart_rate": {{"value": 0}}}}]}}}}')
    assert np.isnan(heart_rate(path).value).all()
    path.write_text(
        f'{{"body": {{"activity": [{{{moment}, "activity_name": "",'
        ' "base_movement_quantity": {"value": ""}}]}}'
    )
    assert activity(path).label.tolist() == [""]


def test_interpolation() -> None:
    values = np.arange(100.0)
    short, long = values.copy(), values.copy()
    short[20 : 20 + LONGEST_GAP] = np.nan
    long[20 : 21 + LONGEST_GAP] = np.nan
    assert np.allclose(interpolate(short), values)
    assert np.isnan(interpolate(long)).sum() == LONGEST_GAP + 1  # all of it stays
    edges = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(interpolate(edges), [np.nan, 1, 2, 3, np.nan])
    kinds = np.array([[300.0, 0], [np.nan, np.nan], [np.nan, np.nan], [0, 300]])
    filled = interpolate(kinds, nearest=True)
    assert filled.tolist() == [[300, 0], [300, 0], [0, 300], [0, 300]]
