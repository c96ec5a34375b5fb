"""Means, spreads and ranks of the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from benchmarks.field.results import OK, Cell, Record, latest

FIGURES: dict[str, str] = {
    "c2st": "C2ST",
    "c2st_codes": "C2ST on codes",
    "s2r_over_r2r": "S2R / R2R",
    "corr": "corr",
    "pair_trends": "pair trends",
    "column_shapes": "column shapes",
    "membership_auc": "membership AUC",
    "membership_excess": "membership excess",
    "domias_auc": "DOMIAS AUC",
    "domias_folds_auc": "DOMIAS AUC, training folds",
    "exact_copies": "exact copies",
}
"""Judged figures that are shown, with their titles."""
ATTACKS: dict[str, str] = {
    "domias_auc": "DOMIAS holds 0.5",
    "domias_folds_auc": "DOMIAS of training folds holds 0.5",
}
"""Figures of which it is shown in how many seeds their interval contains guessing."""
COSTS: dict[str, str] = {"cpu_seconds": "CPU s", "wall_seconds": "wall s", "peak_mb": "peak MB"}
CRITERIA = ("fidelity", "utility", "privacy")


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (NaN for fewer than two) over n seeds."""

    mean: float
    sd: float
    n: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of values."""
        array = np.array(list(values), dtype=np.float64)
        if not len(array):
            return cls(float("nan"), float("nan"), 0)
        sd = float(array.std(ddof=1)) if len(array) > 1 else float("nan")
        return cls(float(array.mean()), sd, len(array))


@dataclass(frozen=True)
class Entry:
    """One generator on one table.

    Attributes:
        peer: the generator.
        table: the table.
        ok: results of the seeds that could be judged.
        failed: results of the others.
    """

    peer: str
    table: str
    ok: tuple[Record, ...]
    failed: tuple[Record, ...]

    def figure(self, name: str) -> Spread:
        """Return the spread of a judged figure over seeds."""
        values = [record["figures"].get(name, {}).get("value") for record in self.ok]
        return Spread.of(value for value in values if value is not None)

    def reference(self, name: str, reference: str) -> Spread:
        """Return the spread of what real rows or independent marginals score."""
        values = [record["figures"].get(name, {}).get(reference) for record in self.ok]
        return Spread.of(value for value in values if value is not None)

    def cost(self, name: str) -> Spread:
        """Return the spread of seconds or memory."""
        return Spread.of(record[name] for record in self.ok)

    def holds_half(self, name: str) -> tuple[int, int]:
        """Return in how many seeds the interval of a figure contains 0.5, and how many have it."""
        intervals = [record["figures"][name] for record in self.ok if name in record["figures"]]
        held = sum(
            figure["low"] is not None and figure["low"] <= 0.5 <= figure["high"]
            for figure in intervals
        )
        return held, len(intervals)

    def criteria(self) -> tuple[float, float, float]:
        """Return what is ranked, each the lower the better; infinite without a result.

        Fidelity: mean held-out C2ST above 0.5; utility: minus mean S2R / R2R; privacy: mean
        membership excess over independent marginals on the same split; below 0 counts as 0.
        """
        if not self.ok or self.failed:
            return (float("inf"),) * 3
        fidelity = self.figure("c2st").mean - 0.5
        privacy = self.figure("membership_excess").mean
        return max(0.0, fidelity), -self.figure("s2r_over_r2r").mean, max(0.0, privacy)


@dataclass(frozen=True)
class Ranks:
    """Ranks of one generator; 1 is the best, ties share the mean of their ranks."""

    fidelity: float
    utility: float
    privacy: float

    @property
    def mean(self) -> float:
        """Mean of the three with equal weights."""
        return (self.fidelity + self.utility + self.privacy) / 3.0


def entries(records: Sequence[Record], order: Sequence[str] = ()) -> dict[str, dict[str, Entry]]:
    """Return the last results by table, then by generator.

    Args:
        records: all results in the order in which they were written.
        order: names of tables that come first, in this order.
    """
    by_pair: dict[tuple[str, str], list[Record]] = {}
    for cell, record in sorted(latest(records).items()):
        by_pair.setdefault((cell.table, cell.peer), []).append(record)
    tables = sorted({table for table, _ in by_pair})
    tables.sort(key=lambda name: order.index(name) if name in order else len(order))
    found: dict[str, dict[str, Entry]] = {name: {} for name in tables}
    for (table, peer), results in by_pair.items():
        ok = tuple(record for record in results if record["status"] == OK)
        failed = tuple(record for record in results if record["status"] != OK)
        found[table][peer] = Entry(peer, table, ok, failed)
    return found


def table_ranks(found: Mapping[str, Entry], unranked: Iterable[str] = ()) -> dict[str, Ranks]:
    """Rank the generators of one table by seed means; one with a failed seed comes last.

    Criteria without a value for anybody (a table without a target) tie.
    """
    names = [name for name in found if name not in set(unranked)]
    if not names:
        return {}
    values = np.array([found[name].criteria() for name in names])
    values = np.where(np.isnan(values), np.inf, values)
    ranks = np.apply_along_axis(rankdata, 0, values)
    return {name: Ranks(*map(float, row)) for name, row in zip(names, ranks, strict=True)}


def mean_ranks(per_table: Mapping[str, Mapping[str, Ranks]]) -> dict[str, tuple[Ranks, int]]:
    """Average ranks over tables; also the number of tables a generator has results on."""
    names = {name for ranks in per_table.values() for name in ranks}
    means = {}
    for name in names:
        own = [ranks[name] for ranks in per_table.values() if name in ranks]
        mean = [float(np.mean([getattr(r, criterion) for r in own])) for criterion in CRITERIA]
        means[name] = (Ranks(*mean), len(own))
    return dict(sorted(means.items(), key=lambda item: (item[1][0].mean, item[0])))


def dominated_by(found: Mapping[str, Entry], name: str, unranked: Iterable[str] = ()) -> list[str]:
    """Return the generators that are strictly better than ``name`` in all three criteria."""
    own = found[name].criteria()
    return [
        other
        for other, entry in found.items()
        if other != name
        and other not in set(unranked)
        and all(a < b for a, b in zip(entry.criteria(), own, strict=True))
    ]


def failures(records: Sequence[Record]) -> list[tuple[Cell, str, str]]:
    """Return the cells whose last result is no success: cell, status, reason."""
    return [
        (cell, record["status"], record["reason"])
        for cell, record in sorted(latest(records).items())
        if record["status"] != OK
    ]
