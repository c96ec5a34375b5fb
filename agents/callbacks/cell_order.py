"""In which order a Gaussian should see the levels of each feature, and where its missing values.

Of a pair of columns a Gaussian knows one correlation. Levels in the order of the alphabet waste it,
so they are laid in the one, of a few candidates, in which they say most of the other columns:
the schema's, that of the numbers in their names ("5-9" before "10-14"), or the one that the rows
tell: along the axis on which the other columns, as they lie so far, differ most between levels. An
order that rows tell always says more of the same rows, so it has to on other ones.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from agents.callbacks.latent_axis import LatentAxis
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.feature_maps import FeatureMap, Float32Array, FloatArray, IntArray

_SWEEPS = 3  # what levels say of others depends on the order of theirs
_FOLDS = 4
_MOST_ROWS = 5000
_PRIOR_ROWS = 5.0  # a level of so many rows is believed half of what they say
_BOUNDS = {"<": -1, "≤": -1, ">": 1, "≥": 1}


def ordered_axes(
    encoder: RecordEncoder, records: Float32Array, groups: IntArray | None = None
) -> list[LatentAxis]:
    """Return an axis for every feature, its cells in the order that says most of the others.

    Args:
        encoder: of d features.
        records: ``(n, d)`` encoded rows, in no order.
        groups: ``(n,)``, numbers from 0 on of whom each row is of; None: each of somebody else.
    """
    records = records[:_MOST_ROWS]
    fold = (np.arange(len(records)) if groups is None else groups[:_MOST_ROWS]) % _FOLDS
    axes = [LatentAxis(feature) for feature in encoder.features]
    ranks = np.column_stack([one.middles(u) for one, u in zip(axes, records.T, strict=True)])
    movable = [j for j, feature in enumerate(encoder.features) if _has_orders(feature)]
    for _ in range(_SWEEPS if len(axes) > 1 else 0):
        moved = False
        for j in movable:
            others = np.delete(ranks, j, axis=1)
            found = _best(encoder.features[j], records[:, j], others, fold)
            moved = moved or bool((found.order != axes[j].order).any())
            axes[j], ranks[:, j] = found, found.middles(records[:, j])
        if not moved:
            break
    return axes


def _has_orders(feature: FeatureMap) -> bool:
    """Whether another order than the encoder's could say more."""
    if feature.missing_cell is not None and not feature.is_atom.all():
        return True  # numbers rise on either side of missing
    return feature.n_cells > 2 and (not feature.ordered or feature.missing_cell is not None)


def _best(feature: FeatureMap, u: Float32Array, others: FloatArray, fold: IntArray) -> LatentAxis:
    """Return the axis with the order that says most of the other columns ``(n, k)``.

    That is the one that rows tell if, told by three folds, it says more of the fourth than the best
    other one does, by a standard error of the mean over the four.
    """
    fixed = _fixed_orders(feature)
    rows = [np.flatnonzero(fold == k) for k in range(_FOLDS)]
    scaled = [_standardised(others[held]) for held in rows]

    def known(order: IntArray, k: int) -> float:
        ranks = LatentAxis(feature, order).middles(u[rows[k]])
        return _squared_correlations(ranks, scaled[k])

    of_fixed = np.array([[known(order, k) for order in fixed] for k in range(_FOLDS)])
    best = int(np.argmax(of_fixed.sum(axis=0)))
    if feature.ordered:
        return LatentAxis(feature, fixed[best])
    hot = (feature.cells_of(u)[:, None] == np.arange(feature.n_cells)).astype(np.float64)
    counts = np.array([hot[held].sum(axis=0) for held in rows])
    sums = np.array([hot[held].T @ values for held, values in zip(rows, scaled, strict=True)])
    count, total = counts.sum(axis=0), sums.sum(axis=0)
    told = [_told_order(count - counts[k], total - sums[k]) for k in range(_FOLDS)]
    gain = np.array([known(order, k) for k, order in enumerate(told)]) - of_fixed[:, best]
    wins = gain.mean() > gain.std(ddof=1) / np.sqrt(_FOLDS)
    return LatentAxis(feature, _told_order(count, total) if wins else fixed[best])


def _fixed_orders(feature: FeatureMap) -> list[IntArray]:
    """Return the orders that no row is asked for, the encoder's first."""
    missing = feature.missing_cell
    present = list(range(feature.n_cells if missing is None else missing))
    orders = [present]
    if not feature.ordered:
        levels = feature.column.levels
        orders.append(sorted(present, key=lambda cell: _number_of(levels[cell])))
    if missing is not None:
        orders = [[*order, missing] for order in orders] + [[missing, *order] for order in orders]
    return [np.array(order) for order in dict.fromkeys(map(tuple, orders))]


def _number_of(level: Any) -> tuple[str, float, int]:
    """Return a key that sorts levels by the first number in their names, "<5" before "5-9"."""
    bound, prefix, number = re.findall(r"^([<>≤≥]?)=?\s*([^\d-]*)(-?\d+(?:\.\d+)?)?", str(level))[0]
    return prefix, float(number) if number else np.inf, _BOUNDS.get(bound, 0)


def _told_order(count: FloatArray, sums: FloatArray) -> IntArray:
    """Return cells along the axis on which the other columns tell them apart.

    Args:
        count: ``(m,)`` rows of each cell.
        sums: ``(m, k)`` of the standardised other columns over them.
    """
    mean = sums / (count + _PRIOR_ROWS)[:, None]
    axis = np.linalg.svd(np.sqrt(count)[:, None] * mean, full_matrices=False)[0][:, 0]
    return np.argsort(axis / np.sqrt(np.maximum(count, 1.0)), kind="stable")


def _standardised(columns: FloatArray) -> FloatArray:
    centred = columns - columns.mean(axis=0)
    return centred / np.maximum(centred.std(axis=0), 1e-9)


def _squared_correlations(x: FloatArray, standardised: FloatArray) -> float:
    """Return the sum over columns ``(n, k)`` of their squared correlations with x ``(n,)``."""
    centred = x - x.mean()
    norm = np.linalg.norm(centred) * np.sqrt(len(x))
    return float(np.square(centred @ standardised / max(norm, 1e-9)).sum())
