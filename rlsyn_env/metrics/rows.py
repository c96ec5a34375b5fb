"""Which rows take part in which figure: roles, equal sizes, references, stated subsamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rlsyn_env.errors import TableError
from rlsyn_env.metrics.bootstrap import stream
from rlsyn_env.metrics.pair_trends import MAX_COLUMNS_FOR_ALL_PAIRS, N_RANDOM_PAIRS
from rlsyn_env.metrics.preparation import (
    Feature,
    FeatureTable,
    encode_tables,
    group_codes,
    independent_marginals,
    refuse_far_values,
    subsample,
)
from rlsyn_env.tables.schema import TableSchema

MIN_ROWS = 10
MAX_FIDELITY_ROWS = 10_000
MAX_FOREST_ROWS = 5_000
MAX_C2ST_ROWS = 2_000
MAX_MEMBERSHIP_ROWS = 5_000
MIN_MEMBERSHIP_ROWS = 750
MAX_ATTACKED_ROWS = 100_000
MAX_MEMBERSHIP_DISTANCES = 150_000_000


@dataclass(frozen=True)
class JudgedRows:
    """The encoded tables of one evaluation, and the independent-marginals reference.

    ``independent`` has as many rows as ``synthetic``, so the two are treated alike everywhere.
    """

    features: tuple[Feature, ...]
    train: FeatureTable
    test: FeatureTable
    synthetic: FeatureTable
    independent: FeatureTable
    seed: int

    @property
    def fidelity_size(self) -> int:
        """Rows of a table that are compared with the test rows: the same for every column.

        A distance between two samples falls with their size, so 100,000 synthetic rows and 400
        real ones cannot stand in one line.
        """
        return min(self.train.n_rows, self.synthetic.n_rows, MAX_FIDELITY_ROWS)

    @property
    def membership_size(self) -> int:
        """Most members (and non-members) of the attack.

        Work is bounded by attacking fewer records, not by hiding synthetic rows from the attacker:
        an attack on part of a table that copies everybody would find only part of them.
        """
        attacked = min(self.synthetic.n_rows, MAX_ATTACKED_ROWS)
        affordable = MAX_MEMBERSHIP_DISTANCES // attacked
        return min(max(affordable, MIN_MEMBERSHIP_ROWS), MAX_MEMBERSHIP_ROWS)

    def cut(self, table: FeatureTable, size: int, purpose: str) -> FeatureTable:
        """Return at most ``size`` rows of ``table``, the same ones for the same purpose."""
        if table.n_rows <= size:
            return table
        return table.take(subsample(table.n_rows, size, stream(self.seed, purpose)))


def judged_rows(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema,
    *,
    group: str | None,
    seed: int,
) -> tuple[JudgedRows, list[str]]:
    """Encode the three tables and draw the reference; also returns notices for the reader.

    Raises:
        TableError: a table has fewer than 10 rows, lacks a column, or holds a wrong value or one
            that is too far from the training rows.
    """
    tables = {"train": train, "test": test, "synthetic": synthetic}
    for role, table in tables.items():
        if len(table) < MIN_ROWS:
            raise TableError(
                f"the {role} table has {len(table)} rows; an evaluation needs at least {MIN_ROWS}"
            )
    features, encoded = encode_tables(tables, schema, exclude=(group,) if group else ())
    refuse_far_values(features, tables, encoded)
    notices = list(schema.notices())
    named = {column.name for column in schema.columns}
    extra = [str(name) for name in synthetic.columns if name not in named and name != group]
    if extra:
        notices.append(f"synthetic columns unknown to the schema are ignored: {', '.join(extra)}")
    if group is not None:
        for role in ("train", "test"):
            if group not in tables[role].columns:
                raise TableError(f"the {role} table has no group column {group!r}")
        if test[group].nunique() + test[group].isna().sum() < 2:  # missing: a group of its own
            raise TableError(
                f"the test table holds a single group of {group!r}; an evaluation needs several"
            )
        shared = set(train[group].dropna()) & set(test[group].dropna())
        if shared:
            notices.append(
                f"{len(shared)} value(s) of {group!r} occur in train and in test: held-out rows "
                "are not held out by group, so every figure flatters"
            )
        codes = group_codes(train[group])
        encoded["train"] = encoded["train"].with_groups(codes)
        after = int(codes.max()) + 1
        encoded["test"] = encoded["test"].with_groups(group_codes(test[group], first=after))
    independent = independent_marginals(encoded["train"], len(synthetic), stream(seed, "marginals"))
    notices += _unknown_values(features, encoded["synthetic"])
    rows = JudgedRows(
        features, encoded["train"], encoded["test"], encoded["synthetic"], independent, seed
    )
    return rows, notices + _size_notices(rows)


def _unknown_values(features: tuple[Feature, ...], synthetic: FeatureTable) -> list[str]:
    """Name columns most of whose synthetic values no real row can have: a forest sees only that."""
    strange = [
        feature.name
        for feature in features
        if not feature.numeric and (synthetic.columns[feature.name] >= feature.n_known).mean() > 0.5
    ]
    if not strange:
        return []
    return [
        f"most synthetic values of {', '.join(map(repr, strange))} are no level of it, which "
        "alone tells the row from real ones; round numbers that stand for levels to them"
    ]


def _size_notices(rows: JudgedRows) -> list[str]:
    """State every subsample, so that no figure is read as one of the whole table."""
    notices = []
    size = rows.fidelity_size
    if size < rows.synthetic.n_rows:
        notices.append(
            f"fidelity and utility use {size:,} of {rows.synthetic.n_rows:,} synthetic rows: as "
            "many as there are training rows, so that the reference columns are comparable"
            if size == rows.train.n_rows
            else f"fidelity figures use {size:,} of {rows.synthetic.n_rows:,} synthetic rows"
        )
    if rows.test.n_rows > MAX_FIDELITY_ROWS:
        notices.append(f"{MAX_FIDELITY_ROWS:,} of {rows.test.n_rows:,} test rows are scored")
    if len(rows.features) > MAX_COLUMNS_FOR_ALL_PAIRS:
        notices.append(f"figures of pairs of columns look at {N_RANDOM_PAIRS:,} random pairs")
    if min(size, rows.test.n_rows) > MAX_C2ST_ROWS:
        notices.append(f"c2st uses {MAX_C2ST_ROWS:,} rows of each kind")
    if max(size, rows.train.n_rows) > MAX_FOREST_ROWS:
        notices.append(f"models of the utility figures are trained on {MAX_FOREST_ROWS:,} rows")
    if max(rows.train.n_rows, rows.test.n_rows) > rows.membership_size:
        notices.append(
            f"membership inference is tried on at most {rows.membership_size:,} training and as "
            "many test rows"
        )
    if rows.synthetic.n_rows > MAX_ATTACKED_ROWS:
        notices.append(
            f"membership inference looks at {MAX_ATTACKED_ROWS:,} of {rows.synthetic.n_rows:,} "
            "synthetic rows: the whole table may give away more"
        )
    return notices


def halves(table: FeatureTable, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split the rows at random into two int64 position arrays of about equal size, by group."""
    units = np.arange(table.n_rows) if table.groups is None else table.groups
    uniques, positions = np.unique(units, return_inverse=True)
    order = rng.permutation(len(uniques))
    in_first = np.zeros(len(uniques), dtype=bool)
    in_first[order[: len(uniques) // 2]] = True
    return np.flatnonzero(in_first[positions]), np.flatnonzero(~in_first[positions])
