"""Tables by name or path.

``load_dataset`` takes an embedded name, the name of a simulated cohort, the path of a CSV or
Parquet file, or a DataFrame. Cohorts that need a folder come from ``build_cohort``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rlsyn_env.cohorts import COHORTS, build_cohort
from rlsyn_env.errors import TableError
from rlsyn_env.tables.datasets import embedded
from rlsyn_env.tables.datasets.dataset import Dataset
from rlsyn_env.tables.reader import read_table
from rlsyn_env.tables.schema import nearest

__all__ = ["DATASETS", "Dataset", "DatasetInfo", "describe_datasets", "load_dataset"]

DATASETS: dict[str, Callable[[], Dataset]] = {
    "breast_cancer": embedded.breast_cancer,
    "diabetes": embedded.diabetes,
}
"""Embedded datasets by name."""


@dataclass(frozen=True)
class DatasetInfo:
    """One line of ``rlsyn datasets``."""

    name: str
    rows: int
    columns: int
    target: str | None
    description: str


def load_dataset(dataset: str | os.PathLike[str] | pd.DataFrame | Dataset) -> Dataset:
    """Return a dataset by embedded name, by path, or from a DataFrame.

    A name wins over a file of the same name without suffix. TableError when it is neither a known
    name nor an existing file, or when the file cannot be read; ConfigError for a cohort that is
    built from a folder.
    """
    if isinstance(dataset, Dataset):
        return dataset
    if isinstance(dataset, pd.DataFrame):
        return Dataset("table", dataset)
    if isinstance(dataset, str) and dataset in DATASETS:
        return DATASETS[dataset]()
    if isinstance(dataset, str) and dataset in COHORTS:
        return build_cohort(dataset)
    path = Path(dataset)
    if isinstance(dataset, str) and not path.exists() and not path.suffix and path.name == dataset:
        hint = nearest(dataset, [*DATASETS, *COHORTS], show=False)
        raise TableError(
            f"no dataset {dataset!r}{hint}; embedded datasets are {', '.join(DATASETS)}, cohorts "
            f"{', '.join(COHORTS)}, and the path of a CSV or Parquet file works too"
        )
    return Dataset(path.name.split(".")[0] or "table", read_table(path), source_path=path)


def describe_datasets() -> list[DatasetInfo]:
    """Return name, size, target and description of every embedded dataset."""
    infos = []
    for load in DATASETS.values():
        data = load()
        rows, columns = data.table.shape
        infos.append(DatasetInfo(data.name, rows, columns, data.target, data.description))
    return infos
