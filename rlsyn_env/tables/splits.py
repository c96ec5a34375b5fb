"""Train, validation and test rows: stratified by a categorical target, whole groups together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import train_test_split

from rlsyn_env.errors import TableError
from rlsyn_env.tables.column_values import is_datetime, is_text
from rlsyn_env.tables.schema import LEVEL_KINDS, ColumnKind, nearest

IntArray = npt.NDArray[np.int64]

_FEWEST_PER_CLASS = 6
_MOST_NUMBER_CLASSES = 10


@dataclass(frozen=True)
class Split:
    """Row numbers (int64) of the three roles; disjoint, together every row."""

    train: IntArray
    validation: IntArray
    test: IntArray


def split_rows(
    table: pd.DataFrame,
    *,
    test_size: float = 0.3,
    validation_size: float = 0.15,
    seed: int = 0,
    target: str | None = None,
    target_kind: ColumnKind | None = None,
    group: str | None = None,
) -> Split:
    """Split the rows of ``table``.

    Without ``group`` the test rows are exactly those of scikit-learn's
    ``train_test_split(np.arange(n), test_size=test_size, random_state=seed, stratify=target)``,
    so that seed i means the same rows for every generator compared. The validation rows come from
    the remaining ones by the same rule.

    Args:
        table: the rows.
        test_size: share of rows (or groups) for the test, in [0, 1); 0 gives an empty test.
        validation_size: share of the remaining rows, in [0, 1); 0 gives an empty validation.
        seed: random state of both splits.
        target: stratify by this column when it holds classes; classes of fewer than 6 rows are
            pooled. A continuous target is not stratified.
        target_kind: what a schema says of it, see :func:`is_class_target`.
        group: keep rows with the same value together; stratified by each group's commonest target.

    Raises:
        TableError: a named column does not exist, a size is outside [0, 1), or there are too few
            rows or groups.
    """
    for what, size in (("test", test_size), ("validation", validation_size)):
        if not 0 <= size < 1:
            raise TableError(f"{what} size {size} is outside [0, 1)")
    for role, name in (("target", target), ("group", group)):
        if name is not None and name not in table.columns:
            hint = nearest(name, [str(column) for column in table.columns])
            raise TableError(f"{role} {name!r} does not exist in the table{hint}")
    rows = np.arange(len(table), dtype=np.int64)
    classes = None
    if target is not None and is_class_target(table[target], target_kind):
        classes = _codes(table[target])
    units, unit_classes, unit_of_row = rows, classes, rows
    if group is not None:
        unit_of_row = group_codes(table[group])
        units = np.arange(unit_of_row.max() + 1, dtype=np.int64)
        unit_classes = None if classes is None else _commonest(classes, unit_of_row)
        if len(units) < 3:
            raise TableError(f"group {group!r} has {len(units)} groups; at least 3 are needed")
    rest, test = _split(units, test_size, seed, unit_classes)
    train, validation = _split(rest, validation_size, seed, unit_classes)
    if group is None:
        return Split(train, validation, test)
    return Split(*(rows[np.isin(unit_of_row, part)] for part in (train, validation, test)))


def first_of_groups(table: pd.DataFrame, group: str | None) -> npt.NDArray[np.bool_]:
    """Bool ``(n,)``: rows that are the first of their group.

    They are what a table holds in independent evidence: the rows of a group repeat much of one
    another. A row without group is a group of its own; without a group column every row is.
    """
    if group is None or group not in table.columns:
        return np.ones(len(table), dtype=bool)
    column = table[group]
    return (~column.duplicated() | column.isna()).to_numpy(dtype=bool)


def is_class_target(series: pd.Series, kind: ColumnKind | None = None) -> bool:
    """Tell whether a target holds classes: text, categories, booleans, or few whole numbers.

    Args:
        series: its values.
        kind: what a schema says of it: levels are classes, whatever they look like.
    """
    if (
        kind in LEVEL_KINDS
        or isinstance(series.dtype, pd.CategoricalDtype)
        or pd.api.types.is_bool_dtype(series.dtype)
    ):
        return True
    if is_datetime(series):
        return False
    if is_text(series):
        return True
    values = series.dropna().to_numpy(dtype=np.float64)
    return bool(np.all(values == np.round(values))) and (
        len(np.unique(values)) <= _MOST_NUMBER_CLASSES
    )


def _codes(series: pd.Series) -> IntArray:
    """Return class numbers (n,) in sorted order, as scikit-learn sees them; missing comes last."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.dtype.categories.dtype)
    codes = pd.factorize(series, sort=True, use_na_sentinel=True)[0]
    return np.asarray(np.where(codes == -1, codes.max() + 1, codes), dtype=np.int64)


def group_codes(series: pd.Series) -> IntArray:
    """Return group numbers (n,); a row without group is a group of its own."""
    codes = np.asarray(pd.factorize(series, use_na_sentinel=True)[0], dtype=np.int64)
    alone = codes == -1
    codes[alone] = codes.max() + 1 + np.arange(alone.sum())
    return codes


def _commonest(classes: IntArray, groups: IntArray) -> IntArray:
    counts = np.zeros((groups.max() + 1, classes.max() + 1), dtype=np.int64)
    np.add.at(counts, (groups, classes), 1)
    return np.asarray(counts.argmax(axis=1), dtype=np.int64)


def _split(
    units: IntArray, size: float, seed: int, classes: IntArray | None
) -> tuple[IntArray, IntArray]:
    """Return the larger part and the part of ``size``, as scikit-learn draws them."""
    if size == 0:
        return units, units[:0]
    if len(units) < 2:
        raise TableError(f"{len(units)} rows cannot be split; at least 2 are needed")
    strata = None if classes is None else _strata(classes[units], size)
    if math.ceil(size * len(units)) >= len(units):
        raise TableError(f"a share of {size:g} leaves none of {len(units)} rows; hold out fewer")
    first, second = train_test_split(units, test_size=size, random_state=seed, stratify=strata)
    return first, second


def _strata(classes: IntArray, size: float) -> IntArray | None:
    """Pool classes of fewer than 6 rows; None where stratifying is impossible."""
    kinds, counts = np.unique(classes, return_counts=True)
    rare = kinds[counts < _FEWEST_PER_CLASS]
    strata = np.where(np.isin(classes, rare), -1, classes)
    if 0 < np.sum(strata == -1) < 2:  # a pool of one row joins the next rarest class
        common = kinds[counts >= _FEWEST_PER_CLASS]
        if not len(common):
            return None
        strata[strata == -1] = common[np.argmin(counts[counts >= _FEWEST_PER_CLASS])]
    n_strata = len(np.unique(strata))
    n_second = int(np.ceil(size * len(classes)))
    if n_strata < 2 or min(n_second, len(classes) - n_second) < n_strata:
        return None
    return strata
