"""A table with its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table and where it comes from.

    Attributes:
        name: short name, used for run folders.
        table: the rows.
        target: column to predict, where the dataset names one.
        source_path: file it was read from; None for embedded datasets and DataFrames.
        description: one line.
    """

    name: str
    table: pd.DataFrame
    target: str | None = None
    source_path: Path | None = None
    description: str = ""
