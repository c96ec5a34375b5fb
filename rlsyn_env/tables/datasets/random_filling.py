"""Missing values filled by random draws: what the published cohorts did, kept for comparison."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError


def fill_at_random(
    table: pd.DataFrame, columns: Iterable[str], rng: np.random.Generator
) -> tuple[pd.DataFrame, int]:
    """Return ``table`` with each missing value replaced by an observed one of its column.

    Every column is drawn for itself, so the filling has that column's distribution and no
    relation to the other columns.

    Returns:
        The filled table, and how many values were filled.

    Raises:
        TableError: a column has no observed value to draw from.
    """
    table = table.copy(deep=False)
    filled = 0
    for name in columns:
        missing = table[name].isna().to_numpy()
        if not missing.any():
            continue
        observed = table[name][~missing].to_numpy()
        if not len(observed):
            raise TableError(f"column {name!r} has no observed value to fill missing ones from")
        values = table[name].to_numpy(copy=True)
        values[missing] = rng.choice(observed, size=int(missing.sum()))
        table[name] = values
        filled += int(missing.sum())
    return table, filled
