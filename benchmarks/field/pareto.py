"""Fidelity against privacy: a small plot per table, a marker per generator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.field.summary import Entry
from rlsyn_env.files import atomic_path

# Shape and fill tell generators apart; colour only repeats it, so grey prints lose nothing.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555")


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points that none is better than in both coordinates (lower is)."""
    return [
        name
        for name, (x, y) in points.items()
        if not any(a <= x and b <= y and (a < x or b < y) for a, b in points.values())
    ]


def draw(
    found: Mapping[str, Mapping[str, Entry]], path: Path, *, without: Iterable[str] = ()
) -> None:
    """Write the plot: C2ST (across) against membership AUC (up), means over seeds.

    Bars are standard deviations over seeds; a ring marks the generators that none beats in both.

    Args:
        found: results by table, then by generator.
        path: file; its suffix says the format (SVG or PNG).
        without: generators that are left out: a copy of the training rows, at a membership AUC of
            1, would press all others together.
    """
    hidden = set(without)
    names = sorted({name for peers in found.values() for name in peers} - hidden)
    looks = {
        name: (MARKERS[k % len(MARKERS)], COLOURS[k % len(COLOURS)], k >= len(MARKERS))
        for k, name in enumerate(names)
    }
    n_columns = min(3, max(1, len(found)))
    n_rows = -(-max(1, len(found)) // n_columns)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(3.6 * n_columns, 3.2 * n_rows + 1.2), squeeze=False
    )
    for axis in axes.flat[len(found) :]:
        axis.set_visible(False)
    for axis, (table, peers) in zip(axes.flat, found.items(), strict=False):
        shown = {name: entry for name, entry in peers.items() if name not in hidden}
        _panel(axis, table, shown, looks)
    for axis in axes[:, 0]:
        axis.set_ylabel("membership AUC")
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, label=name,
               markerfacecolor="white" if hollow else colour)
        for name, (marker, colour, hollow) in looks.items()
    ]  # fmt: skip
    figure.legend(handles=handles, loc="lower center", ncols=5, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.9 / (3.2 * n_rows + 1.2), 1, 1))
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure and close it; the same figure gives the same file."""
    plt.rcParams["svg.hashsalt"] = "field"
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})
    plt.close(figure)


def _panel(
    axis: plt.Axes,
    table: str,
    peers: Mapping[str, Entry],
    looks: Mapping[str, tuple[str, str, bool]],
) -> None:
    points = {}
    for name, entry in peers.items():
        across, up = entry.figure("c2st"), entry.figure("membership_auc")
        if not across.n:
            continue
        points[name] = (max(across.mean, 0.5), max(up.mean, 0.5))
        marker, colour, hollow = looks[name]
        axis.errorbar(
            across.mean, up.mean,
            xerr=across.sd if across.n > 1 else None, yerr=up.sd if up.n > 1 else None,
            marker=marker, color=colour, markerfacecolor="white" if hollow else colour,
            markersize=6, elinewidth=0.7, linestyle="",
        )  # fmt: skip
    for name in pareto_front(points):
        entry = peers[name]
        axis.plot(
            entry.figure("c2st").mean, entry.figure("membership_auc").mean,
            marker="o", markersize=12, markerfacecolor="none", markeredgecolor="black",
            markeredgewidth=0.8,
        )  # fmt: skip
    axis.axvline(0.5, color="0.7", linewidth=0.8, zorder=0)
    axis.axhline(0.5, color="0.7", linewidth=0.8, zorder=0)
    axis.set_title(table, fontsize=10)
    axis.set_xlabel("held-out C2ST")
    axis.tick_params(labelsize=8)
