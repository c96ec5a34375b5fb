"""One overlay per column: a histogram with the missing share, or bars of the levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from rlsyn_env.metrics.html_report import drawing
from rlsyn_env.metrics.preparation import Feature, FeatureTable

N_BINS = 20
MAX_LEVELS = 12


def column_plot(
    feature: Feature,
    levels: list[str],
    is_date: bool,
    real: FeatureTable,
    synthetic: FeatureTable,
) -> tuple[str, str]:
    """Return the overlay of a column as a data URI, and its text alternative."""
    columns = (real.columns[feature.name], synthetic.columns[feature.name])
    if feature.numeric:
        return _histogram(feature.name, columns, is_date)
    return _level_bars(feature.name, columns, levels, feature.n_codes)


def _histogram(name: str, columns: tuple[np.ndarray, ...], is_date: bool) -> tuple[str, str]:
    missing = [float(np.isnan(v).mean()) for v in columns]
    present = [v[~np.isnan(v)] for v in columns]
    edges = _edges(present)
    heights = [
        np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / len(whole)
        for v, whole in zip(present, columns, strict=True)
    ]

    def paint(axes: Any) -> None:
        axes.stairs(
            heights[0],
            edges,
            fill=True,
            facecolor=drawing.REAL_FILL,
            edgecolor=drawing.REAL,
            linewidth=1.0,
            label=drawing.REAL_LABEL,
        )
        axes.stairs(
            heights[1],
            edges,
            edgecolor=drawing.SYNTHETIC,
            linewidth=1.8,
            linestyle="--",
            label=drawing.SYNTHETIC_LABEL,
        )
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if any(missing):
            width = edges[-1] - edges[0]
            place = edges[-1] + 0.1 * width
            _pair_of_bars(axes, np.array([place]), [[m] for m in missing], 0.05 * width)
            ticks = [tick for tick in axes.get_xticks() if edges[0] <= tick <= edges[-1]]
            axes.set_xticks([*ticks, place])
            axes.set_xticklabels([*(f"{tick:g}" for tick in ticks), "missing"])
            axes.set_xlim(edges[0] - 0.03 * width, edges[-1] + 0.2 * width)
        if is_date:
            ticks = [tick for tick in axes.get_xticks() if edges[0] <= tick <= edges[-1]][::2]
            axes.set_xticks(ticks, [str(np.datetime64(int(t), "D")) for t in ticks])
        axes.set_ylabel("share of rows")
        axes.set_title(drawing.plain(name, 40), loc="left")
        _legend(axes)

    alt = (
        f"Histogram of {name}: {drawing.REAL_LABEL} filled, {drawing.SYNTHETIC_LABEL} dashed. "
        f"Median {_median(present[0])} against {_median(present[1])}; missing "
        f"{100 * missing[0]:.1f} % against {100 * missing[1]:.1f} %."
    )
    return drawing.draw(drawing.SMALL, paint), alt


def _edges(present: list[np.ndarray]) -> np.ndarray:
    """Equal bins between the 1st and 99th percentiles of the real values, outer ones open.

    The ends are quantiles, so that a figure does not print the extreme of a single person. A
    column of few whole numbers has a bin per number.
    """
    known = present[0] if len(present[0]) else present[1]
    if not len(known):
        return np.array([0.0, 1.0])
    low, high = np.quantile(known, [0.01, 0.99])
    if (known == np.round(known)).all() and 0 < high - low < N_BINS:
        return np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.0)
    if high <= low:
        low, high = low - 0.5, low + 0.5
    return np.linspace(low, high, N_BINS + 1)


def _level_bars(
    name: str, columns: tuple[np.ndarray, ...], levels: list[str], n_codes: int
) -> tuple[str, str]:
    shares = [np.bincount(v + 1, minlength=n_codes + 1) / len(v) for v in columns]
    labels = ["missing", *levels, *(f"unseen {k + 1}" for k in range(n_codes - len(levels)))]
    order = [k for k in range(1, n_codes + 1) if shares[0][k] + shares[1][k] > 0]
    order.sort(key=lambda k: -float(shares[0][k] + shares[1][k]))
    shown = order[:MAX_LEVELS]
    if len(order) <= MAX_LEVELS:
        shown.sort()  # few levels keep their own order
    bars = [[float(s[k]) for k in shown] for s in shares]
    names = [labels[k] for k in shown]
    if len(order) > MAX_LEVELS:
        names.append(f"{len(order) - MAX_LEVELS} more")
        for bar, s in zip(bars, shares, strict=True):
            bar.append(float(sum(s[k] for k in order[MAX_LEVELS:])))
    if shares[0][0] + shares[1][0] > 0:
        names.append("missing")
        for bar, s in zip(bars, shares, strict=True):
            bar.append(float(s[0]))

    def paint(axes: Any) -> None:
        places = np.arange(len(names), dtype=np.float64)
        _pair_of_bars(axes, places, bars, 0.38, labelled=True)
        rotate = max(map(len, names)) * len(names) > 40
        axes.set_xticks(
            places,
            [drawing.plain(text, 16) for text in names],
            rotation=40 if rotate else 0,
            ha="right" if rotate else "center",
        )
        axes.set_ylabel("share of rows")
        axes.set_title(drawing.plain(name, 40), loc="left")
        _legend(axes)

    listed = "; ".join(
        f"{names[k]} {100 * bars[0][k]:.1f} % against {100 * bars[1][k]:.1f} %"
        for k in range(len(names))
    )
    alt = f"Levels of {name}, {drawing.REAL_LABEL} against {drawing.SYNTHETIC_LABEL}: {listed}."
    return drawing.draw(drawing.SMALL, paint), alt


def _pair_of_bars(
    axes: Any, places: np.ndarray, heights: list[list[float]], width: float, labelled: bool = False
) -> None:
    labels = (drawing.REAL_LABEL, drawing.SYNTHETIC_LABEL) if labelled else (None, None)
    axes.bar(
        places - width / 2,
        heights[0],
        width,
        facecolor=drawing.REAL_FILL,
        edgecolor=drawing.REAL,
        label=labels[0],
    )
    axes.bar(
        places + width / 2,
        heights[1],
        width,
        facecolor="white",
        edgecolor=drawing.SYNTHETIC,
        hatch=drawing.HATCH,
        label=labels[1],
    )


def _legend(axes: Any) -> None:
    """Put the legend above the bars: room is made for it, so that it hides none."""
    axes.set_ylim(0.0, 1.2 * axes.get_ylim()[1])
    axes.legend(loc="upper right", ncols=2)


def _median(values: np.ndarray) -> str:
    return f"{np.median(values):.4g}" if len(values) else "none"
