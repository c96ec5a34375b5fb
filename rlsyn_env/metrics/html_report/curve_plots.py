"""Training curves of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import EngFormatter, MaxNLocator

from rlsyn_env.metrics.html_report import drawing

Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Steps ``(n,)`` and values ``(n,)`` by the curve's name; NaN values are gaps."""


def curve_plots(curves: Curves) -> list[tuple[str, str]]:
    """Draw each curve; those without a finite value are left out."""
    plots = []
    for name, (steps, values) in curves.items():
        steps, values = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
        known = np.isfinite(steps) & np.isfinite(values)
        if not known.any():
            continue

        def paint(
            axes: Any, name: str = name, x: np.ndarray = steps, y: np.ndarray = values
        ) -> None:
            axes.plot(x, y, color=drawing.REAL, lw=1.4, marker="." if len(x) < 30 else None)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_major_formatter(EngFormatter())  # 120 k, not 120000
            axes.set_xlabel("steps")
            axes.set_title(drawing.plain(name, 40), loc="left")

        last = values[known][-1]
        alt = f"{name} over training: from {values[known][0]:.4g} to {last:.4g}."
        plots.append((drawing.draw(drawing.SMALL, paint), alt))
    return plots
