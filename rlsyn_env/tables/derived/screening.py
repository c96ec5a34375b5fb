"""Rules out, on a few rows, nearly all arithmetic that a column is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rlsyn_env.tables.column_values import FloatArray
from rlsyn_env.tables.derived.forms import POWERS, SUMS, form_values, scale_intervals
from rlsyn_env.tables.derived.rounding_modes import widest_limits
from rlsyn_env.tables.derived.table_view import Codes, ColumnView

_FEW = 12
_MORE = 128
_FIT = 256
_SPARE_ROWS = 20
_LOOSE = 1e-3
_RIDGE = 1e-10

Pair = tuple[str, int, int]


def stack(sources: Sequence[ColumnView], rows: Codes) -> FloatArray:
    """Return the sources' values (p, n) in ``rows`` (n,)."""
    return np.stack([source.axis[rows] for source in sources if source.axis is not None])


def spread(column: ColumnView, n: int) -> Codes:
    """Return at most ``n`` rows that have a value, evenly spread over the order of the values."""
    order = column.order[: int((~column.missing).sum())]
    places = np.linspace(0, len(order) - 1, min(n, len(order)))
    return np.asarray(order[np.unique(places.astype(np.int64))])


def correlations(matrix: FloatArray, values: FloatArray) -> FloatArray:
    """Return the correlation of each row of ``matrix`` (p, n) with ``values`` (n,)."""
    centred = matrix - matrix.mean(axis=1, keepdims=True)
    other = values - values.mean()
    norm = np.sqrt((centred**2).sum(axis=1) * (other**2).sum())
    return np.asarray(centred @ other / np.where(norm > 0, norm, 1.0))


def may_be_linear(column: ColumnView, sources: Sequence[ColumnView]) -> bool:
    """Tell whether a weighted sum of all sources comes within the rounding of the column.

    If not, then neither does any of fewer. The least-squares fit on some 250 rows is rough (normal
    equations, a ridge), and so is what it has to reach.
    """
    assert column.axis is not None
    rows = spread(column, _FIT)
    if not sources or len(rows) < len(sources) + _SPARE_ROWS:
        return bool(sources)
    x, c = stack(sources, rows), column.axis[rows]
    x = x - x.mean(axis=1, keepdims=True)
    largest = np.abs(x).max(axis=1, keepdims=True)
    x = x / np.where(largest > 0, largest, 1.0)
    c = c - c.mean()
    gram = x @ x.T
    gram[np.diag_indices_from(gram)] += _RIDGE * len(rows)
    residual = c - np.linalg.solve(gram, x @ c) @ x
    return bool(np.abs(residual).max() <= 2 * column.step + _LOOSE * np.abs(c).max())


def pairs_of_sum(column: ColumnView, sources: Sequence[ColumnView]) -> Iterator[Pair]:
    """Differences and sums of two sources that some factor turns into ``column``."""
    if not sources:
        return
    dates = np.array([source.is_date for source in sources])
    a, b = np.triu_indices(len(sources), k=1)
    for form in SUMS:
        keep = dates[a] == dates[b] if form == "a - b" else ~(dates[a] | dates[b])
        yield from _agreeing(form, column, sources, a[keep], b[keep])


def pairs_of_product(column: ColumnView, sources: Sequence[ColumnView]) -> list[Pair]:
    """Products and ratios of two sources that some factor turns into ``column``.

    From one row to another the logarithm of the column must change by what those of the two sources
    do; this is looked at in all pairs of sources at once, in rows where the column is large and so
    known to many digits.
    """
    assert column.axis is not None
    numeric = [place for place, source in enumerate(sources) if not source.is_date]
    if not numeric or column.is_date:
        return []
    rows = spread(column, _MORE)
    rows = rows[np.argsort(-np.abs(column.axis[rows]), kind="stable")][: max(2, len(rows) // 2)]
    rows = rows[np.linspace(0, len(rows) - 1, min(_FEW, len(rows))).astype(np.int64)]
    size = np.abs(column.axis[rows])
    error = max(column.step, column.slack)
    if size.min() <= 2 * error:
        return []
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(stack([sources[place] for place in numeric], rows)))
    low, high = np.log(size - error), np.log(size + error)
    found: list[Pair] = []
    for form, (one, two) in POWERS.items():
        possible = np.triu(np.ones((len(numeric), len(numeric)), dtype=bool))
        if form != "a * b":
            np.fill_diagonal(possible, val=False)
        with np.errstate(invalid="ignore"):
            for t in range(1, len(rows)):
                change = logs[:, t] - logs[:, 0]
                total = one * change[:, None] + two * change[None, :]
                possible &= (total >= low[t] - high[0] - 1e-9) & (total <= high[t] - low[0] + 1e-9)
                if not possible.any():
                    break
        places = np.array(numeric)
        i, j = (places[at] for at in np.nonzero(possible))
        found += _agreeing(form, column, sources, i, j)
    return found


def _agreeing(
    form: str, column: ColumnView, sources: Sequence[ColumnView], i: Codes, j: Codes
) -> Iterator[Pair]:
    assert column.axis is not None
    for n in (_FEW, _MORE):
        if not len(i):
            return
        sample = spread(column, n)
        c = column.axis[sample]
        matrix = stack(sources, sample)
        low, high = widest_limits(c, column)
        first, last = scale_intervals(form_values(form, matrix[i], matrix[j]), low, high)
        i, j = i[first <= last], j[first <= last]
    for pair in zip(i, j, strict=True):
        yield form, int(pair[0]), int(pair[1])
