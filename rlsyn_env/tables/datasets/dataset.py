"""A table with its name, and a cohort: a table built by rules from a raw release."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from rlsyn_env.tables.datasets.cohort_report import CohortReport


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table and where it comes from.

    Attributes:
        name: short name, used for run folders.
        table: the rows.
        target: column to predict, where the dataset names one.
        source_path: file it was read from; None for embedded datasets and DataFrames.
        description: one line.
        group: column whose rows stay together in a split (a patient), where there is one.
        min_prevalence: 0/1 columns that are rarer among the training rows are dropped after the
            split (see :attr:`rlsyn_env.tables.schema.TableSchema.min_prevalence`).
    """

    name: str
    table: pd.DataFrame
    target: str | None = None
    source_path: Path | None = None
    description: str = ""
    group: str | None = None
    min_prevalence: float = 0.0


@dataclass(frozen=True, eq=False)
class Cohort(Dataset):
    """A dataset built by rules.

    Attributes:
        report: rows that each rule dropped.
        static_columns: columns that repeat over the rows of a group (a patient's laboratory values
            over the patient's days); the other features differ from row to row.
        constraints: expressions over column names that hold in every row, in pandas' ``query``
            syntax (```not (SEX == 'M' and dx_0012 == 1)```).
    """

    report: CohortReport = field(default_factory=lambda: CohortReport("rows", 0))
    static_columns: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
