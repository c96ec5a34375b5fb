"""One line per family: what was tried and what it found. Never a seal of approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlsyn_env.metrics.report import Metric

ATTACKS = {
    "membership_auc_outliers": "membership inference on outliers",
    "domias_auc": "DOMIAS",
    "domias_folds_auc": "DOMIAS from other training rows",
    "attribute_inference": "attribute inference",
    "singling_out": "singling out",
    "linkability": "linkability",
    "inference": "inference of a column",
}
"""Further attacks by metric and the name a sentence uses; the first three score 0.5 by guessing."""
_GUESSING = {"membership_auc_outliers": 0.5, "domias_auc": 0.5, "domias_folds_auc": 0.5}


def verdict_lines(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """Return the lines of the families that were judged."""
    families = {metric.family for metric in metrics.values()}
    writers = {
        "fidelity": _fidelity,
        "utility": _utility,
        "privacy": _privacy,
        "overfitting check": _overfitting,
    }
    return {family: write(metrics) for family, write in writers.items() if family in families}


def number(value: float | None) -> str:
    """Write a figure with three decimals (none from 100 on), or "-"."""
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
    return "0.000" if text == "-0.000" else text


def percent(value: float | None) -> str:
    """Write a share as a percentage with one decimal, or "-"."""
    return "-" if value is None else f"{100 * value:.1f} %"


def with_interval(metric: Metric) -> str:
    """Write a figure and its interval."""
    if metric.low is None or metric.high is None:
        return number(metric.value)
    return f"{number(metric.value)} ({interval(metric)})"


def interval(metric: Metric) -> str:
    """Write the interval of a figure, or "-"."""
    if metric.low is None or metric.high is None:
        return "-"
    return f"{number(metric.low)} to {number(metric.high)}"


def _fidelity(metrics: Mapping[str, Metric]) -> str:
    metric = metrics["c2st"]
    return (
        f"A random forest tells synthetic from held-out real rows with AUC {with_interval(metric)};"
        f" real rows would score {number(metric.reference['real'])}, independent columns "
        f"{number(metric.reference['independent'])}."
    )


def _utility(metrics: Mapping[str, Metric]) -> str:
    if "s2r" not in metrics:
        metric = metrics["global_utility"]
        return (
            "No target was given. Models that predict every column from the others keep "
            f"{with_interval(metric)} of the skill of models of real rows."
        )
    if metrics["r2r"].value is None:
        return "No model could be scored on the held-out rows; the notices say why."
    return (
        f"Models trained on synthetic rows score {with_interval(metrics['s2r'])} on held-out real "
        f"rows; models trained on real rows score {with_interval(metrics['r2r'])}."
    )


def _privacy(metrics: Mapping[str, Metric]) -> str:
    excess, copies = metrics["membership_excess"], metrics["exact_copies"]
    found = "was not seen to do better than"
    if excess.low is not None and excess.low > 0:
        found = "did better than"
    line = (
        f"Tried: membership inference by distance, AUC {with_interval(metrics['membership_auc'])}, "
        f"which {found} it does on independent columns, and a search for copied rows "
        f"({percent(copies.value)} of the synthetic rows equal a training row; "
        f"{percent(copies.reference['real'])} of the test rows do). "
    )
    tried = [name for name in ATTACKS if name in metrics]
    if not tried:
        return line + "No other attack was tried, and there is no formal guarantee."
    above = [name for name in tried if _above_guessing(name, metrics[name])]
    listed = ", ".join(f"{ATTACKS[name]} {with_interval(metrics[name])}" for name in tried)
    line += f"Also tried: {listed}. "
    if above:
        line += f"Whole interval above guessing: {', '.join(ATTACKS[name] for name in above)}. "
    else:
        line += "None of these was seen to do better than guessing. "
    return line + "Attacks that were not tried may do better, and there is no formal guarantee."


def _above_guessing(name: str, metric: Metric) -> bool:
    return metric.low is not None and metric.low > _GUESSING.get(name, 0.0)


def _overfitting(metrics: Mapping[str, Metric]) -> str:
    share = metrics["dcr_share"]
    return (
        f"{percent(share.value)} of the synthetic rows lie nearer to a training row than to one of "
        f"as many test rows ({percent(share.reference['real'])} of real rows do). This finds "
        "overfitting; it says nothing about privacy."
    )
