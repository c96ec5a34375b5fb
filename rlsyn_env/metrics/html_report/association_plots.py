"""Heatmaps of pairwise association: held-out rows, synthetic rows, and their difference.

Two numbers: absolute Pearson correlation. Otherwise Cramer's V with Bergsma's correction, numbers
in 10 bins on edges of the held-out rows. Both lie in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlsyn_env.metrics.html_report import drawing
from rlsyn_env.metrics.pair_trends import binned_cells
from rlsyn_env.metrics.preparation import Feature, FeatureTable

MAX_LABELS = 18
MARKED = 0.1


def association_matrix(
    features: Sequence[Feature], real: FeatureTable, table: FeatureTable
) -> np.ndarray:
    """Association ``(d, d)`` in [0, 1] of the columns of ``table``; bins are those of ``real``."""
    d = len(features)
    matrix = np.eye(d)
    cells = [binned_cells(feature, real, table) for feature in features]
    for i in range(d):
        for j in range(i):
            if features[i].numeric and features[j].numeric:
                pair = (table.columns[features[k].name] for k in (i, j))
                matrix[i, j] = absolute_correlation(*pair)
            else:
                matrix[i, j] = corrected_cramers_v(cells[i][0], cells[j][0])
            matrix[j, i] = matrix[i, j]
    return matrix


def absolute_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Absolute Pearson correlation over rows where both are present; 0 where it is undefined."""
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    if len(x) < 2 or x.std() <= 1e-12 * (1 + abs(x.mean())):
        return 0.0
    if y.std() <= 1e-12 * (1 + abs(y.mean())):
        return 0.0
    return float(abs(np.corrcoef(x, y)[0, 1]))


def corrected_cramers_v(first: np.ndarray, second: np.ndarray) -> float:
    """Cramer's V of codes int ``(n,)`` with Bergsma's (2013) bias correction, in [0, 1].

    Only cells that occur are looked at: a column may have as many levels as rows.
    """
    (_, x, rows), (_, y, columns) = (
        np.unique(codes, return_inverse=True, return_counts=True) for codes in (first, second)
    )
    r, c, n = len(rows), len(columns), len(first)
    if r < 2 or c < 2 or n < 2:
        return 0.0
    cells, counts = np.unique(x.astype(np.int64) * c + y, return_counts=True)
    expected = rows[cells // c] * columns[cells % c] / n
    # Cells that do not occur add what is expected of them, in all n minus that of the others.
    phi2 = float(((counts - expected) ** 2 / expected).sum() + n - expected.sum()) / n
    phi2 = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(phi2 / smaller))) if smaller > 0 else 0.0


def heatmap(matrix: np.ndarray, names: Sequence[str], title: str) -> str:
    """Draw association in [0, 1]: the darker, the stronger."""
    return _draw(matrix, names, title, cmap="Greys", low=0.0, high=1.0)


def difference_heatmap(difference: np.ndarray, names: Sequence[str], title: str) -> str:
    """Draw a signed difference; + and - say in greyscale which way, above 0.1."""
    return _draw(difference, names, title, cmap="PuOr", low=-0.5, high=0.5, signed=True)


def _draw(
    matrix: np.ndarray,
    names: Sequence[str],
    title: str,
    *,
    cmap: str,
    low: float,
    high: float,
    signed: bool = False,
) -> str:
    d = len(names)
    labels = (
        [drawing.plain(name, 14) for name in names]
        if d <= MAX_LABELS
        else [str(k + 1) if k % (d // 16 + 1) == 0 else "" for k in range(d)]
    )

    def paint(axes: Any) -> None:
        image = axes.imshow(matrix, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        axes.figure.colorbar(image, ax=axes, shrink=0.8, extend="both" if signed else "neither")
        size = 8 if d <= MAX_LABELS else 7
        axes.set_xticks(range(d), labels, rotation=90, fontsize=size)
        axes.set_yticks(range(d), labels, fontsize=size)
        axes.tick_params(length=0)
        axes.set_title(title, loc="left")
        if signed:
            for i, j in zip(*np.nonzero(np.abs(matrix) > MARKED), strict=True):
                axes.text(
                    j,
                    i,
                    "+" if matrix[i, j] > 0 else "\u2212",
                    ha="center",
                    va="center",
                    fontsize=8 if d <= MAX_LABELS else max(4.0, 200.0 / d),
                    color="white" if abs(matrix[i, j]) > 0.3 else "black",
                )

    return drawing.draw(drawing.SQUARE, paint)
