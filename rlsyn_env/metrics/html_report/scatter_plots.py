"""Rows on the first two principal components of the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from rlsyn_env.metrics.html_report import drawing
from rlsyn_env.metrics.preparation import subsample

MAX_POINTS = 1000


def scatter_plots(
    train: np.ndarray, test: np.ndarray, synthetic: np.ndarray
) -> list[tuple[str, str]]:
    """Return two scatters on the same axes, held-out and synthetic: data URI and alternative.

    Args:
        train: ``(n, k)`` standardised rows that fit the components.
        test: ``(m, k)`` rows; at most 1,000 are shown of each table.
        synthetic: ``(s, k)`` rows.
    """
    n_components = min(2, train.shape[1], len(train))
    pca = PCA(n_components=n_components).fit(train)

    def project(rows: np.ndarray) -> np.ndarray:
        # Any of them, not the first ones: files are often sorted.
        shown = rows[subsample(len(rows), MAX_POINTS, np.random.default_rng(0))]
        points = (shown - pca.mean_) @ pca.components_.T
        return points if n_components == 2 else np.column_stack([points, np.zeros(len(points))])

    placed = {drawing.REAL_LABEL: project(test), drawing.SYNTHETIC_LABEL: project(synthetic)}
    every = np.concatenate(list(placed.values()))
    low, high = np.quantile(every, [0.002, 0.998], axis=0)
    margin = 0.08 * np.maximum(high - low, 1e-9)
    shares = [f"{100 * share:.0f} %" for share in pca.explained_variance_ratio_]
    shares += ["0 %"] * (2 - len(shares))
    plots = []
    for label, points in placed.items():
        real = label == drawing.REAL_LABEL

        def paint(
            axes: Any, label: str = label, points: np.ndarray = points, real: bool = real
        ) -> None:
            axes.scatter(
                points[:, 0],
                points[:, 1],
                s=14,
                marker="o" if real else "x",
                linewidths=0.8,
                facecolors="none" if real else drawing.SYNTHETIC,
                **({"edgecolors": drawing.REAL} if real else {}),
            )
            axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
            axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
            axes.set_xlabel(f"component 1 ({shares[0]})")
            axes.set_ylabel(f"component 2 ({shares[1]})")
            axes.set_title(f"{label} ({len(points):,} rows)", loc="left")

        alt = (
            f"Scatter of {len(points)} {label} rows on the first two principal components of the "
            "training rows."
        )
        plots.append((drawing.draw(drawing.SQUARE, paint, raster=True), alt))
    return plots
