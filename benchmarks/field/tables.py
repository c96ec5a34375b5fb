"""The tables of the field: where they lie, what is predicted, which rows train."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.field.subsets import stratified_order
from rlsyn_env.errors import ConfigError
from rlsyn_env.tables.datasets import DATASETS, load_dataset
from rlsyn_env.tables.inference import infer_schema
from rlsyn_env.tables.schema import ColumnKind, TableSchema
from rlsyn_env.tables.splits import split_rows

TEST_SIZE = 0.3

Target = Callable[[pd.Series], pd.Series]


@dataclass(frozen=True)
class FieldTable:
    """Where a table comes from and how it is prepared, the same for everybody.

    Attributes:
        name: name on the command line.
        target: column to predict.
        path: file below ``--data-dir``; None for tables that come with scikit-learn.
        categorical: columns of numbers that are codes, not quantities.
        binary_target: makes the target 0/1 where it has more classes.
        official_train_rows: the first so many rows train, whatever the seed; None for a split.
        default: part of a matrix that names no tables.
        train_rows: so many of the training rows train, see :meth:`PreparedTable.split`; None: all.
    """

    name: str
    target: str
    path: str | None = None
    categorical: tuple[str, ...] = ()
    binary_target: Target | None = None
    official_train_rows: int | None = None
    default: bool = True
    train_rows: int | None = None

    def at(self, rows: int | None) -> FieldTable:
        """Return the table with ``rows`` training rows (None: all), named ``NAME@ROWS``."""
        return dataclasses.replace(self, name=f"{self.name}@{rows or 'all'}", train_rows=rows)

    @property
    def dataset(self) -> str:
        """Its name without the number of training rows."""
        return self.name.partition("@")[0]


@dataclass(frozen=True, eq=False)
class PreparedTable:
    """A table with its schema (kinds and levels, no bounds) and its target."""

    name: str
    table: pd.DataFrame
    schema: TableSchema
    target: str
    official_train_rows: int | None = None
    train_rows: int | None = None

    def split(self, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return training and test rows of a seed; the same rows for every generator.

        With ``train_rows`` the training rows are a stratified part of those of the whole table:
        a smaller part lies within every larger one, and the test rows stay the same.
        """
        if self.official_train_rows is not None:
            n = self.official_train_rows
            train, test = self.table.iloc[:n], self.table.iloc[n:]
        else:
            split = split_rows(
                self.table, test_size=TEST_SIZE, validation_size=0.0, seed=seed, target=self.target
            )
            train, test = self.table.iloc[split.train], self.table.iloc[split.test]
        if self.train_rows is not None:
            train = train.iloc[stratified_order(train[self.target], seed)[: self.train_rows]]
        return train, test


def _above_zero(values: pd.Series) -> pd.Series:
    return (values > 0).astype(np.int64)


def _not_negative(values: pd.Series) -> pd.Series:
    return (values != "negative").astype(np.int64)


FIELD_TABLES: dict[str, FieldTable] = {
    table.name: table
    for table in (
        FieldTable("heart-failure", "DEATH_EVENT", "heart-failure/heart_failure.csv"),
        FieldTable("pima", "Outcome", "pima/pima.csv"),
        FieldTable(
            "breast-cancer-ljubljana",
            "class",
            "breast-cancer-ljubljana/breast_cancer_ljubljana.csv",
            categorical=("deg_malig",),
        ),
        FieldTable("breast_cancer", "target"),
        FieldTable("diabetes", "target"),
        FieldTable(
            "heart-4centers",
            "num",
            "heart-4centers/heart_4centers.csv",
            categorical=("cp", "restecg", "slope", "thal"),
            binary_target=_above_zero,
        ),
        FieldTable(
            "hypothyroid", "Class", "hypothyroid/hypothyroid.csv", binary_target=_not_negative
        ),
        FieldTable(
            "shoppers",
            "Revenue",
            "shoppers/shoppers.csv",
            categorical=("OperatingSystems", "Browser", "Region", "TrafficType"),
            default=False,
        ),
        FieldTable(
            "adult", "income", "adult/adult.csv.gz", official_train_rows=32_561, default=False
        ),
        FieldTable(
            "ehr-wide-diab130",
            "readmit30_any",
            "ehr-wide-diab130/diab130_wide_10k.csv.gz",
            default=False,
        ),
    )
}
"""Tables in the order in which they are run and shown: small ones first."""


