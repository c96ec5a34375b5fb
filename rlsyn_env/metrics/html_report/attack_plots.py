"""ROC curves of the membership attacks, and distances to the nearest training row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlsyn_env.metrics.html_report import drawing
from rlsyn_env.metrics.privacy import MembershipAttack

_LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))


def roc_plot(attacks: Sequence[tuple[str, MembershipAttack]]) -> tuple[str, str]:
    """Draw one ROC curve per attack, told apart by its line style."""

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=drawing.NEUTRAL, lw=0.8)
        for k, (label, attack) in enumerate(attacks):
            fpr, tpr = attack.roc()
            axes.plot(
                fpr,
                tpr,
                linestyle=_LINES[k % len(_LINES)],
                color=drawing.SYNTHETIC if k % 2 == 0 else drawing.REAL,
                lw=1.6,
                label=f"{label} (AUC {attack.auc:.3f})",
            )
        axes.set_xlabel("false positive rate (test rows)")
        axes.set_ylabel("true positive rate (training rows)")
        axes.figure.legend(loc="outside lower center")

    listed = "; ".join(f"{label} AUC {attack.auc:.3f}" for label, attack in attacks)
    size = (drawing.SQUARE[0], drawing.SQUARE[1] + 0.25 * len(attacks))
    return drawing.draw(size, paint), f"ROC curves of membership attacks: {listed}."


def distance_plot(distances: dict[str, np.ndarray]) -> tuple[str, str]:
    """Draw cumulative shares of rows by their distance to the nearest training row."""

    def paint(axes: Any) -> None:
        far = max(float(np.quantile(d, 0.98)) for d in distances.values())
        for k, (label, d) in enumerate(distances.items()):
            axes.ecdf(
                d,
                linestyle=_LINES[k % len(_LINES)],
                color=(drawing.REAL, drawing.SYNTHETIC, drawing.NEUTRAL)[k % 3],
                lw=1.6,
                label=label,
            )
        axes.set_xlim(0, far if far > 0 else 1.0)
        axes.set_xlabel("distance to the nearest training row")
        axes.set_ylabel("share of rows at most that near")
        axes.figure.legend(loc="outside lower center")

    listed = "; ".join(f"{label} median {np.median(d):.3g}" for label, d in distances.items())
    size = (drawing.SQUARE[0], drawing.SQUARE[1] + 0.4)
    return drawing.draw(size, paint), f"Distances to the nearest training row: {listed}."
