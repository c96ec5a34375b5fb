"""Cohorts by name, and the report of dropped rows."""

from __future__ import annotations

from pathlib import Path

import pytest

import rlsyn_env.datasets
from rlsyn_env.cohorts import COHORTS, CohortOptions, build_cohort
from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.datasets import load_dataset
from rlsyn_env.tables.datasets.cohort_report import CohortReport
from tests.tables.datasets.mimic_release import write_release


def test_every_cohort_by_name(tmp_path: Path) -> None:
    mimic = build_cohort("mimic-iv", CohortOptions(data_dir=write_release(tmp_path)))
    assert mimic.name == "mimic-iv"
    ehr = build_cohort("simulated-ehr", CohortOptions(rows=50, codes=12), seed=1)
    assert (ehr.name, ehr.table.shape) == ("simulated-ehr", (50, 19))
    days = build_cohort("simulated-patient-days", CohortOptions(rows=100))
    assert days.table["person_id"].nunique() == 10
    assert load_dataset("simulated-patient-days").table.shape[1] == 109
    assert all(kind.description for kind in COHORTS.values())


def test_options_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="no cohort 'x'; cohorts are mimic-iv"):
        build_cohort("x")
    with pytest.raises(
        ConfigError, match="ai-readi is built from your copy of it: give --data-dir"
    ):
        load_dataset("ai-readi")
    with pytest.raises(ConfigError, match="--phecode-map-dir is no option of the cohort ai-readi"):
        build_cohort("ai-readi", CohortOptions(data_dir="x", phecode_map_dir="y"))
    with pytest.raises(ConfigError, match="cohort 'other' is not known"):
        build_cohort("mimic-iv", CohortOptions(data_dir="x", cohort="other"))  # type: ignore[arg-type]


def test_report() -> None:
    report = CohortReport("patients", 1200)
    report.drop("too young", 200)
    report.drop("no visit", 0)
    report.notes.append("a remark")
    assert report.left == 1000
    assert report.dropped_by("too young") == 200
    assert str(report).splitlines() == [
        "     1,200  patients at the start",
        "      -200  too young",
        "         0  no visit",
        "     1,000  patients left",
        "            a remark",
    ]


def test_public_names_are_all_there() -> None:
    for name in rlsyn_env.datasets.__all__:
        assert callable(getattr(rlsyn_env.datasets, name))
    with pytest.raises(AttributeError, match="has no attribute 'simulate'"):
        rlsyn_env.datasets.simulate  # noqa: B018
