"""Small made-up tables and their schemas, written by hand so that nothing depends on inference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from rlsyn_env.tables.schema import ColumnKind, ColumnSchema, TableSchema

KINDS = {
    "age": ColumnKind.INTEGER,
    "pressure": ColumnKind.CONTINUOUS,
    "glucose": ColumnKind.CONTINUOUS,
    "marker": ColumnKind.CONTINUOUS,
    "sex": ColumnKind.BINARY,
    "stage": ColumnKind.CATEGORICAL,
    "outcome": ColumnKind.BINARY,
}
LEVELS = {"sex": ("F", "M"), "stage": ("I", "II", "III"), "outcome": (0, 1)}


@pytest.fixture(scope="session")
def make_schema() -> Callable[..., TableSchema]:
    """Return a function (name=kind, ...) -> schema, levels given as ``{name: (...)}``."""

    def make(
        levels: dict[str, tuple] | None = None,
        target: str | None = None,
        group: str | None = None,
        **kinds: ColumnKind,
    ) -> TableSchema:
        columns = tuple(
            ColumnSchema(name, kind, levels=(levels or {}).get(name, ()))
            for name, kind in kinds.items()
        )
        return TableSchema(columns, target=target, group=group)

    return make


@pytest.fixture(scope="session")
def cohort_schema(make_schema: Callable[..., TableSchema]) -> TableSchema:
    return make_schema(LEVELS, target="outcome", **KINDS)


@pytest.fixture(scope="session")
def make_cohort() -> Callable[..., pd.DataFrame]:
    """Return a function (n, seed) -> table of strongly dependent mixed columns."""

    def make(n_rows: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        severity = rng.normal(size=n_rows)
        age = np.round(60 + 10 * severity + rng.normal(0, 4, n_rows))
        stage = np.array(LEVELS["stage"])[np.digitize(severity, [-0.5, 0.7])]
        return pd.DataFrame(
            {
                "age": age.astype(int),
                "pressure": np.round(120 + 12 * severity + rng.normal(0, 5, n_rows), 1),
                "glucose": np.round(np.exp(1.6 + 0.3 * severity + rng.normal(0, 0.2, n_rows)), 2),
                "marker": rng.normal(size=n_rows).round(3),
                "sex": rng.choice(["F", "M"], n_rows),
                "stage": stage,
                "outcome": (severity + rng.normal(0, 0.6, n_rows) > 0.3).astype(int),
            }
        )

    return make