def choose_tables(names: list[str] | None, data_dir: Path | None) -> list[FieldTable]:
    """Return the named tables, or all default ones that are there.

    Raises:
        ConfigError: a name is unknown, or the file of a named table does not exist.
    """
    if names is None:
        there = [table for table in FIELD_TABLES.values() if table.default]
        return [table for table in there if _is_there(table, data_dir)]
    for name in names:
        if name not in FIELD_TABLES:
            raise ConfigError(f"no table {name!r}; tables are {', '.join(FIELD_TABLES)}")
        table = FIELD_TABLES[name]
        if not _is_there(table, data_dir):
            where = f"is not in {data_dir}" if data_dir else "needs --data-dir"
            raise ConfigError(f"table {name!r} ({table.path}) {where}")
    return [FIELD_TABLES[name] for name in dict.fromkeys(names)]


def _is_there(table: FieldTable, data_dir: Path | None) -> bool:
    if table.path is None:
        return table.dataset in DATASETS
    return data_dir is not None and (data_dir / table.path).is_file()


def prepare(field_table: FieldTable, data_dir: Path | None) -> PreparedTable:
    """Read a table, make its target binary, drop what holds no information, fix its schema.

    Columns that are empty or constant in the whole table are left out for everybody.
    """
    return prepare_rows(field_table, _read(field_table, data_dir))


def prepare_rows(field_table: FieldTable, table: pd.DataFrame) -> PreparedTable:
    """Prepare rows that are there already, as :func:`prepare` does; ``table`` stays as it is."""
    table, target = table.copy(), field_table.target
    if field_table.binary_target is not None:
        table[target] = field_table.binary_target(table[target])
    varies = [name for name in table.columns if table[name].nunique(dropna=False) > 1]
    table = pd.DataFrame({name: _whole_numbers(table[name]) for name in varies})
    schema = infer_schema(table, target=target)
    columns = tuple(
        dataclasses.replace(
            column, kind=ColumnKind.CATEGORICAL, levels=_levels(table[column.name]), bounds=None
        )
        if column.name in field_table.categorical
        else dataclasses.replace(column, bounds=None)  # bounds are for the training rows to say
        for column in schema.columns
    )
    schema = dataclasses.replace(schema, columns=columns)
    return PreparedTable(
        field_table.name,
        table,
        schema,
        target,
        field_table.official_train_rows,
        field_table.train_rows,
    )


def _read(field_table: FieldTable, data_dir: Path | None) -> pd.DataFrame:
    if field_table.path is None:
        return load_dataset(field_table.dataset).table
    assert data_dir is not None  # choose_tables has looked
    path = data_dir / field_table.path
    return pd.read_csv(path, keep_default_na=False, na_values=[""])  # "None" is a level in some


def _whole_numbers(values: pd.Series) -> pd.Series:
    """Keep codes and counts with missing values whole: 3, not 3.0, in every CSV file."""
    if pd.api.types.is_bool_dtype(values):
        return values.astype(object).map({True: "yes", False: "no"})
    if values.dtype != np.float64 or not values.isna().any():
        return values
    known = values.dropna()
    return values.astype("Int64") if (known == known.round()).all() else values


def _levels(values: pd.Series) -> tuple[int | str, ...]:
    return tuple(
        value.item() if hasattr(value, "item") else value
        for value in sorted(values.dropna().unique())
    )
