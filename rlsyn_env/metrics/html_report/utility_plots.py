"""S2R beside R2R, model by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rlsyn_env.metrics.html_report import drawing
from rlsyn_env.metrics.report import Metric
from rlsyn_env.metrics.verdict import number

_PAIRS = {"": "mean of these", "_boosting": "boosting", "_svm": "SVM"}


class Bar(NamedTuple):
    """A score and its interval (None where there is none)."""

    value: float
    low: float | None = None
    high: float | None = None


class Entry(NamedTuple):
    """The bars of one model."""

    label: str
    synthetic: Bar
    real: Bar
    independent: float | None


def utility_entries(metrics: Mapping[str, Metric]) -> list[Entry]:
    """Return the models that were scored: those of the quick suite, their mean, further ones."""
    s2r, r2r = metrics.get("s2r"), metrics.get("r2r")
    if s2r is None or r2r is None or s2r.value is None or r2r.value is None:
        return []
    entries = []
    for name, value in s2r.extra.items():
        real = r2r.extra.get(name)
        if value is not None and real is not None:
            entries.append(Entry(name, Bar(value), Bar(real), None))
    for suffix, label in _PAIRS.items():
        synthetic, trained_on_real = metrics.get(f"s2r{suffix}"), metrics.get(f"r2r{suffix}")
        if synthetic is None or trained_on_real is None:
            continue
        bars = [_bar(synthetic), _bar(trained_on_real)]
        if bars[0] is not None and bars[1] is not None:
            entries.append(Entry(label, bars[0], bars[1], synthetic.reference["independent"]))
    return entries


def _bar(metric: Metric) -> Bar | None:
    return None if metric.value is None else Bar(metric.value, metric.low, metric.high)


def utility_plot(metrics: Mapping[str, Metric]) -> tuple[str, str] | None:
    """Return the bars as a data URI with their text alternative; None without utility figures."""
    entries = utility_entries(metrics)
    if not entries:
        return None

    def paint(axes: Any) -> None:
        places = np.arange(len(entries), dtype=np.float64)
        real = {"facecolor": drawing.REAL_FILL, "edgecolor": drawing.REAL}
        synthetic = {
            "facecolor": "white",
            "edgecolor": drawing.SYNTHETIC,
            "hatch": drawing.HATCH,
        }
        _bars(axes, places - 0.2, [e.real for e in entries], "trained on real", real)
        _bars(axes, places + 0.2, [e.synthetic for e in entries], "trained on synthetic", synthetic)
        for place, entry in zip(places, entries, strict=True):
            if entry.independent is not None:
                floor = [entry.independent, entry.independent]
                axes.plot(floor, [place - 0.42, place + 0.42], color="black", ls=":")
        axes.plot([], [], color="black", ls=":", label="independent columns")
        axes.set_yticks(places, [entry.label for entry in entries])
        axes.invert_yaxis()
        axes.set_xlabel("score on held-out real rows")
        axes.figure.legend(loc="outside lower center", ncols=1)

    listed = "; ".join(
        f"{entry.label}: {number(entry.synthetic.value)} trained on synthetic, "
        f"{number(entry.real.value)} on real rows"
        for entry in entries
    )
    size = (drawing.SQUARE[0], 1.5 + 0.55 * len(entries))
    return drawing.draw(size, paint), f"Scores by model. {listed}."


def _bars(
    axes: Any, places: np.ndarray, bars: Sequence[Bar], label: str, look: dict[str, str]
) -> None:
    axes.barh(places, [bar.value for bar in bars], 0.38, label=label, **look)
    for place, bar in zip(places, bars, strict=True):
        if bar.low is not None:
            axes.plot([bar.low, bar.high], [place, place], color="black", lw=1.2)
