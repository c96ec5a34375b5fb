"""How much of the dependences among rows other records miss, in units of chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agents.callbacks.latent_axis import LatentAxis
from rlsyn_env.tables.encoder import RecordEncoder
from rlsyn_env.tables.feature_maps import FeatureMap, Float32Array, FloatArray


def missed_correlations(
    encoder: RecordEncoder,
    rows: Float32Array,
    records: Float32Array,
    *,
    independent: int | None = None,
) -> tuple[float, float]:
    """Return the squared differences of correlations over those that chance alone would make.

    Of every two columns of different features: ranks of numbers, one column for each level, one
    for missing. Correlations of n rows of a distribution differ from its own by 1 / n on average
    of squares: 1 says that the rows might have been drawn from what the records were drawn from.

    Args:
        encoder: of both.
        rows: ``(n, d)`` encoded rows.
        records: ``(m, d)``, many more.
        independent: how many of the rows are, where several are of one group; None: all.

    Returns:
        Those, and those of another column of numbers with any: how far their ranks lie from the
        middle. What depends on a number in a curve may be uncorrelated with it and not with this.
    """
    parts = [
        (_columns(feature, rows[:, j]), _columns(feature, records[:, j]))
        for j, feature in enumerate(encoder.features)
    ]
    is_distance = np.concatenate([_is_distance(feature) for feature in encoder.features])
    feature_of = np.repeat(np.arange(len(parts)), [first.shape[1] for first, _ in parts])
    of_rows, of_records = (_correlations(np.hstack(side)) for side in zip(*parts, strict=True))
    pairs, of_curves = feature_of[:, None] != feature_of, is_distance[:, None] | is_distance
    squares = np.square(of_rows - of_records)
    squares *= len(rows) if independent is None else independent
    plain, curved = squares[pairs & ~of_curves], squares[pairs & of_curves]
    return float(plain.mean()) if plain.size else 0.0, float(curved.mean()) if curved.size else 0.0


def _columns(feature: FeatureMap, u: Float32Array) -> FloatArray:
    """Return what a feature's coordinates ``(n,)`` say, as columns ``(n, k)``."""
    cells = feature.cells_of(u)
    if not feature.ordered:
        return (cells[:, None] == np.arange(feature.n_cells)).astype(np.float64)
    ranks = LatentAxis(feature).middles(u)
    present = np.ones(len(u), dtype=bool)
    if feature.missing_cell is not None:
        present = cells != feature.missing_cell
    ranks[~present] = ranks[present].mean() if present.any() else 0.0
    distances = np.abs(ranks - ranks.mean())
    distances[~present] = distances[present].mean() if present.any() else 0.0
    columns = [ranks, distances, ~present]
    return np.column_stack(columns[: len(_is_distance(feature))])


def _is_distance(feature: FeatureMap) -> npt.NDArray[np.bool_]:
    """Return which of :func:`_columns` ``(k,)`` says how far ranks lie from the middle."""
    if not feature.ordered:
        return np.zeros(feature.n_cells, dtype=bool)
    return np.array([False, True] + [False] * (feature.missing_cell is not None))


def _correlations(columns: FloatArray) -> FloatArray:
    """Return correlations ``(k, k)``, 0 with a column that does not vary."""
    centred = columns - columns.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    scaled = centred / np.where(norms > 1e-9, norms, 1.0)
    correlations: FloatArray = scaled.T @ scaled
    return correlations
