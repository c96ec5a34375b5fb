"""A written report of a table that is nasty in every way, shared by the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.metrics import evaluate, fidelity, utility
from rlsyn_env.metrics.html_report import write_html
from rlsyn_env.tables.schema import ColumnKind

NASTY = 'dose $/kg <script>alert("x")</script> & "more"'


@pytest.fixture(scope="session")
def tables(make_cohort):
    """Train, test and synthetic tables: missing values, dates, rare levels, an HTML-like name."""
    made = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        table = make_cohort(90, seed).rename(columns={"glucose": NASTY})
        table["visit"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(
            rng.integers(0, 900, len(table)), "D"
        )
        table["site"] = rng.choice([f"site {k} of many sites" for k in range(15)], len(table))
        table["pressure"] = table["pressure"].mask(rng.random(len(table)) < 0.2)
        table["sex"] = table["sex"].mask(rng.random(len(table)) < 0.1)
        made.append(table)
    return tuple(made)


@pytest.fixture(scope="session")
def schema(make_schema):
    kinds = {
        "age": ColumnKind.INTEGER,
        "pressure": ColumnKind.CONTINUOUS,
        NASTY: ColumnKind.CONTINUOUS,
        "marker": ColumnKind.CONTINUOUS,
        "sex": ColumnKind.BINARY,
        "stage": ColumnKind.CATEGORICAL,
        "outcome": ColumnKind.BINARY,
        "visit": ColumnKind.DATETIME,
        "site": ColumnKind.CATEGORICAL,
    }
    levels = {
        "sex": ("F", "M"),
        "stage": ("I", "II", "III"),
        "outcome": (0, 1),
        "site": tuple(f"site {k} of many sites" for k in range(15)),
    }
    return make_schema(levels, target="outcome", **kinds)


@pytest.fixture(scope="session")
def report(tables, schema):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "N_TREES", 15)
        patch.setattr(utility, "N_TREES", 15)
        return evaluate(*tables, schema=schema, n_bootstrap=20)


@pytest.fixture(scope="session")
def page(report, tables, schema, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    steps = np.arange(40) * 1000.0
    write_html(
        report,
        *tables,
        path,
        schema=schema,
        curves={
            "reward/mean": (steps, np.log1p(steps)),
            "never logged": (steps, np.full(40, np.nan)),
        },
        provenance={"command": "evaluate.py runs/<name>"},
        limits={"c2st": (0.49, 0.51), "s2r": (0.0, None)},
    )
    return path
