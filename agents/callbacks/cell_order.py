"""In which order a Gaussian should see the levels of each feature, and where its missing values.

Of a pair of columns a Gaussian knows one correlation. Levels in the order of the alphabet waste it,
so they are laid in the one, of a few candidates, in which they say most of the other columns:
the schema's, that of the numbers in their names ("5-9" before "10-14"), or the one that the rows
tell (the first axis of a correspondence analysis). Orders that rows tell always say more of the
same rows, so candidates are compared on rows that the order was not found on.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from agents.callbacks.latent_cells import LatentCells
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.feature_maps import FeatureMap, Float32Array, FloatArray, IntArray

_SWEEPS = 3  # what levels say of others depends on the order of theirs
_FOLDS = 4
_MOST_ROWS = 5000
_PRIOR_ROWS = 5.0  # a level of so many rows is believed half of what they say


def latent_cells(encoder: RecordEncoder, records: Float32Array) -> list[LatentCells]:
    """Return the cells of every feature in the order in which they say most of the others.

    Args:
        encoder: of d features.
        records: ``(n, d)`` encoded rows, in no order.
    """
    records = records[:_MOST_ROWS]
    latent = [LatentCells(feature) for feature in encoder.features]
    ranks = np.column_stack([one.middles(u) for one, u in zip(latent, records.T, strict=True)])
    movable = [j for j, feature in enumerate(encoder.features) if _has_orders(feature)]
    for _ in range(_SWEEPS if len(latent) > 1 else 0):
        for j in movable:
            others = np.delete(ranks, j, axis=1)
            latent[j] = _best(encoder.features[j], records[:, j], others)
            ranks[:, j] = latent[j].middles(records[:, j])
    return latent


def _has_orders(feature: FeatureMap) -> bool:
    """Whether another order than the encoder's could say more."""
    return feature.n_cells > 2 and (not feature.ordered or feature.missing_cell is not None)


def _fixed_orders(feature: FeatureMap) -> list[IntArray]:
    """Return the orders that no row is asked for, the encoder's first."""
    missing = feature.missing_cell
    present = list(range(feature.n_cells if missing is None else missing))
    orders = [present]
    if not feature.ordered:
        levels = feature.column.levels
        orders.append(sorted(present, key=lambda cell: _numbers_in(levels[cell])))
    if missing is not None:
        orders = [[*order, missing] for order in orders] + [[missing, *order] for order in orders]
    return [np.array(order) for order in dict.fromkeys(map(tuple, orders))]


def _numbers_in(level: Any) -> list[tuple[float, str]]:
    """Return a key that sorts text by its numbers as numbers."""
    parts = re.findall(r"\d+|\D+", str(level))
    return [(float(part), "") if part.isdecimal() else (np.inf, part) for part in parts]


def _best(feature: FeatureMap, u: Float32Array, others: FloatArray) -> LatentCells:
    """Return the cells in the order that says most of rows that it was not found on."""
    fixed = _fixed_orders(feature)
    fold = np.arange(len(u)) % _FOLDS
    known = np.zeros(len(fixed) + 1)
    for k in range(_FOLDS):
        found = [] if feature.ordered else [_told_order(feature, u[fold != k], others[fold != k])]
        for i, order in enumerate([*fixed, *found]):
            ranks = LatentCells(feature, order).middles(u[fold == k])
            known[i] += _squared_correlations(ranks, others[fold == k])
    best = int(np.argmax(known))
    order = fixed[best] if best < len(fixed) else _told_order(feature, u, others)
    return LatentCells(feature, order)


def _told_order(feature: FeatureMap, u: Float32Array, others: FloatArray) -> IntArray:
    """Return the cells along the axis on which the other columns ``(n, k)`` tell them apart."""
    hot = (feature.cells_of(u)[:, None] == np.arange(feature.n_cells)).astype(np.float64)
    count = hot.sum(axis=0)
    centred = others - others.mean(axis=0)
    scaled = centred / np.maximum(centred.std(axis=0), 1e-9)
    mean = hot.T @ scaled / (count + _PRIOR_ROWS)[:, None]
    axis = np.linalg.svd(np.sqrt(count)[:, None] * mean, full_matrices=False)[0][:, 0]
    return np.argsort(axis / np.sqrt(np.maximum(count, 1.0)), kind="stable")


def _squared_correlations(x: FloatArray, others: FloatArray) -> float:
    """Return the sum over columns ``(n, k)`` of their squared correlations with x ``(n,)``."""
    x, others = x - x.mean(), others - others.mean(axis=0)
    norms = np.linalg.norm(x) * np.linalg.norm(others, axis=0)
    return float(np.square(x @ others / np.maximum(norms, 1e-9)).sum())
